-- Each way out: what waits and since when, what may have arrived, what was given up, how slow it was, why it is off.
CREATE VIEW v_delivery_lag AS
WITH known AS (
    SELECT name FROM channel
    UNION
    SELECT channel FROM outbox
)
SELECT
    known.name AS channel,
    coalesce(sum(CASE WHEN m.state IN ('pending', 'sending') THEN 1 ELSE 0 END), 0) AS waiting,
    coalesce(sum(CASE WHEN m.state = 'unknown' THEN 1 ELSE 0 END), 0) AS unknown,
    coalesce(sum(CASE WHEN m.state = 'dead' THEN 1 ELSE 0 END), 0) AS dead,
    coalesce(sum(CASE WHEN m.state = 'sent' THEN 1 ELSE 0 END), 0) AS sent,
    min(CASE WHEN m.state IN ('pending', 'sending', 'unknown') THEN m.created_at END) AS oldest_waiting_at,
    max(m.seconds_to_send) AS slowest_seconds,
    max(m.sent_at) AS last_sent_at,
    min(c.disabled_at) AS disabled_at,
    min(c.disabled_reason) AS disabled_reason,
    min(c.not_before) AS not_before
FROM known
LEFT JOIN v_message m ON m.channel = known.name
LEFT JOIN channel c ON c.name = known.name
GROUP BY known.name
