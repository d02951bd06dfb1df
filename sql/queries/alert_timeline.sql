-- title: Alerts over time
-- question: What fired, when did it end, and why was each step taken?
-- param: kind text = null | such as graph_reuse
-- param: since timestamp = 30d | from when
-- param: limit integer = 500 | at most so many
-- column: happened_at timestamp | when the step was taken
-- column: kind text | kind of alert
-- column: key text | what it is about
-- column: episode integer | how often it has fired so far
-- column: step text | fired, updated, resolved …
-- column: announced boolean | whether a message was queued
-- column: severity text | info, warning or critical
-- column: title text | the alert in words
-- column: reason text | why the step was taken
SELECT
    t.at AS happened_at, a.kind, a.key, t.episode, t.kind AS step, t.announced, a.severity, a.title, t.reason
FROM alert_transition t
JOIN alert a ON a.fingerprint = t.fingerprint
WHERE (:kind IS NULL OR a.kind = :kind)
  AND t.at >= :since
ORDER BY t.at DESC, t.id DESC
LIMIT :limit
