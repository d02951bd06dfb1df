-- title: Evidence under a decision
-- question: On which rows does the newest (or a given) decision rest, criterion by criterion?
-- param: target text = kronos | the model
-- param: decision_id text = null | a decision; null: the newest of the target
-- column: criterion text | torch_release, kronos_update, compiled_iterations, accuracy; a target's own: recompiles, speed_up, cudagraph_skips
-- column: variant text | the variant it was evaluated for
-- column: state text | met, not_met or unknown
-- column: value text | what was found
-- column: threshold text | what was needed
-- column: explanation text | in words
-- column: table_name text | table of the evidence; null where there is none
-- column: row_id text | its row
-- column: admissible boolean | false for CPU, rehearsed or stale rows
-- column: note text | what the row says
-- column: decision_id text | the decision
SELECT
    e.name AS criterion, e.variant, e.state, e.value, e.threshold, e.explanation,
    r.table_name, r.row_id, r.admissible, r.note,
    d.decision_id
FROM v_decision_history d
JOIN criterion_evaluation e ON e.decision_id = d.decision_id
LEFT JOIN criterion_evidence r ON r.evaluation_id = e.id
WHERE d.target = :target
  AND d.decision_id = coalesce(
      :decision_id, (SELECT c.decision_id FROM v_current_decision c WHERE c.target = :target)
  )
ORDER BY e.id, r.id
