-- How many fresh processes in a row have passed since the last one that did not, per variant and environment.
-- Iterations that say nothing about the model (worker_error, skipped, lost) neither lengthen nor end a streak.
-- A change of the fingerprint (torch, GPU, driver, weights …) starts a new row, never continues an old one.
CREATE VIEW v_probe_iteration_streak AS
WITH numbered AS (
    SELECT
        p.target,
        p.variant,
        p.candidate,
        p.kind,
        p.regime,
        p.evidence,
        p.fingerprint,
        p.torch,
        i.outcome,
        i.started_at,
        row_number() OVER (
            PARTITION BY p.target, p.variant, p.candidate, p.kind, p.regime, p.fingerprint
            ORDER BY p.started_at, p.probe_id, i."index"
        ) AS n
    FROM iteration i
    JOIN v_probe p ON p.probe_id = i.probe_id
    WHERE NOT p.imported
      AND p.fingerprint IS NOT NULL
      AND i.outcome NOT IN ('worker_error', 'skipped', 'lost')
),
judged AS (
    SELECT
        numbered.*,
        coalesce(
            max(CASE WHEN outcome <> 'passed' THEN n END)
                OVER (PARTITION BY target, variant, candidate, kind, regime, fingerprint),
            0
        ) AS last_failure
    FROM numbered
)
SELECT
    target,
    variant,
    candidate,
    kind,
    regime,
    evidence,
    fingerprint,
    torch,
    count(*) AS iterations,
    sum(CASE WHEN outcome = 'passed' THEN 1 ELSE 0 END) AS passed,
    sum(CASE WHEN n > last_failure THEN 1 ELSE 0 END) AS streak,
    max(CASE WHEN outcome <> 'passed' THEN started_at END) AS last_failure_at,
    min(started_at) AS first_at,
    max(started_at) AS last_at
FROM judged
GROUP BY target, variant, candidate, kind, regime, evidence, fingerprint, torch
