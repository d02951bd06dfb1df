-- title: Campaigns and how far they came
-- question: Which campaigns were asked for, which of them never came to an end, and what was lost on the way?
-- param: since timestamp = 30d | from when
-- column: campaign_id text | for probe --resume
-- column: started_at timestamp | when it began
-- column: finished_at timestamp | when its last probe was compared; null: unfinished
-- column: origin text | who asked
-- column: airflow_run_id text | the DAG run, where there is one
-- column: planned integer | probes in its stored plan; 0 for imports and older campaigns
-- column: measured integer | how many of them are done
-- column: interruptions integer | iterations that were running when their checker was killed or stopped
SELECT
    c.id AS campaign_id, c.started_at, c.finished_at, c.origin, c.airflow_run_id,
    (SELECT count(*) FROM campaign_probe l WHERE l.campaign_id = c.id) AS planned,
    (
        SELECT count(*) FROM campaign_probe l JOIN probe p ON p.id = l.probe_id
        WHERE l.campaign_id = c.id AND p.skipped_reason IS NULL
          AND p.outcome IS NOT NULL AND p.outcome NOT IN ('lost', 'skipped')
    ) AS measured,
    (SELECT count(*) FROM interruption i JOIN probe p ON p.id = i.probe_id WHERE p.campaign_id = c.id) AS interruptions
FROM campaign c
WHERE c.started_at >= :since
ORDER BY c.started_at DESC, c.id DESC
