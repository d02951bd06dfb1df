-- title: Probe history
-- question: What did every probe find, newest first, and what is it worth as evidence?
-- param: target text = null | only this model; null: every model
-- param: variant text = null | only this variant
-- param: since timestamp = 30d | from when
-- param: limit integer = 200 | at most so many
-- column: started_at timestamp | when the probe began
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: evidence text | cuda (admissible), cpu, rehearsal, baseline or none
-- column: regime text | saturated or growing window
-- column: outcome text | how it ended; null while it runs
-- column: passed integer | iterations that passed
-- column: requested integer | iterations asked for
-- column: steady_median_ms number | steady latency of one prediction
-- column: mae_mean number | mean absolute error on the evaluation series
-- column: memory_mb number | peak memory
-- column: torch text | torch it ran on
-- column: gpu text | GPU it ran on
-- column: message text | why it did not pass, or was skipped
-- column: probe_id text | id of the probe
SELECT
    started_at, target, variant, candidate, evidence, regime, outcome, passed, requested,
    steady_median_ms, mae_mean, memory_mb, torch, gpu,
    coalesce(skipped_reason, message) AS message,
    probe_id
FROM v_probe
WHERE (:target IS NULL OR target = :target)
  AND (:variant IS NULL OR variant = :variant)
  AND started_at >= :since
ORDER BY started_at DESC, probe_id DESC
LIMIT :limit
