-- title: Figures over time
-- question: Did latency, memory or compile time of a passing variant step up or down, and when?
-- param: target text = null | only this model
-- param: variant text = null | only this variant
-- param: figure text = null | only steady_latency, peak_memory, cold_compile or warm_compile
-- param: label text = null | only this label, e.g. regression
-- param: since timestamp = 90d | from when
-- column: started_at timestamp | when the probe began
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: regime text | saturated or growing window
-- column: device text | cpu or cuda
-- column: fingerprint text | environment; figures are never held against those of another
-- column: figure text | what was measured; less is better
-- column: value number | the figure
-- column: unit text | ms or MiB
-- column: baseline number | median of the probes before it, since the last step
-- column: change number | value against the baseline, 0.1 = 10 % more
-- column: label text | steady, suspicious, regression, improvement, insufficient_data or disturbed
-- column: reference number | the level before a regression that stood then
-- column: reason text | in words
-- column: probe_id text | id of the probe
SELECT
    started_at, target, variant, candidate, regime, device, fingerprint, figure, value, unit, baseline, change,
    label, reference, reason, probe_id
FROM v_figure
WHERE (:target IS NULL OR target = :target)
  AND (:variant IS NULL OR variant = :variant)
  AND (:figure IS NULL OR figure = :figure)
  AND (:label IS NULL OR label = :label)
  AND started_at >= :since
ORDER BY target, variant, candidate, regime, device, figure, started_at, probe_id
