-- title: Findings by signature
-- question: What has been seen in the logs lately, how often, and when last?
-- param: source text = null | only this log
-- param: since timestamp = 7d | by the time of the record
-- column: source text | the log
-- column: signature text | what was looked for
-- column: severity text | info, warning or critical
-- column: findings integer | how often
-- column: kinds integer | how many different events; for info: subjects
-- column: first_at timestamp | first time
-- column: last_at timestamp | last time
SELECT source, signature, severity, findings, kinds, first_at, last_at
FROM (
    SELECT
        source, signature, severity,
        count(*) AS findings,
        count(DISTINCT fingerprint) AS kinds,
        min(happened_at) AS first_at,
        max(happened_at) AS last_at
    FROM v_finding
    WHERE (:source IS NULL OR source = :source) AND happened_at >= :since
    GROUP BY source, signature, severity
    UNION ALL
    SELECT source, signature, 'info', CAST(sum(seen) AS bigint), count(DISTINCT subject), min(first_at), max(last_at)
    FROM v_tally
    WHERE (:source IS NULL OR source = :source) AND last_at >= :since
    GROUP BY source, signature
) seen
ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, last_at DESC, source, signature
