-- Percentiles per day of every number read from the logs, by nearest rank: p95 is a value that was really seen.
CREATE VIEW v_sample_daily AS
WITH ranked AS (
    SELECT
        day,
        source,
        metric,
        subject,
        value,
        row_number() OVER (PARTITION BY day, source, metric, subject ORDER BY value) AS n,
        count(*) OVER (PARTITION BY day, source, metric, subject) AS samples
    FROM v_sample
)
SELECT
    day,
    source,
    metric,
    subject,
    max(samples) AS samples,
    min(value) AS minimum,
    min(CASE WHEN n * 100 >= samples * 50 THEN value END) AS p50,
    min(CASE WHEN n * 100 >= samples * 95 THEN value END) AS p95,
    max(value) AS maximum
FROM ranked
GROUP BY day, source, metric, subject
