-- title: Figures now
-- question: What does the newest probe of each variant say of its latency, memory and compile time?
-- param: target text = null | only this model
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: regime text | saturated or growing window
-- column: device text | cpu or cuda
-- column: figure text | what was measured; less is better
-- column: value number | the figure
-- column: unit text | ms or MiB
-- column: baseline number | median of the probes before it, since the last step
-- column: change number | value against the baseline, 0.1 = 10 % more
-- column: label text | steady, suspicious, regression, improvement, insufficient_data or disturbed
-- column: reason text | in words
-- column: sample integer | probes behind the baseline
-- column: reference number | the level before a regression that still stands; null when none does
-- column: regressed_by number | value against that level
-- column: started_at timestamp | when the probe began
-- column: probe_id text | id of the probe
SELECT
    target, variant, candidate, regime, device, figure, value, unit, baseline, change, label, reason, sample,
    reference, regressed_by, started_at, probe_id
FROM v_current_figure
WHERE (:target IS NULL OR target = :target)
ORDER BY target, device DESC, variant, candidate, regime, figure
