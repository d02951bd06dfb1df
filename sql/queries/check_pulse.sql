-- title: The checker's own pulse
-- question: When did each check last run, and how did it end?
-- column: check_name text | probe, scan, watch, revisit, deliver, digest or housekeeping
-- column: subject text | the source, target …
-- column: started_at timestamp | when
-- column: finished_at timestamp | null: running, or killed
-- column: verdict text | ok, attention or failed
-- column: message text | in words
SELECT check_name, subject, started_at, finished_at, verdict, message
FROM v_check_pulse
ORDER BY check_name, subject
