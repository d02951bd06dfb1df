-- title: Confidence by fingerprint
-- question: How many fresh processes has each variant passed and failed on each environment, over how many days?
-- param: target text = null | only this model
-- param: variant text = null | only this way to run it
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: counted_as text | admissible, measured (not on CUDA) or rehearsed; only admissible is evidence
-- column: torch text | torch version
-- column: gpu text | GPU
-- column: passed integer | fresh processes that passed
-- column: failed integer | that did not
-- column: graph_failures integer | of those, by a CUDA graph: one is enough to be broken
-- column: days integer | on how many days (UTC)
-- column: saturated boolean | passed in production's full window
-- column: growing boolean | passed in the growing window
-- column: cold boolean | passed with a cold compile cache
-- column: warm boolean | passed with a warm compile cache
-- column: first_at timestamp | first probe counted
-- column: last_at timestamp | last one
-- column: current_stretch boolean | false: counted before the fingerprint changed
-- column: confidence text | in words, by the newest decision; null for what it does not count
-- column: reset text | what changed when counting began anew
-- column: fingerprint text | the environment
SELECT
    v.target, v.variant, v.candidate, v.counted_as, e.torch, e.gpu, v.passed, v.failed, v.graph_failures, v.days,
    v.saturated, v.growing, v.cold, v.warm, v.first_at, v.last_at, v.current_stretch,
    CASE WHEN v.stands = 1 THEN s.confidence END AS confidence, r.changed AS reset, v.fingerprint
FROM v_confidence v
LEFT JOIN environment e ON e.fingerprint = v.fingerprint
LEFT JOIN v_fingerprint_reset r
    ON r.target = v.target AND r.variant = v.variant AND r.candidate = v.candidate AND r.counted_as = v.counted_as
    AND r.reset_at = v.first_at
LEFT JOIN v_current_decision d ON d.target = v.target AND NOT d.imported
LEFT JOIN variant_standing s ON s.decision_id = d.decision_id AND s.variant = v.variant AND s.candidate = v.candidate
WHERE (:target IS NULL OR v.target = :target) AND (:variant IS NULL OR v.variant = :variant)
ORDER BY v.target, v.counted_as, v.candidate, v.variant, v.stretch DESC
