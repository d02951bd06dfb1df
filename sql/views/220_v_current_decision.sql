-- The newest decision of each target.
CREATE VIEW v_current_decision AS
SELECT *
FROM (
    SELECT
        h.*,
        row_number() OVER (PARTITION BY h.target ORDER BY h.decided_at DESC, h.decision_id DESC) AS newest_first
    FROM v_decision_history h
) ranked
WHERE newest_first = 1
