-- Every probe with what its iterations come to, and what it is counted as: the only place where iterations are counted
-- for confidence. An iteration that says nothing about the model (worker_error, skipped, lost) is in no count, and one
-- that was running when its checker was killed is in no row at all (see interruption).
-- counted_as: admissible (measured on CUDA, or an imported CUDA graph failure), measured (elsewhere: shown, never
-- evidence), rehearsed (never evidence), null (running, or it says nothing about the model). The same rule as
-- kronos_health/revisit/arms.py; tests/history/test_confidence.py holds the two together.
CREATE VIEW v_probe_count AS
WITH iterations AS (
    SELECT
        probe_id,
        sum(CASE WHEN outcome IN ('passed', 'worker_error', 'skipped', 'lost') THEN 0 ELSE 1 END) AS failed,
        sum(CASE WHEN outcome IN ('graph_reuse', 'silent_overwrite') THEN 1 ELSE 0 END) AS graph_failures,
        max(CASE WHEN outcome = 'passed' AND cache_state = 'cold' THEN 1 ELSE 0 END) AS cold,
        max(CASE WHEN outcome = 'passed' AND cache_state = 'warm' THEN 1 ELSE 0 END) AS warm
    FROM iteration
    GROUP BY probe_id
),
counted AS (
    SELECT
        p.probe_id, p.target, p.variant, p.candidate, p.kind, p.regime, p.imported, p.day, p.started_at, p.outcome,
        p.device, p.fingerprint, p.passed,
        -- Imported summaries have no iterations: what did not pass failed the way the whole did.
        CASE
            WHEN i.probe_id IS NOT NULL THEN i.failed
            WHEN p.outcome IN ('worker_error', 'skipped', 'lost') OR p.outcome IS NULL THEN 0
            ELSE p.requested - p.passed
        END AS failed,
        CASE
            WHEN i.probe_id IS NOT NULL THEN i.graph_failures
            WHEN p.outcome IN ('graph_reuse', 'silent_overwrite') THEN p.requested - p.passed
            ELSE 0
        END AS graph_failures,
        coalesce(i.cold, 0) AS cold,
        coalesce(i.warm, 0) AS warm
    FROM v_probe p
    LEFT JOIN iterations i ON i.probe_id = p.probe_id
)
SELECT
    counted.*,
    CASE
        WHEN outcome IS NULL THEN NULL
        WHEN kind = 'rehearsed' AND outcome IN ('worker_error', 'skipped', 'lost') THEN NULL
        WHEN kind = 'rehearsed' THEN 'rehearsed'
        WHEN outcome IN ('worker_error', 'skipped', 'lost') AND graph_failures = 0 THEN NULL
        WHEN imported AND variant <> 'eager' AND outcome = 'passed' THEN 'measured'
        WHEN device = 'cuda' OR (imported AND graph_failures > 0) THEN 'admissible'
        WHEN outcome IN ('worker_error', 'skipped', 'lost') THEN NULL
        ELSE 'measured'
    END AS counted_as
FROM counted
