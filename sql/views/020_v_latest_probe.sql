-- The newest finished probe of each (target, variant, candidate, evidence, regime): one on CUDA is not hidden by a
-- later one on CPU. The imported baseline is not one of them.
CREATE VIEW v_latest_probe AS
SELECT *
FROM (
    SELECT
        v.*,
        row_number() OVER (
            PARTITION BY v.target, v.variant, v.candidate, v.evidence, v.regime
            ORDER BY v.started_at DESC, v.probe_id DESC
        ) AS newest_first
    FROM v_probe v
    WHERE v.outcome IS NOT NULL AND NOT v.imported
) ranked
WHERE newest_first = 1
