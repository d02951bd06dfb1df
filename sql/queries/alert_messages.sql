-- title: Messages of one alert
-- question: What was sent about this alert, where, and did it arrive?
-- param: fingerprint text | kind:key
-- param: limit integer = 50 | at most so many, the newest
-- column: created_at timestamp | when it was queued
-- column: channel text | where to
-- column: episode integer | number of the episode
-- column: step text | fired, updated, resolved …
-- column: state text | pending, sending, sent, unknown, dead, held or merged
-- column: told_in text | the message that told it together with others
-- column: sent_at timestamp | when it arrived
-- column: last_error text | what the channel answered
SELECT created_at, channel, episode, kind AS step, state, told_in, sent_at, last_error
FROM outbox
WHERE fingerprint = :fingerprint
ORDER BY created_at DESC, episode DESC, sequence DESC, channel
LIMIT :limit
