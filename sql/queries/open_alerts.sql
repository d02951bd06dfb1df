-- title: Alerts that are not over
-- question: What is pending, firing or recovering now?
-- column: severity text | info, warning or critical
-- column: state text | pending, firing or recovering
-- column: kind text | kind of alert
-- column: key text | what it is about
-- column: title text | in words
-- column: since timestamp | since when
-- column: occurrences integer | how often within the episode
-- column: episode integer | how often it has fired so far
-- column: last_bad_at timestamp | last seen
-- column: unknown_since timestamp | it cannot be seen since: the state is frozen
-- column: acknowledged_at timestamp | when a person took it on
-- column: acknowledged_by text | who
SELECT
    severity, state, kind, key, title, since, occurrences, episode, last_bad_at, unknown_since, acknowledged_at,
    acknowledged_by
FROM v_open_alerts
ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, since
