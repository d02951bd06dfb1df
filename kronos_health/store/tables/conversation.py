"""What people ask for in Slack, the probes that come of it, and whether anybody listens."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from kronos_health.store.types import METADATA, Id, UtcDateTime

slack_request = Table(
    "slack_request",
    METADATA,
    Column("id", Id, primary_key=True, comment="uuid5 of what Slack calls it: a redelivery is the same"),
    Column("received_at", UtcDateTime, nullable=False),
    Column("wish", String(16), nullable=False, comment="acknowledge, silence, probe, status or help"),
    Column("seconds", Integer, nullable=False, comment="how long to be silent; 0 otherwise"),
    Column("outbox_id", Id, comment="the message whose button was pressed"),
    Column("user_id", String(32), nullable=False),
    Column("user_name", String(120), nullable=False),
    Column("conversation", String(64), nullable=False, comment="id of the channel it came from"),
    Column("conversation_name", String(120), nullable=False),
    Column("answer_url", Text, comment="good for half an hour; forgotten when it was answered"),
    Column("handled_at", UtcDateTime),
    Column("verdict", String(16), comment="done, refused or failed; null: still to do"),
    Column("answer", Text, comment="what the person was told"),
    Index("ix_slack_request_received_at", "received_at"),
    comment="What people asked for in Slack: queue and audit trail in one.",
)

probe_request = Table(
    "probe_request",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("who", String(200), nullable=False),
    Column("via", String(16), nullable=False, comment="slack"),
    Column("target", String(64), comment="null: those of [probe] targets"),
    Column("taken_at", UtcDateTime),
    Column("taken_by", String(200), comment="the process or DAG run that measures it"),
    Column("finished_at", UtcDateTime),
    Column("campaign_id", Id),
    Column("outcome", Text, comment="in words"),
    Index("ix_probe_request_asked_at", "asked_at"),
    comment="Probes that people asked for, until somebody who may measure takes them.",
)

listener = Table(
    "listener",
    METADATA,
    Column("host", String(120), primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("alive_at", UtcDateTime, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("problem", Text, comment="why it is not connected"),
    comment="Whether somebody listens to what people ask for in Slack, by host.",
)
