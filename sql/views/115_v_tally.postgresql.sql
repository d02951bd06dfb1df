-- What happens too often to be stored record by record (completed predictions), counted by the minute it happened in.
CREATE VIEW v_tally AS
SELECT
    s.name AS source,
    t.signature,
    t.subject,
    t.bucket_at,
    CAST(t.bucket_at AT TIME ZONE 'UTC' AS date) AS day,
    t.count AS seen,
    t.first_at,
    t.last_at
FROM log_tally t
JOIN log_source s ON s.id = t.source_id
