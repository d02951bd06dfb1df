-- title: Releases seen
-- question: Which releases of torch are there, and which of them appeared while we watched?
-- param: package text = null | only this package
-- column: package text | the package
-- column: version text | the release
-- column: seen_at timestamp | when it was first seen
-- column: news boolean | it appeared while we watched
SELECT package, version, seen_at, NOT first_look AS news
FROM upstream_release
WHERE (:package IS NULL OR package = :package)
ORDER BY package, seen_at DESC, id DESC
