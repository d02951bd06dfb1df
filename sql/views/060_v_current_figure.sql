-- The newest verdict on each figure of each (target, variant, candidate, regime, device), whatever its environment:
-- one of an environment that is gone is no concern any more.
CREATE VIEW v_current_figure AS
SELECT *
FROM (
    SELECT
        v.*,
        row_number() OVER (
            PARTITION BY v.target, v.variant, v.candidate, v.regime, v.device, v.figure
            ORDER BY v.started_at DESC, v.probe_id DESC
        ) AS newest_first
    FROM v_figure v
) ranked
WHERE newest_first = 1
