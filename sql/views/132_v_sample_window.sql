-- Numbers of the logs by the hour (UTC), kept for long: percentiles by nearest rank, within 1 % of a value really seen.
CREATE VIEW v_sample_window AS
WITH ranked AS (
    SELECT
        s.name AS source,
        w.metric,
        w.subject,
        w.hour_at,
        w.count AS samples,
        w.total,
        w.minimum,
        w.maximum,
        w.first_at,
        w.last_at,
        -- What stands for a bin may lie a little outside of what was seen.
        CASE
            WHEN b.value < w.minimum THEN w.minimum
            WHEN b.value > w.maximum THEN w.maximum
            ELSE b.value
        END AS value,
        sum(b.count) OVER (PARTITION BY s.name, w.metric, w.subject, w.hour_at ORDER BY b.bin) AS n
    FROM log_window w
    JOIN log_window_bin b ON b.window_id = w.id
    JOIN log_source s ON s.id = w.source_id
)
SELECT
    source,
    metric,
    nullif(subject, '') AS subject,
    hour_at,
    max(samples) AS samples,
    max(total) / max(samples) AS mean,
    min(minimum) AS minimum,
    min(CASE WHEN n * 100 >= samples * 50 THEN value END) AS p50,
    min(CASE WHEN n * 100 >= samples * 95 THEN value END) AS p95,
    min(CASE WHEN n * 100 >= samples * 99 THEN value END) AS p99,
    max(maximum) AS maximum,
    min(first_at) AS first_at,
    max(last_at) AS last_at
FROM ranked
GROUP BY source, metric, subject, hour_at
