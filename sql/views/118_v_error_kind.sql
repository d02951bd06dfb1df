-- Errors that no signature knows, one row per kind: how often each was seen, and the first one's record.
CREATE VIEW v_error_kind AS
SELECT
    s.name AS source,
    e.fingerprint,
    e.raised,
    e.message,
    e.count AS seen,
    e.first_at,
    e.last_at,
    e.found_at,
    e.line,
    e.record,
    e.id AS error_kind_id
FROM log_error_kind e
JOIN log_source s ON s.id = e.source_id
