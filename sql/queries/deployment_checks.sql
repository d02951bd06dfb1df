-- title: The four checks after a deployment
-- question: Since the last deployment: no CUDA graph errors, no reused outputs, Kronos predicting, in 3 to 5 seconds?
-- param: since timestamp = null | from when; null: the last deployment, or all there is
-- param: sources text = null | only these logs, separated by commas; null: every log ever scanned
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
logs AS (
    SELECT s.id, s.name
    FROM log_source s
    -- Taking ",name," out of ",one,two," leaves less only where it is one of them: both databases can do that.
    WHERE :sources IS NULL OR replace(',' || :sources || ',', ',' || s.name || ',', '') <> ',' || :sources || ','
),
seen AS (
    SELECT f.signature, f.subject, 1 AS seen, f.happened_at AS first_at, f.happened_at AS last_at
    FROM v_finding f
    JOIN logs ON logs.name = f.source
    CROSS JOIN period
    WHERE period.start IS NULL OR f.happened_at >= period.start
    UNION ALL
    SELECT t.signature, t.subject, t.seen, t.first_at, t.last_at
    FROM v_tally t
    JOIN logs ON logs.name = t.source
    CROSS JOIN period
    WHERE period.start IS NULL OR t.last_at >= period.start
),
times AS (
    SELECT
        m.value, m.weight, m.first_at, m.last_at,
        sum(m.weight) OVER (ORDER BY m.value) AS n,
        sum(m.weight) OVER () AS total
    FROM v_sample_value m
    JOIN logs ON logs.name = m.source
    CROSS JOIN period
    WHERE m.metric = 'kronos_inference_ms' AND (period.start IS NULL OR m.happened_at >= period.start)
),
-- A log says nothing about the time since a deployment before anything new of it was read: a scan of no bytes is none.
readings AS (
    SELECT
        count(*) AS logs,
        coalesce(sum(CASE WHEN EXISTS (
            SELECT 1
            FROM log_scan c
            WHERE c.source_id = logs.id AND c.problem IS NULL AND c.bytes > 0
              AND (period.start IS NULL OR c.finished_at >= period.start)
        ) THEN 1 ELSE 0 END), 0) AS readable
    FROM logs
    CROSS JOIN period
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
      AND coalesce(subject, '') <> 'toto'
    UNION ALL
    SELECT
        4, 'Kronos inference times are normal',
        CAST(coalesce(sum(weight), 0) AS bigint),
        CAST(coalesce(sum(
            CASE WHEN value < :kronos_min_ms OR value > :kronos_max_ms THEN weight ELSE 0 END
        ), 0) AS bigint),
        min(first_at), max(last_at), min(CASE WHEN n * 2 >= total THEN value END), 1
    FROM times
)
SELECT
    number, check_name,
    CASE
        -- A single slow prediction is expected (a cold start loads the model). Bad is a median out of bounds, and,
        -- whatever the median, more than one and more than a quarter of the values out of bounds.
        WHEN number = 4 AND count > 0 THEN
            CASE
                WHEN median < :kronos_min_ms OR median > :kronos_max_ms OR (bad > 1 AND bad * 4 > count) THEN 'bad'
                ELSE 'good'
            END
        WHEN bad > 0 THEN 'bad'
        WHEN needs_positive = 1 AND count = 0 THEN 'unknown'
        WHEN needs_positive = 0 AND (readings.logs = 0 OR readings.readable < readings.logs) THEN 'unknown'
        ELSE 'good'
    END AS state,
    count, bad, first_at, last_at, median,
    period.start AS since
FROM answers
CROSS JOIN readings
CROSS JOIN period
ORDER BY number
