-- Every decision beside the one before it: changed says whether mode, variant or confidence differ.
CREATE VIEW v_decision_history AS
SELECT
    ordered.*,
    (
        previous_mode IS NULL
        OR previous_mode <> mode
        OR coalesce(previous_variant, '') <> coalesce(variant, '')
        OR previous_confidence <> confidence
    ) AS changed
FROM (
    SELECT
        d.id AS decision_id,
        d.target,
        d.decided_at,
        d.mode,
        d.variant,
        d.confidence,
        d.sentence,
        d.reason,
        d.next_step,
        d.evidence_at,
        d.imported,
        lag(d.mode) OVER earlier AS previous_mode,
        lag(d.variant) OVER earlier AS previous_variant,
        lag(d.confidence) OVER earlier AS previous_confidence
    FROM decision d
    WINDOW earlier AS (PARTITION BY d.target ORDER BY d.decided_at, d.id)
) ordered
