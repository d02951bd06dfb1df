-- Percentiles per day (UTC) of every number read from the logs, merged from its hours; see v_sample_value for how exact.
CREATE VIEW v_sample_daily AS
WITH ranked AS (
    SELECT
        day,
        source,
        metric,
        subject,
        value,
        low,
        high,
        sum(weight) OVER (PARTITION BY day, source, metric, subject ORDER BY value) AS n,
        sum(weight) OVER (PARTITION BY day, source, metric, subject) AS samples
    FROM v_sample_value
)
SELECT
    day,
    source,
    metric,
    subject,
    CAST(max(samples) AS bigint) AS samples,
    min(low) AS minimum,
    min(CASE WHEN n * 100 >= samples * 50 THEN value END) AS p50,
    min(CASE WHEN n * 100 >= samples * 95 THEN value END) AS p95,
    min(CASE WHEN n * 100 >= samples * 99 THEN value END) AS p99,
    max(high) AS maximum
FROM ranked
GROUP BY day, source, metric, subject
