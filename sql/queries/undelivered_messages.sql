-- title: Messages that have not arrived
-- question: What is still on its way to people, what was given up, and why?
-- column: created_at timestamp | when it was queued
-- column: channel text | where to
-- column: state text | pending, sending, unknown (being looked up) or dead (given up)
-- column: title text | the alert it is about
-- column: kind text | what happened to the alert
-- column: attempts integer | how often it was tried
-- column: next_at timestamp | when it is tried next
-- column: last_error text | what the channel answered
-- column: disabled_reason text | why the whole channel is off, if it is
-- column: message_id text | id of the message
SELECT
    m.created_at, m.channel, m.state, m.title, m.kind, m.attempts, m.next_at, m.last_error,
    c.disabled_reason,
    m.message_id
FROM v_message m
LEFT JOIN channel c ON c.name = m.channel
WHERE m.state NOT IN ('sent', 'merged') -- merged: a later message of the episode said it too
ORDER BY m.created_at, m.message_id
