-- How often each signature was seen in each log on each day (UTC, by the records' own times); info ones from tallies.
CREATE VIEW v_findings_daily AS
SELECT
    day,
    source,
    signature,
    severity,
    count(*) AS findings,
    count(DISTINCT fingerprint) AS kinds,
    min(happened_at) AS first_at,
    max(happened_at) AS last_at
FROM v_finding
GROUP BY day, source, signature, severity
UNION ALL
SELECT
    day,
    source,
    signature,
    'info' AS severity,
    CAST(sum(seen) AS bigint) AS findings,
    count(DISTINCT subject) AS kinds,
    min(first_at) AS first_at,
    max(last_at) AS last_at
FROM v_tally
GROUP BY day, source, signature
