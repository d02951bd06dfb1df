-- title: Iterations of one probe
-- question: What did each fresh process of a probe do, and where did it fail?
-- param: probe_id text | the probe; see probe_history
-- column: number integer | from 0
-- column: outcome text | how it ended
-- column: warmups integer | calls made before the predictions
-- column: exit_status integer | of the process
-- column: signal text | that killed it
-- column: cache_state text | compile cache: cold, warm, mixed or none
-- column: load_ms number | loading the model
-- column: first_call_ms number | first call, compilation included
-- column: steady_median_ms number | predictions after the first
-- column: mae number | mean absolute error
-- column: memory_mb number | device peak where there is one, else resident peak
-- column: frames_total integer | frames torch tried to compile
-- column: frames_ok integer | frames it compiled
-- column: recompiles integer | recompilations
-- column: recompile_limit_hits integer | times it gave up and ran eager
-- column: graph_breaks integer | graph breaks
-- column: cudagraph_skips integer | CUDA graphs skipped
-- column: cudagraph_replays integer | CUDA graphs replayed; null where this torch cannot tell
-- column: error_class text | exception or signal
-- column: message text | what it said
-- column: stack text | the failing frames
-- column: iteration_id text | id of the iteration
SELECT
    i."index" AS number, i.outcome, i.warmups, i.exit_status, i.signal, i.cache_state, i.load_ms, i.first_call_ms,
    i.steady_median_ms, i.mae,
    coalesce(i.device_allocated_mb, i.rss_peak_mb) AS memory_mb,
    i.frames_total, i.frames_ok, i.recompiles, i.recompile_limit_hits, i.graph_breaks, i.cudagraph_skips,
    i.cudagraph_replays, i.error_class, i.message, i.stack,
    i.id AS iteration_id
FROM iteration i
WHERE i.probe_id = :probe_id
ORDER BY i."index"
