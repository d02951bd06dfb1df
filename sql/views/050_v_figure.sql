-- Every figure of a passing probe that was held against those before it, with what was said of it.
CREATE VIEW v_figure AS
SELECT
    p.target,
    p.variant,
    p.candidate,
    p.regime,
    p.evidence,
    p.device,
    p.gpu,
    p.torch,
    p.fingerprint,
    p.started_at,
    p.day,
    w.figure,
    w.value,
    CASE WHEN w.figure = 'peak_memory' THEN 'MiB' ELSE 'ms' END AS unit,
    w.baseline,
    w.lower,
    w.upper,
    CASE WHEN w.baseline > 0 THEN w.value / w.baseline - 1 END AS change,
    w.label,
    w.reason,
    w.sample,
    w.reference,
    CASE WHEN w.reference > 0 THEN w.value / w.reference - 1 END AS regressed_by,
    p.noise,
    p.probe_id,
    p.campaign_id,
    w.judged_at
FROM figure_watch w
JOIN v_probe p ON p.probe_id = w.probe_id
