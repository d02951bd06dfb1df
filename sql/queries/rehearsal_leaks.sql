-- title: What breaks the lifetime rule
-- question: Which outputs outlived their CUDA graphs in the newest rehearsal of each variant, and what holds them?
-- param: target text = null | only this model
-- column: target text | the model
-- column: variant text | the way it was run
-- column: candidate text | production, or the environment tried instead
-- column: regime text | saturated or growing window
-- column: number integer | 0 is the one that was read; the others are held alike and would be next
-- column: was_read boolean | its reading failed
-- column: producer text | compiled callable that made it
-- column: output integer | its place among the outputs of the callable's graph
-- column: shape text | type and sizes
-- column: frame_file text | the line that made it: file
-- column: frame_line integer | line
-- column: frame_function text | function
-- column: frame_code text | the line of code
-- column: keeper text | parked, attribute, handoff, variable, forecast or unknown
-- column: kept_by text | path on the target, or parameter of the reader
-- column: reader text | compiled callable that read it; empty for eager code
-- column: read_file text | the line that read it: file
-- column: read_line integer | line
-- column: read_function text | function
-- column: read_code text | the line of code
-- column: started_at timestamp | when the rehearsal began
-- column: probe_id text | id of the rehearsal
SELECT
    l.target, l.variant, l.candidate, l.regime, l.number, l.was_read, l.producer, l.output, l.shape,
    l.frame_file, l.frame_line, l.frame_function, l.frame_code, l.keeper, l.kept_by, l.reader,
    l.read_file, l.read_line, l.read_function, l.read_code, l.started_at, l.probe_id
FROM v_leak l
JOIN v_latest_probe p ON p.probe_id = l.probe_id
WHERE p.evidence = 'rehearsal' AND (:target IS NULL OR l.target = :target)
ORDER BY l.target, l.variant, l.candidate, l.regime, l.number
