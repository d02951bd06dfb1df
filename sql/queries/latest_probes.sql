-- title: Newest probe of each variant
-- question: What did the last probe of each variant, measured and rehearsed, find?
-- param: target text = null | only this model
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: kind text | measured or rehearsed
-- column: evidence text | cuda (admissible), cpu, rehearsal, baseline or none
-- column: regime text | saturated or growing window
-- column: started_at timestamp | when it began
-- column: outcome text | how it ended
-- column: skipped_reason text | why it was skipped
-- column: error_class text | exception or signal
-- column: message text | what it said
-- column: frame_file text | first failing frame outside torch: file
-- column: frame_line integer | line
-- column: frame_function text | function
-- column: frame_code text | the line of code
-- column: passed integer | iterations that passed
-- column: requested integer | iterations asked for
-- column: passes_with_warmups integer | warm-up calls from which on it passed; null unless that depends on them
-- column: fails_with_warmups integer | most warm-up calls with which it failed
-- column: mae_mean number | mean absolute error
-- column: mae_std number | its population standard deviation
-- column: latency_mean_ms number | mean over all predictions, first ones included
-- column: latency_std_ms number | its population standard deviation
-- column: first_call_median_ms number | first call, compilation included
-- column: steady_median_ms number | steady latency
-- column: steady_p95_ms number | its 95th percentile
-- column: memory_mb number | peak memory
-- column: noise text | why the figures may be disturbed
-- column: device text | cpu or cuda
-- column: gpu text | GPU
-- column: torch text | torch version
-- column: model_shape text | mini, base …
-- column: probe_id text | id of the probe
SELECT
    target, variant, candidate, kind, evidence, regime, started_at, outcome, skipped_reason,
    error_class, message, frame_file, frame_line, frame_function, frame_code, passed, requested,
    passes_with_warmups, fails_with_warmups,
    mae_mean, mae_std, latency_mean_ms, latency_std_ms, first_call_median_ms, steady_median_ms, steady_p95_ms,
    memory_mb, noise, device, gpu, torch, model_shape, probe_id
FROM v_latest_probe
WHERE (:target IS NULL OR target = :target)
ORDER BY target, kind, variant, candidate, regime
