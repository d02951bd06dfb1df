-- title: How fast and how far the logs are read
-- question: Does scanning keep up with the logs, by day?
-- param: source text = null | only this log
-- param: since date = 30d | from which day
-- column: day date | day, UTC
-- column: source text | the log
-- column: scans integer | readings
-- column: unreadable integer | readings that could not read it
-- column: mb number | decompressed MiB read
-- column: lines integer | lines read
-- column: findings integer | findings stored
-- column: seconds number | time spent
-- column: mb_per_second number | speed while reading; null where too little was read to say
-- column: highest_lag_mb number | most that was left for a next scan
SELECT
    day, source,
    count(*) AS scans,
    sum(CASE WHEN problem IS NULL THEN 0 ELSE 1 END) AS unreadable,
    sum(bytes) / 1048576.0 AS mb,
    sum(lines) AS lines,
    sum(findings) AS findings,
    sum(seconds) AS seconds,
    -- Start-up dominates small readings: they say nothing about speed.
    sum(CASE WHEN bytes >= 1048576 THEN bytes END) / 1048576.0
        / nullif(sum(CASE WHEN bytes >= 1048576 THEN seconds END), 0) AS mb_per_second,
    max(lag_bytes) / 1048576.0 AS highest_lag_mb
FROM v_scan
WHERE (:source IS NULL OR source = :source)
  AND day >= :since
GROUP BY day, source
ORDER BY day DESC, source
