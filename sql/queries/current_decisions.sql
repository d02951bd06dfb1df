-- title: What is decided now
-- question: EAGER or COMPILED for each model, how sure, why, and what to do next?
-- param: target text = null | only this model
-- column: target text | the model
-- column: decision_id text | id of the decision
-- column: decided_at timestamp | when
-- column: mode text | EAGER or COMPILED
-- column: variant text | which compiled variant
-- column: confidence text | LOW, MODERATE, HIGH or VERY HIGH
-- column: sentence text | the decision in words
-- column: reason text | why
-- column: next_step text | what to do
-- column: evidence_at timestamp | newest admissible evidence; null where there is none
-- column: imported boolean | from a results file, not decided here
SELECT target, decision_id, decided_at, mode, variant, confidence, sentence, reason, next_step, evidence_at, imported
FROM v_current_decision
WHERE (:target IS NULL OR target = :target)
ORDER BY target
