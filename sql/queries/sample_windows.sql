-- title: Numbers in the logs by the hour
-- question: How did inference times, memory and returns develop, hour by hour, for as long as they are kept?
-- param: metric text = null | such as kronos_inference_ms; null: every metric
-- param: subject text = null | only this symbol or model
-- param: source text = null | only this log
-- param: since timestamp = 7d | hours that began since
-- param: limit integer = 500 | at most so many
-- column: hour_at timestamp | beginning of the hour, UTC
-- column: metric text | what was read
-- column: subject text | symbol or model it belongs to
-- column: source text | the log
-- column: samples integer | how many values
-- column: mean number | their mean
-- column: minimum number | smallest
-- column: p50 number | median, within 1 %
-- column: p95 number | 95th percentile, within 1 %
-- column: p99 number | 99th percentile, within 1 %
-- column: maximum number | largest
SELECT hour_at, metric, subject, source, samples, mean, minimum, p50, p95, p99, maximum
FROM v_sample_window
WHERE (:metric IS NULL OR metric = :metric)
  AND (:subject IS NULL OR subject = :subject)
  AND (:source IS NULL OR source = :source)
  AND hour_at >= :since
ORDER BY hour_at DESC, metric, subject, source
LIMIT :limit
