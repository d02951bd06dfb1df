-- title: Resets of the count
-- question: When did counting begin anew, and what had changed?
-- param: target text = null | only this model
-- param: since timestamp = 365d | from when
-- column: reset_at timestamp | first probe that was counted anew
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: counted_as text | admissible, measured (not on CUDA) or rehearsed
-- column: changed text | which parts of the environment, from what to what
-- column: lost_passed integer | passed before, counted no more
-- column: lost_failed integer | failed before, counted no more
-- column: last_before timestamp | last probe counted before
-- column: previous_fingerprint text | the environment before
-- column: fingerprint text | the environment after
SELECT
    reset_at, target, variant, candidate, counted_as, changed, previous_passed AS lost_passed,
    previous_failed AS lost_failed, previous_last_at AS last_before, previous_fingerprint, fingerprint
FROM v_fingerprint_reset
WHERE (:target IS NULL OR target = :target) AND reset_at >= :since
ORDER BY reset_at DESC, target, variant, candidate, counted_as
