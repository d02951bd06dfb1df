-- title: Percentiles of numbers in the logs
-- question: How long do predictions take in production, and how far do the numbers of its log reach?
-- param: metric text = null | such as kronos_inference_ms; null: every metric
-- param: source text = null | only this log
-- param: since timestamp = 7d | by the time of the record
-- column: metric text | what was read
-- column: subject text | symbol or model it belongs to
-- column: source text | the log
-- column: samples integer | how many values
-- column: minimum number | smallest
-- column: p50 number | median, by nearest rank
-- column: p95 number | 95th percentile
-- column: p99 number | 99th percentile
-- column: maximum number | largest
-- column: last_at timestamp | last value
WITH ranked AS (
    SELECT
        metric, subject, source, value, happened_at,
        row_number() OVER (PARTITION BY metric, subject, source ORDER BY value) AS n,
        count(*) OVER (PARTITION BY metric, subject, source) AS total
    FROM v_sample
    WHERE (:metric IS NULL OR metric = :metric)
      AND (:source IS NULL OR source = :source)
      AND happened_at >= :since
)
SELECT
    metric, subject, source,
    max(total) AS samples,
    min(value) AS minimum,
    min(CASE WHEN n * 100 >= total * 50 THEN value END) AS p50,
    min(CASE WHEN n * 100 >= total * 95 THEN value END) AS p95,
    min(CASE WHEN n * 100 >= total * 99 THEN value END) AS p99,
    max(value) AS maximum,
    max(happened_at) AS last_at
FROM ranked
GROUP BY metric, subject, source
ORDER BY metric, subject, source
