-- What each rehearsal found to outlive its CUDA graph, from its first iteration that found any: the output, the line
-- that made it, what holds it, and what read it. The one whose reading failed comes first (number 0).
CREATE VIEW v_leak AS
SELECT
    p.id AS probe_id,
    p.target,
    p.variant,
    p.candidate,
    p.regime,
    p.started_at,
    l."index" AS number,
    l.read AS was_read,
    l.producer,
    l.output,
    l.shape,
    l.frame_file,
    l.frame_line,
    l.frame_function,
    l.frame_code,
    l.keeper,
    l.kept_by,
    l.reader,
    l.read_file,
    l.read_line,
    l.read_function,
    l.read_code
FROM leak l
JOIN iteration i ON i.id = l.iteration_id
JOIN probe p ON p.id = i.probe_id
WHERE i."index" = (
    SELECT min(other."index")
    FROM iteration other
    JOIN leak held ON held.iteration_id = other.id
    WHERE other.probe_id = p.id
)
