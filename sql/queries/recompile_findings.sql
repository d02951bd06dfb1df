-- title: Recompiles and skipped graphs in the logs, by reason
-- question: What makes torch recompile, hit its limit, or skip CUDA graphs in production?
-- param: source text = null | only this log
-- param: since timestamp = 30d | by the time of the record
-- column: signature text | recompile, recompile_limit or cudagraph_skipped
-- column: reason text | torch's own reason
-- column: source text | the log
-- column: findings integer | how often
-- column: first_at timestamp | first time
-- column: last_at timestamp | last time
SELECT
    signature, reason, source,
    count(*) AS findings,
    min(happened_at) AS first_at,
    max(happened_at) AS last_at
FROM v_finding
WHERE signature IN ('recompile', 'recompile_limit', 'cudagraph_skipped')
  AND (:source IS NULL OR source = :source)
  AND happened_at >= :since
GROUP BY signature, reason, source
ORDER BY findings DESC, signature, reason
