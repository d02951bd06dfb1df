-- One line per day, target, variant, candidate and kind of evidence: how often it passed, how it failed, how fast it was.
CREATE VIEW v_compile_health_daily AS
SELECT
    day,
    target,
    variant,
    candidate,
    kind,
    evidence,
    count(*) AS probes,
    sum(CASE WHEN outcome IN ('worker_error', 'skipped', 'lost') THEN 1 ELSE 0 END) AS probes_without_answer,
    sum(CASE WHEN outcome IN ('worker_error', 'skipped', 'lost') THEN 0 ELSE requested END) AS iterations,
    sum(CASE WHEN outcome IN ('worker_error', 'skipped', 'lost') THEN 0 ELSE passed END) AS passed,
    sum(CASE WHEN outcome = 'graph_reuse' THEN 1 ELSE 0 END) AS graph_reuse,
    sum(CASE WHEN outcome = 'degraded_to_eager' THEN 1 ELSE 0 END) AS degraded_to_eager,
    sum(CASE WHEN outcome IN ('passed', 'graph_reuse', 'degraded_to_eager', 'worker_error', 'skipped', 'lost')
        THEN 0 ELSE 1 END) AS other_failures,
    avg(steady_median_ms) AS steady_median_ms,
    avg(mae_mean) AS mae_mean,
    max(memory_mb) AS memory_mb
FROM v_probe
WHERE outcome IS NOT NULL AND NOT imported
GROUP BY day, target, variant, candidate, kind, evidence
