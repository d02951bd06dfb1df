-- title: Deployments
-- question: When did production change, and how was it noticed?
-- param: since timestamp = 365d | from when
-- column: deployed_at timestamp | when
-- column: origin text | revision, process or reported
-- column: revision text | of production's checkout
-- column: note text | in words
-- column: news boolean | false for what ran already when the watch began
SELECT deployed_at, origin, revision, note, NOT first_look AS news
FROM deployment
WHERE deployed_at >= :since
ORDER BY deployed_at DESC
