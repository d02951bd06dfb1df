-- title: Silences in force
-- question: Which alerts are recorded and not sent, until when, and who asked for it?
-- param: at timestamp = 0h | in force at this time
-- column: silence_id text | id, to end it
-- column: matchers text | which alerts, one condition a line; all must hold
-- column: ends_at timestamp | until when
-- column: author text | who asked for it
-- column: comment text | why
-- column: via text | cli, slack or page
-- column: starts_at timestamp | since when
SELECT id AS silence_id, matchers, ends_at, author, comment, via, starts_at
FROM alert_silence
WHERE ends_at > :at
ORDER BY ends_at, id
