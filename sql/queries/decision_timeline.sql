-- title: Decisions over time
-- question: When did the answer change between EAGER and COMPILED, how sure was it, and why?
-- param: target text = null | only this model
-- param: since timestamp = 365d | from when
-- param: changes_only boolean = true | leave out decisions that repeat the one before
-- column: decided_at timestamp | when
-- column: target text | the model
-- column: mode text | EAGER or COMPILED
-- column: variant text | which compiled variant
-- column: confidence text | LOW, MODERATE, HIGH or VERY HIGH
-- column: changed boolean | mode, variant or confidence differ from the decision before
-- column: imported boolean | from a results file, not decided here
-- column: sentence text | the decision in words
-- column: reason text | why
-- column: evidence_at timestamp | newest admissible evidence
-- column: decision_id text | id of the decision
SELECT
    decided_at, target, mode, variant, confidence, changed, imported, sentence, reason, evidence_at, decision_id
FROM v_decision_history
WHERE (:target IS NULL OR target = :target)
  AND decided_at >= :since
  AND (changed OR NOT :changes_only)
ORDER BY decided_at DESC, decision_id DESC
