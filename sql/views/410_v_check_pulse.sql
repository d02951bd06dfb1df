-- The newest run of each check: the checker's own pulse. finished_at is null while it runs, or when it was killed.
CREATE VIEW v_check_pulse AS
SELECT *
FROM (
    SELECT
        h."check" AS check_name,
        h.subject,
        h.started_at,
        h.finished_at,
        h.verdict,
        h.message,
        row_number() OVER (PARTITION BY h."check", h.subject ORDER BY h.started_at DESC, h.id DESC) AS newest_first
    FROM heartbeat h
) ranked
WHERE newest_first = 1
