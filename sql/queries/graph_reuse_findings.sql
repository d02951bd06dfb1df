-- title: Reused CUDA graph outputs in the logs
-- question: When and where did production hit the error that made us run eager?
-- param: source text = null | only this log
-- param: since timestamp = 30d | by the time of the record
-- param: limit integer = 200 | at most so many
-- column: happened_at timestamp | time of the record, else when it was found
-- column: source text | the log
-- column: path text | the file it was last seen in
-- column: line integer | line of that file
-- column: fingerprint text | the same kind of event has the same one
-- column: record text | the whole event, secrets masked
-- column: finding_id text | id of the finding
SELECT happened_at, source, path, line, fingerprint, record, finding_id
FROM v_finding
WHERE signature = 'graph_reuse'
  AND (:source IS NULL OR source = :source)
  AND happened_at >= :since
ORDER BY happened_at DESC, finding_id DESC
LIMIT :limit
