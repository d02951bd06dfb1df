-- title: Steady latency by day
-- question: Is any variant getting slower? Figures are comparable only within one fingerprint.
-- param: target text = null | only this model
-- param: variant text = null | only this variant
-- param: since date = 30d | from which day
-- column: day date | day, UTC
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: evidence text | cuda (admissible), cpu or rehearsal
-- column: fingerprint text | environment; a new one starts a new series
-- column: probes integer | probes behind the figures
-- column: steady_median_ms number | mean of the probes' steady medians
-- column: steady_p95_ms number | worst of the probes' 95th percentiles
-- column: first_call_median_ms number | mean of the first calls, compilation included
-- column: memory_mb number | highest peak memory
-- column: previous_median_ms number | the day before it in the same series
-- column: change number | steady median against that day, 0.1 = 10 % slower
SELECT
    daily.*,
    CASE WHEN previous_median_ms > 0 THEN steady_median_ms / previous_median_ms - 1 END AS change
FROM (
    SELECT
        day, target, variant, candidate, evidence, fingerprint,
        count(*) AS probes,
        avg(steady_median_ms) AS steady_median_ms,
        max(steady_p95_ms) AS steady_p95_ms,
        avg(first_call_median_ms) AS first_call_median_ms,
        max(memory_mb) AS memory_mb,
        lag(avg(steady_median_ms)) OVER (
            PARTITION BY target, variant, candidate, evidence, fingerprint ORDER BY day
        ) AS previous_median_ms
    FROM v_probe
    WHERE steady_median_ms IS NOT NULL AND NOT imported
      AND (:target IS NULL OR target = :target)
      AND (:variant IS NULL OR variant = :variant)
    GROUP BY day, target, variant, candidate, evidence, fingerprint
) daily
WHERE day >= :since
ORDER BY target, variant, candidate, evidence, day
