-- title: When upstream was last looked at
-- question: Since when can torch releases or Kronos revisions not be looked up, and why?
-- column: subject text | what is looked up
-- column: last_ok_at timestamp | last time it worked
-- column: unknown_since timestamp | since when it does not; null when it does
-- column: reason text | why not
SELECT subject, last_ok_at, unknown_since, reason
FROM upstream_look
ORDER BY subject
