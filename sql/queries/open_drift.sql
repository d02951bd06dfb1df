-- title: Production's settings that do not follow the decision
-- question: What does .env.compile or the running process say that it should not?
-- column: place text | file or process
-- column: key text | the variable
-- column: expected text | what the decision demands
-- column: actual text | what is there; null when missing
-- column: kind text | missing, wrong_value or forbidden
-- column: seen_at timestamp | since when
SELECT "where" AS place, key, expected, actual, kind, seen_at
FROM settings_drift
WHERE cleared_at IS NULL
ORDER BY seen_at, key
