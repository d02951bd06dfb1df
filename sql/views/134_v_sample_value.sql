-- Numbers of the logs for percentiles of any range: `value` was seen `weight` times. Of hours whose lines are all still
-- kept, each value for itself and exact; of older ones the bins of their sketch, each within 1 % of what it stands for.
CREATE VIEW v_sample_value AS
SELECT
    s.name AS source,
    m.metric,
    m.subject,
    m.value,
    1 AS weight,
    m.value AS low,
    m.value AS high,
    coalesce(m.seen_at, m.found_at) AS happened_at,
    coalesce(m.seen_at, m.found_at) AS first_at,
    coalesce(m.seen_at, m.found_at) AS last_at,
    date(coalesce(m.seen_at, m.found_at)) AS day
FROM log_window w
JOIN log_sample m ON m.window_id = w.id
JOIN log_source s ON s.id = w.source_id
WHERE (SELECT count(*) FROM log_sample k WHERE k.window_id = w.id) = w.count
UNION ALL
SELECT
    s.name,
    w.metric,
    nullif(w.subject, ''),
    CASE
        WHEN b.value < w.minimum THEN w.minimum
        WHEN b.value > w.maximum THEN w.maximum
        ELSE b.value
    END,
    b.count,
    w.minimum,
    w.maximum,
    w.hour_at,
    w.first_at,
    w.last_at,
    date(w.hour_at)
FROM log_window w
JOIN log_window_bin b ON b.window_id = w.id
JOIN log_source s ON s.id = w.source_id
WHERE (SELECT count(*) FROM log_sample k WHERE k.window_id = w.id) <> w.count
