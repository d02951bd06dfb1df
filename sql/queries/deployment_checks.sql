-- title: The four checks after a deployment
-- question: Since the last deployment: no CUDA graph errors, no reused outputs, Kronos predicting, in 3 to 5 seconds?
-- param: since timestamp = null | from when; null: the last deployment, or all there is
-- param: kronos_min_ms number = 3000 | fastest expected Kronos prediction
-- param: kronos_max_ms number = 5000 | slowest expected Kronos prediction
-- column: number integer | order in the team's list
-- column: check_name text | what is checked
-- column: state text | good, bad, or unknown where the logs say nothing
-- column: count integer | records or values behind the answer
-- column: bad integer | how many of them speak against it
-- column: first_at timestamp | first of the records behind the answer
-- column: last_at timestamp | last of them
-- column: median number | median inference time in ms, for the last check
-- column: since timestamp | from when was counted; null: from the beginning
WITH period AS (
    SELECT coalesce(:since, (SELECT max(deployed_at) FROM deployment)) AS start
),
seen AS (
    SELECT f.signature, f.reason, 1 AS seen, f.happened_at AS first_at, f.happened_at AS last_at
    FROM v_finding f
    CROSS JOIN period
    WHERE period.start IS NULL OR f.happened_at >= period.start
    UNION ALL
    SELECT t.signature, t.subject, t.seen, t.first_at, t.last_at
    FROM v_tally t
    CROSS JOIN period
    WHERE period.start IS NULL OR t.last_at >= period.start
),
times AS (
    SELECT
        m.value, m.happened_at,
        row_number() OVER (ORDER BY m.value) AS n,
        count(*) OVER () AS total
    FROM v_sample m
    CROSS JOIN period
    WHERE m.metric = 'kronos_inference_ms' AND (period.start IS NULL OR m.happened_at >= period.start)
),
readings AS (
    SELECT count(*) AS readable
    FROM v_scan c
    CROSS JOIN period
    WHERE c.problem IS NULL AND (period.start IS NULL OR c.finished_at >= period.start)
),
answers AS (
    SELECT
        1 AS number, 'no CUDA graph errors' AS check_name,
        count(*) AS count, count(*) AS bad, min(first_at) AS first_at, max(last_at) AS last_at,
        CAST(NULL AS double precision) AS median, 0 AS needs_positive
    FROM seen WHERE signature IN ('graph_reuse', 'cudagraph_skipped', 'cuda_error')
    UNION ALL
    SELECT
        2, 'no outputs overwritten by a subsequent run',
        count(*), count(*), min(first_at), max(last_at), NULL, 0
    FROM seen WHERE signature = 'graph_reuse'
    UNION ALL
    SELECT
        3, 'Kronos predictions complete',
        CAST(coalesce(sum(seen), 0) AS bigint),
        CAST(coalesce(sum(CASE WHEN signature = 'prediction_failed' THEN seen ELSE 0 END), 0) AS bigint),
        min(first_at), max(last_at), NULL, 1
    FROM seen
    WHERE signature IN ('prediction_completed', 'prediction_failed')
      -- What names no model counts as Kronos: a check may not pass because a line was worded without it.
      AND coalesce(reason, '') <> 'toto'
    UNION ALL
    SELECT
        4, 'Kronos inference times are normal',
        count(*), coalesce(sum(CASE WHEN value < :kronos_min_ms OR value > :kronos_max_ms THEN 1 ELSE 0 END), 0),
        min(happened_at), max(happened_at), min(CASE WHEN n * 2 >= total THEN value END), 1
    FROM times
)
SELECT
    number, check_name,
    CASE
        -- Single slow predictions are expected (a cold start loads the model): the median decides.
        WHEN number = 4 AND count > 0 THEN
            CASE WHEN median BETWEEN :kronos_min_ms AND :kronos_max_ms THEN 'good' ELSE 'bad' END
        WHEN bad > 0 THEN 'bad'
        WHEN needs_positive = 1 AND count = 0 THEN 'unknown'
        WHEN needs_positive = 0 AND readings.readable = 0 THEN 'unknown'
        ELSE 'good'
    END AS state,
    count, bad, first_at, last_at, median,
    period.start AS since
FROM answers
CROSS JOIN readings
CROSS JOIN period
ORDER BY number
