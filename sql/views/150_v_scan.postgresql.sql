-- Every reading of every log: how much, how fast, and what was left for the next one.
CREATE VIEW v_scan AS
SELECT
    c.id AS scan_id,
    s.name AS source,
    c.started_at,
    c.finished_at,
    CAST(c.started_at AT TIME ZONE 'UTC' AS date) AS day,
    CAST(EXTRACT(EPOCH FROM c.finished_at - c.started_at) AS double precision) AS seconds,
    c.bytes,
    c.lines,
    c.records,
    c.findings,
    c.samples,
    c.undecodable,
    c.truncated,
    c.lag_bytes,
    c.first_run,
    c.problem
FROM log_scan c
JOIN log_source s ON s.id = c.source_id
