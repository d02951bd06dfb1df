-- title: Rehearsal against CUDA
-- question: Where a variant was rehearsed and measured on CUDA, with the same torch and code, did both end alike?
-- param: target text = null | only this model
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: regime text | saturated or growing window
-- column: torch_release text | torch without its build, the same for both
-- column: target_revision text | code of the model, the same for both
-- column: rehearsed text | how the newest rehearsal ended
-- column: measured text | how the newest probe on CUDA ended
-- column: agrees boolean | both kept the lifetime rule, or both broke it
-- column: same_line boolean | where both broke it, whether both name the same line
-- column: rehearsed_at timestamp | when the rehearsal began
-- column: measured_at timestamp | when the probe on CUDA began
-- column: rehearsal_probe_id text | id of the rehearsal
-- column: cuda_probe_id text | id of the probe on CUDA
SELECT
    target, variant, candidate, regime, torch_release, target_revision, rehearsed, measured, agrees, same_line,
    rehearsed_at, measured_at, rehearsal_probe_id, cuda_probe_id
FROM v_rehearsal_agreement
WHERE (:target IS NULL OR target = :target)
ORDER BY target, agrees, variant, candidate, regime, torch_release
