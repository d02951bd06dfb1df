-- title: Standing of each variant at a decision
-- question: How often has each variant passed since its environment last changed, and how sure is that?
-- param: decision_id text | the decision; see current_decisions
-- column: variant text | the variant
-- column: candidate text | production, or the environment tried instead
-- column: fingerprint text | environment it was counted in
-- column: passed integer | iterations that passed
-- column: failed integer | iterations that did not
-- column: days integer | on how many days
-- column: broken boolean | a CUDA graph failure was seen: broken at once, whatever the counts
-- column: confidence text | LOW, MODERATE, HIGH or VERY HIGH
-- column: lower_bound number | success rate is at least this, one-sided 95 %
-- column: e_value_half number | e-value against a true rate of 0.5
-- column: e_value_four_fifths number | against 0.8
-- column: e_value_nine_tenths number | against 0.9
-- column: last_outcome text | how the last iteration ended
-- column: admissible boolean | false for CPU, rehearsed or stale evidence
-- column: since timestamp | first probe counted
-- column: newest_at timestamp | last probe counted
-- column: reset text | what changed when counting began anew
SELECT
    variant, candidate, fingerprint, passed, failed, days, broken, confidence, lower_bound,
    e_value_half, e_value_four_fifths, e_value_nine_tenths, last_outcome, admissible, since, newest_at, reset
FROM variant_standing
WHERE decision_id = :decision_id
ORDER BY admissible DESC, candidate, variant
