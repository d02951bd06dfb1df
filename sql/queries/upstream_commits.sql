-- title: Revisions seen last
-- question: Which Kronos revision is checked out, and which one does upstream have?
-- column: repository text | the checkout
-- column: ref text | HEAD is what is checked out, else the remote's
-- column: revision text | the commit
-- column: subject text | its first line
-- column: committed_at timestamp | when it was made
-- column: contained boolean | what is checked out already holds it; null where that is not known
-- column: seen_at timestamp | when it was first seen
-- column: news boolean | it appeared while we watched
SELECT repository, ref, "commit" AS revision, subject, committed_at, contained, seen_at, news
FROM (
    SELECT
        repository, ref, "commit", subject, committed_at, contained, seen_at, NOT first_look AS news,
        -- A ref can return to an older commit: the one seen last is current, not the one seen first.
        row_number() OVER (
            PARTITION BY repository, ref ORDER BY coalesce(last_seen_at, seen_at) DESC, id DESC
        ) AS newest_first
    FROM upstream_commit
) ranked
WHERE newest_first = 1
ORDER BY repository, ref
