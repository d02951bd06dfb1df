-- Every message on its way or sent, and how many seconds it took from the decision to the channel.
CREATE VIEW v_message AS
SELECT
    o.id AS message_id,
    o.channel,
    o.fingerprint,
    o.episode,
    o.sequence,
    o.kind,
    o.state,
    o.created_at,
    o.next_at,
    o.sent_at,
    CAST(EXTRACT(EPOCH FROM o.sent_at - o.created_at) AS double precision) AS seconds_to_send,
    o.attempts,
    o.last_error,
    a.title,
    a.severity
FROM outbox o
LEFT JOIN alert a ON a.fingerprint = o.fingerprint
