-- title: Success of each variant by day
-- question: On which days did which variant pass, and how did it fail on the others?
-- param: target text = null | only this model
-- param: since date = 30d | from which day
-- column: day date | day, UTC
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: evidence text | cuda (admissible), cpu, rehearsal or none
-- column: probes integer | probes of that day
-- column: probes_without_answer integer | probes that were skipped, lost or failed by themselves
-- column: iterations integer | iterations that say something about the variant
-- column: passed integer | how many of them passed
-- column: success_rate number | passed / iterations, 0 to 1
-- column: graph_reuse integer | probes that ended in reused CUDA graph outputs
-- column: degraded_to_eager integer | probes that silently fell back to eager
-- column: other_failures integer | probes that failed otherwise
SELECT
    day, target, variant, candidate, evidence, probes, probes_without_answer, iterations, passed,
    CASE WHEN iterations > 0 THEN passed * 1.0 / iterations END AS success_rate,
    graph_reuse, degraded_to_eager, other_failures
FROM v_compile_health_daily
WHERE (:target IS NULL OR target = :target)
  AND day >= :since
ORDER BY day, target, variant, candidate, evidence
