-- title: Whether messages arrive
-- question: Per channel: what waits, what was given up, how slow is it, and why is it off?
-- column: channel text | where to
-- column: waiting integer | queued or being sent
-- column: unknown integer | may have arrived: being looked up
-- column: dead integer | given up
-- column: sent integer | arrived
-- column: oldest_waiting_at timestamp | longest wait
-- column: slowest_seconds number | slowest delivery so far
-- column: last_sent_at timestamp | last arrival
-- column: disabled_at timestamp | the channel refuses us since
-- column: disabled_reason text | in its own words
SELECT
    channel, waiting, unknown, dead, sent, oldest_waiting_at, slowest_seconds, last_sent_at, disabled_at, disabled_reason
FROM v_delivery_lag
ORDER BY channel
