-- Every finding with its source; happened_at is the record's own time where it carries one, else when it was found.
CREATE VIEW v_finding AS
SELECT
    f.id AS finding_id,
    s.name AS source,
    s.host,
    g.path,
    f.line,
    f.signature,
    f.severity,
    f.reason,
    f.subject,
    f.fingerprint,
    coalesce(f.seen_at, f.found_at) AS happened_at,
    date(coalesce(f.seen_at, f.found_at)) AS day,
    f.found_at,
    f.record,
    f.truncated,
    f.scan_id
FROM finding f
JOIN log_generation g ON g.id = f.generation_id
JOIN log_source s ON s.id = g.source_id
