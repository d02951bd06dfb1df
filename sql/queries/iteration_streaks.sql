-- title: Iterations in a row
-- question: How many fresh processes in a row has each variant passed in its present environment?
-- param: target text = null | only this model
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: evidence text | cuda (admissible), cpu or rehearsal
-- column: regime text | saturated or growing window
-- column: torch text | torch version
-- column: iterations integer | all that say something about the variant
-- column: passed integer | how many of them passed
-- column: streak integer | passed since the last that did not
-- column: last_failure_at timestamp | when that was
-- column: first_at timestamp | first iteration in this environment
-- column: last_at timestamp | last one
SELECT
    target, variant, candidate, evidence, regime, torch, iterations, passed, streak, last_failure_at, first_at, last_at
FROM v_probe_iteration_streak
WHERE (:target IS NULL OR target = :target)
ORDER BY target, variant, candidate, evidence, regime, last_at DESC
