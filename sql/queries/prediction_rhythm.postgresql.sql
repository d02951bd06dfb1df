-- title: When predictions complete
-- question: In which hours of the week do predictions complete, and in how many weeks did they?
-- param: source text = null | only this log
-- param: since timestamp = 56d | from when
-- column: source text | the log
-- column: weekday integer | 1 Monday to 7 Sunday, UTC
-- column: hour integer | hour of the day, UTC
-- column: weeks integer | weeks in which any completed in this hour
-- column: predictions integer | how many altogether
SELECT
    source,
    CAST(extract(isodow FROM bucket_at AT TIME ZONE 'UTC') AS integer) AS weekday,
    CAST(extract(hour FROM bucket_at AT TIME ZONE 'UTC') AS integer) AS hour,
    count(DISTINCT day) AS weeks,
    CAST(sum(seen) AS bigint) AS predictions
FROM v_tally
WHERE signature = 'prediction_completed'
  AND (:source IS NULL OR source = :source)
  AND last_at >= :since
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
