-- Whether a rehearsal said what CUDA did, for each (target, variant, candidate, regime, torch release, revision of the
-- target) that has both: the newest of each that ended with a verdict on the lifetime rule. A run that ended otherwise
-- (out of memory, time, accuracy, eager fallback) says nothing about the rule, and is not compared.
-- same_line: where both broke, whether both name the same line.
CREATE VIEW v_rehearsal_agreement AS
WITH verdict AS (
    SELECT
        v.*,
        coalesce(v.target_revision, '') AS revision,
        CASE WHEN v.outcome IN ('graph_reuse', 'silent_overwrite') THEN 1 ELSE 0 END AS broke,
        row_number() OVER (
            PARTITION BY v.target, v.variant, v.candidate, v.regime, v.torch_release, v.target_revision, v.evidence
            ORDER BY v.started_at DESC, v.probe_id DESC
        ) AS newest_first
    FROM v_probe v
    WHERE v.evidence IN ('cuda', 'rehearsal') AND v.outcome IN ('passed', 'graph_reuse', 'silent_overwrite')
)
SELECT
    r.target,
    r.variant,
    r.candidate,
    r.regime,
    r.torch_release,
    r.target_revision,
    r.outcome AS rehearsed,
    c.outcome AS measured,
    r.broke = c.broke AS agrees,
    CASE WHEN r.broke = 1 AND c.broke = 1 THEN coalesce(r.frame_code, '') = coalesce(c.frame_code, '') END AS same_line,
    r.started_at AS rehearsed_at,
    c.started_at AS measured_at,
    r.probe_id AS rehearsal_probe_id,
    c.probe_id AS cuda_probe_id
FROM verdict r
JOIN verdict c
    ON c.target = r.target AND c.variant = r.variant AND c.candidate = r.candidate AND c.regime = r.regime
    AND c.torch_release = r.torch_release AND c.revision = r.revision
WHERE r.evidence = 'rehearsal' AND r.newest_first = 1 AND c.evidence = 'cuda' AND c.newest_first = 1
