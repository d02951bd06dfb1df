-- title: Skipped and disturbed probes
-- question: Which probes did not run, or were disturbed while they ran, and why?
-- param: target text = null | only this model
-- param: since timestamp = 30d | from when
-- column: started_at timestamp | when the probe began, or would have
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: kind text | measured or rehearsed
-- column: outcome text | skipped, or how it ended in spite of it
-- column: passed integer | iterations that passed
-- column: requested integer | iterations asked for
-- column: skipped_reason text | why it did not run, or was stopped
-- column: noise text | what disturbed its figures, one reason a line
-- column: probe_id text | id of the probe
SELECT
    started_at, target, variant, candidate, kind, outcome, passed, requested, skipped_reason, noise, probe_id
FROM v_probe
WHERE (outcome = 'skipped' OR noise IS NOT NULL)
  AND (:target IS NULL OR target = :target)
  AND started_at >= :since
ORDER BY started_at DESC, probe_id DESC
