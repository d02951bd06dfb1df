-- Every probe with where it ran, its day (UTC), how long it took, and what it is worth as evidence.
-- evidence: baseline (imported from a results file), rehearsal (emulated, never evidence), cuda (measured where CUDA
-- graphs exist; the only admissible kind), cpu (measured, but not there), none (no child said where it ran).
CREATE VIEW v_probe AS
SELECT
    p.id AS probe_id,
    p.campaign_id,
    p.target,
    p.variant,
    p.candidate,
    p.kind,
    p.regime,
    p.imported,
    CASE
        WHEN p.imported THEN 'baseline'
        WHEN p.kind = 'rehearsed' THEN 'rehearsal'
        WHEN e.device IS NULL THEN 'none'
        WHEN e.device = 'cuda' OR substr(e.device, 1, 5) = 'cuda:' THEN 'cuda'
        ELSE 'cpu'
    END AS evidence,
    CAST(p.started_at AT TIME ZONE 'UTC' AS date) AS day,
    p.started_at,
    p.finished_at,
    CAST(EXTRACT(EPOCH FROM p.finished_at - p.started_at) AS double precision) AS seconds,
    p.outcome,
    p.skipped_reason,
    p.error_class,
    p.message,
    p.frame_file,
    p.frame_line,
    p.frame_function,
    p.frame_code,
    p.requested,
    p.passed,
    p.passes_with_warmups,
    p.fails_with_warmups,
    p.mae_mean,
    p.mae_std,
    p.latency_mean_ms,
    p.latency_std_ms,
    p.first_call_median_ms,
    p.steady_median_ms,
    p.steady_iqr_ms,
    p.steady_p95_ms,
    p.memory_mb,
    p.noise,
    e.fingerprint,
    e.device,
    e.gpu,
    e.torch,
    split_part(e.torch, '+', 1) AS torch_release,
    e.cuda,
    e.host,
    e.target_revision,
    e.weights_revision,
    e.model_shape,
    e.dtype,
    c.origin,
    c.airflow_dag_id,
    c.airflow_run_id
FROM probe p
JOIN campaign c ON c.id = p.campaign_id
LEFT JOIN environment e ON e.id = p.environment_id
