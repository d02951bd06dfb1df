-- title: One alert
-- question: How does this alert stand?
-- param: fingerprint text | kind:key
-- column: fingerprint text | kind:key
-- column: title text | in words
-- column: severity text | info, warning or critical
-- column: state text | ok, pending, firing or recovering
-- column: episode integer | how often it has fired so far
-- column: occurrences integer | how often within the episode
-- column: positives integer | signs of health since the last hit
-- column: pending_since timestamp | since when it is bad
-- column: fired_at timestamp | when it fired
-- column: last_bad_at timestamp | last seen
-- column: recovering_since timestamp | good again since
-- column: resolved_at timestamp | when the last episode ended
-- column: unknown_since timestamp | it cannot be seen since: the state is frozen
-- column: last_message_at timestamp | last said
-- column: acknowledged_at timestamp | when a person took it on
-- column: acknowledged_by text | who
-- column: silenced_by text | the silence that keeps it quiet
SELECT
    fingerprint, title, severity, state, episode, occurrences, positives, pending_since, fired_at, last_bad_at,
    recovering_since, resolved_at, unknown_since, last_message_at, acknowledged_at, acknowledged_by, silenced_by
FROM alert
WHERE fingerprint = :fingerprint
