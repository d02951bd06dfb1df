-- How far each log has been read: last reading, what it left unread, what vanished unread, why it cannot be read.
CREATE VIEW v_source_lag AS
SELECT
    s.name AS source,
    s.path,
    s.host,
    s.first_scanned_at,
    s.last_scanned_at,
    s.problem,
    s.problem_since,
    coalesce(l.lag_bytes, 0) AS lag_bytes,
    coalesce(l.bytes, 0) AS last_bytes,
    (SELECT count(*) FROM log_scan c WHERE c.source_id = s.id) AS scans,
    (
        SELECT count(*)
        FROM gap
        JOIN log_generation g ON g.id = gap.generation_id
        WHERE g.source_id = s.id
    ) AS gaps
FROM log_source s
LEFT JOIN log_scan l ON l.id = (
    SELECT c.id FROM log_scan c WHERE c.source_id = s.id ORDER BY c.started_at DESC, c.id DESC LIMIT 1
)
