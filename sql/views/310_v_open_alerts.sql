-- What is pending, firing or recovering now. unknown_since: the watched thing cannot be seen, so nothing was resolved.
CREATE VIEW v_open_alerts AS
SELECT
    fingerprint,
    kind,
    key,
    state,
    severity,
    title,
    episode,
    occurrences,
    coalesce(fired_at, pending_since) AS since,
    last_bad_at,
    last_message_at,
    unknown_since,
    acknowledged_at,
    acknowledged_by
FROM alert
WHERE state <> 'ok'
