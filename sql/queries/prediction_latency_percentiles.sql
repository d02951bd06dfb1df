-- title: Percentiles of numbers in the logs
-- question: How long do predictions take in production, and how far do the numbers of its log reach?
-- param: metric text = null | such as kronos_inference_ms; null: every metric
-- param: source text = null | only this log
-- param: since timestamp = 7d | by the time of the record; older than retention.samples_days: by the hour
-- column: metric text | what was read
-- column: subject text | symbol or model it belongs to
-- column: source text | the log
-- column: samples integer | how many values
-- column: minimum number | smallest
-- column: p50 number | median by nearest rank: exact where the lines are kept, else within 1 %
-- column: p95 number | 95th percentile
-- column: p99 number | 99th percentile
-- column: maximum number | largest
-- column: last_at timestamp | last value
WITH ranked AS (
    SELECT
        metric, subject, source, value, low, high, last_at,
        sum(weight) OVER (PARTITION BY metric, subject, source ORDER BY value) AS n,
        sum(weight) OVER (PARTITION BY metric, subject, source) AS total
    FROM v_sample_value
    WHERE (:metric IS NULL OR metric = :metric)
      AND (:source IS NULL OR source = :source)
      AND happened_at >= :since
)
SELECT
    metric, subject, source,
    CAST(max(total) AS bigint) AS samples,
    min(low) AS minimum,
    min(CASE WHEN n * 100 >= total * 50 THEN value END) AS p50,
    min(CASE WHEN n * 100 >= total * 95 THEN value END) AS p95,
    min(CASE WHEN n * 100 >= total * 99 THEN value END) AS p99,
    max(high) AS maximum,
    max(last_at) AS last_at
FROM ranked
GROUP BY metric, subject, source
ORDER BY metric, subject, source
