-- Every number read from a log line, with its source and day (UTC).
CREATE VIEW v_sample AS
SELECT
    m.id AS sample_id,
    s.name AS source,
    m.metric,
    m.subject,
    m.value,
    coalesce(m.seen_at, m.found_at) AS happened_at,
    CAST(coalesce(m.seen_at, m.found_at) AT TIME ZONE 'UTC' AS date) AS day,
    m.found_at,
    m.scan_id
FROM log_sample m
JOIN log_generation g ON g.id = m.generation_id
JOIN log_source s ON s.id = g.source_id
