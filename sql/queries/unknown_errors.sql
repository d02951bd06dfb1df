-- title: Errors that no signature knows
-- question: What does production log at level ERROR or above that nothing here looks for, and how often?
-- param: source text = null | only this log
-- param: since timestamp = 30d | kinds seen since
-- param: limit integer = 100 | at most so many
-- column: fingerprint text | its kind; for kronos-health signatures propose
-- column: source text | the log
-- column: raised text | type of the exception; null where there is none
-- column: message text | what it says, with what varies named by its kind
-- column: seen integer | how often since
-- column: ever integer | how often altogether
-- column: first_at timestamp | first time
-- column: last_at timestamp | last time
-- column: record text | the first one
SELECT
    e.fingerprint, e.source, e.raised, e.message,
    CAST(coalesce((
        SELECT sum(t.seen)
        FROM v_tally t
        WHERE t.source = e.source AND t.signature = 'unknown_error' AND t.subject = e.fingerprint
          AND t.last_at >= :since
    ), 0) AS bigint) AS seen,
    e.seen AS ever, e.first_at, e.last_at, e.record
FROM v_error_kind e
WHERE (:source IS NULL OR e.source = :source) AND e.last_at >= :since
ORDER BY e.seen DESC, e.fingerprint
LIMIT :limit
