-- title: Accuracy and speed against eager
-- question: Does a variant forecast as well as eager under the same seeds, and is it worth it?
-- param: target text = null | only this model
-- param: variant text = null | only this variant
-- param: since timestamp = 30d | from when
-- column: compared_at timestamp | when the two probes were compared
-- column: target text | the model
-- column: variant text | the way it was run
-- column: evidence text | of the variant's probe: cuda (admissible), cpu, rehearsal
-- column: accuracy text | pass, fail, inconclusive or void; only pass is a pass
-- column: accuracy_reason text | why
-- column: logits text | layer A1 by itself: logits against a float64 copy; empty: not available
-- column: rmse_ratio number | A1: worst head, variant / eager; 2 is the limit, 3 in half precision
-- column: total_variation number | A1: worst head of the variant; 0.01 is the limit
-- column: forecasts text | layers A2 and A3 by themselves: paired forecasts
-- column: pairs integer | predictions compared in pairs
-- column: scaled_difference number | mean paired difference of errors / naive error; positive is worse than eager
-- column: upper_bound number | its one-sided 95 % bound
-- column: margin number | it must stay below this
-- column: eager_mae number | eager's mean absolute error
-- column: variant_mae number | the variant's
-- column: mae_ratio number | variant / eager
-- column: speed_up number | eager steady median / variant's
-- column: memory_ratio number | variant / eager
-- column: probe_id text | the variant's probe
SELECT
    c.created_at AS compared_at,
    v.target, v.variant, v.evidence,
    c.accuracy, c.accuracy_reason,
    c.logits, c.rmse_ratio, c.total_variation, c.forecasts,
    c.pairs, c.scaled_difference, c.upper_bound, c.margin,
    e.mae_mean AS eager_mae,
    v.mae_mean AS variant_mae,
    c.mae_ratio, c.speed_up, c.memory_ratio,
    v.probe_id
FROM comparison c
JOIN v_probe v ON v.probe_id = c.candidate_probe_id
JOIN v_probe e ON e.probe_id = c.baseline_probe_id
WHERE (:target IS NULL OR v.target = :target)
  AND (:variant IS NULL OR v.variant = :variant)
  AND c.created_at >= :since
ORDER BY c.created_at DESC, v.variant
