-- title: Steps of one alert
-- question: What happened to this alert, and why was each step taken?
-- param: fingerprint text | kind:key
-- param: limit integer = 50 | at most so many, the newest
-- column: happened_at timestamp | when
-- column: episode integer | number of the episode
-- column: step text | fired, updated, resolved …
-- column: announced boolean | whether a message was queued
-- column: reason text | why
SELECT at AS happened_at, episode, kind AS step, announced, reason
FROM alert_transition
WHERE fingerprint = :fingerprint
ORDER BY at DESC, id DESC
LIMIT :limit
