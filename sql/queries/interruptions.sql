-- title: Iterations lost while they ran
-- question: Which iterations were running when their checker was killed or stopped? They count neither as passed nor as failed.
-- param: since timestamp = 30d | noticed since when
-- column: noticed_at timestamp | when it was noticed
-- column: target text | the model
-- column: variant text | the way it was run
-- column: kind text | measured or rehearsed
-- column: iteration integer | index; it ran again with the same seeds when the campaign went on
-- column: started_at timestamp | when it began
-- column: last_seen_at timestamp | last sign of life
-- column: reason text | why it was lost
-- column: measured_after boolean | whether that iteration was measured afterwards
-- column: probe_id text | the probe
-- column: campaign_id text | its campaign
SELECT
    n.noticed_at, p.target, p.variant, p.kind, n."index" AS iteration, n.started_at, n.last_seen_at, n.reason,
    EXISTS (SELECT 1 FROM iteration i WHERE i.probe_id = n.probe_id AND i."index" = n."index") AS measured_after,
    n.probe_id, p.campaign_id
FROM interruption n
JOIN probe p ON p.id = n.probe_id
WHERE n.noticed_at >= :since
ORDER BY n.noticed_at DESC, n.id DESC
