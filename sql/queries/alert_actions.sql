-- title: What people did about alerts
-- question: Who acknowledged or silenced what, when, and where?
-- param: fingerprint text = null | kind:key of one alert
-- param: since timestamp = 90d | from when
-- param: limit integer = 200 | at most so many
-- column: happened_at timestamp | when
-- column: who text | who
-- column: via text | cli, slack or page
-- column: action text | acknowledge, unacknowledge, silence, extend_silence or expire_silence
-- column: fingerprint text | the alert, if it is about one
-- column: silence_id text | the silence, if it is about one
-- column: detail text | the episode, or the matchers and the reason
SELECT at AS happened_at, who, via, action, fingerprint, silence_id, detail
FROM alert_action
WHERE (:fingerprint IS NULL OR fingerprint = :fingerprint)
  AND at >= :since
ORDER BY at DESC, id DESC
LIMIT :limit
