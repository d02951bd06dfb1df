-- title: Plan of a campaign
-- question: What did a campaign set out to measure, how far is each part, and who measures it now?
-- param: campaign_id text | the campaign; see campaigns
-- column: position integer | order in which the plan is run
-- column: target text | the model
-- column: variant text | the way to run it
-- column: candidate text | production, or the environment tried instead
-- column: kind text | measured or rehearsed
-- column: regime text | saturated or growing window
-- column: iterations integer | fresh processes asked for
-- column: stored integer | how many of them are stored
-- column: outcome text | how the probe ended; null: not yet
-- column: holder text | host, boot and namespace of the process that measures it; null: nobody
-- column: holder_pid integer | that process
-- column: alive_at timestamp | its last sign of life
-- column: running_index integer | the iteration that runs, or ran when it was killed
-- column: probe_id text | the probe; null: not begun
SELECT
    l.position, l.target, l.variant, l.candidate, l.kind, l.regime, l.iterations,
    (SELECT count(*) FROM iteration i WHERE i.probe_id = l.probe_id) AS stored,
    p.outcome, l.holder_machine AS holder, l.holder_pid, l.alive_at, l.running_index, l.probe_id
FROM campaign_probe l
LEFT JOIN probe p ON p.id = l.probe_id
WHERE l.campaign_id = :campaign_id
ORDER BY l.position
