-- title: Predictions of one probe
-- question: How long did every single prediction of a probe take, and how far off was it?
-- param: probe_id text | the probe; see probe_history
-- column: iteration integer | fresh process, from 0
-- column: number integer | prediction within it, from 0
-- column: seed integer | the same for every variant
-- column: latency_ms number | how long it took
-- column: value number | the forecast close
-- column: absolute_error number | its distance from the truth
-- column: naive_error number | of the last-value forecast
-- column: error text | why there is none
SELECT
    i."index" AS iteration, p."index" AS number, p.seed, p.latency_ms, p.value, p.absolute_error, p.naive_error, p.error
FROM prediction p
JOIN iteration i ON i.id = p.iteration_id
WHERE i.probe_id = :probe_id
ORDER BY i."index", p."index"
