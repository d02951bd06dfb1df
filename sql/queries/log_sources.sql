-- title: How the watched logs stand
-- question: Was every log read to its end lately, and did anything vanish unread?
-- column: source text | the log
-- column: path text | its file
-- column: host text | machine it was read on
-- column: last_scanned_at timestamp | last reading
-- column: problem text | why it could not be read; null when it could
-- column: problem_since timestamp | since when
-- column: lag_bytes integer | left for the next scan
-- column: scans integer | readings so far
-- column: gaps integer | ranges that vanished unread
SELECT source, path, host, last_scanned_at, problem, problem_since, lag_bytes, scans, gaps
FROM v_source_lag
ORDER BY source
