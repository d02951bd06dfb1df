"""slack is a conversation"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "outbox",
        sa.Column(
            "shown",
            sa.Text(),
            nullable=True,
            comment="JSON: how the alert stood when this message, the first of its episode, last showed it",
        ),
    )
    op.add_column(
        "outbox",
        sa.Column(
            "staged",
            sa.String(length=64),
            nullable=True,
            comment="what was brought to the channel ahead of the message: Slack's id of its picture",
        ),
    )
    op.create_table(
        "picture",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("made_at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_picture")),
        comment="Images that go with messages: kept until their message is past its retention.",
    )
    op.create_index("ix_picture_made_at", "picture", ["made_at"])
    _requests()


def _requests() -> None:
    op.create_table(
        "slack_request",
        sa.Column(
            "id", sa.String(length=36), nullable=False, comment="uuid5 of what Slack calls it: a redelivery is the same"
        ),
        sa.Column("received_at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("wish", sa.String(length=16), nullable=False, comment="acknowledge, silence, probe, status or help"),
        sa.Column("seconds", sa.Integer(), nullable=False, comment="how long to be silent; 0 otherwise"),
        sa.Column("outbox_id", sa.String(length=36), nullable=True, comment="the message whose button was pressed"),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("user_name", sa.String(length=120), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=False, comment="id of the channel it came from"),
        sa.Column("conversation_name", sa.String(length=120), nullable=False),
        sa.Column(
            "answer_url", sa.Text(), nullable=True, comment="good for half an hour; forgotten when it was answered"
        ),
        sa.Column("handled_at", store_types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True, comment="done, refused or failed; null: still to do"),
        sa.Column("answer", sa.Text(), nullable=True, comment="what the person was told"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slack_request")),
        comment="What people asked for in Slack: queue and audit trail in one.",
    )
    op.create_index("ix_slack_request_received_at", "slack_request", ["received_at"])
    op.create_table(
        "probe_request",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("asked_at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("via", sa.String(length=16), nullable=False, comment="slack"),
        sa.Column("target", sa.String(length=64), nullable=True, comment="null: those of [probe] targets"),
        sa.Column("taken_at", store_types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("taken_by", sa.String(length=200), nullable=True, comment="the process or DAG run that measures it"),
        sa.Column("finished_at", store_types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("campaign_id", sa.String(length=36), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True, comment="in words"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_probe_request")),
        comment="Probes that people asked for, until somebody who may measure takes them.",
    )
    op.create_index("ix_probe_request_asked_at", "probe_request", ["asked_at"])
    op.create_table(
        "listener",
        sa.Column("host", sa.String(length=120), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("alive_at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("ended_at", store_types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True, comment="why it is not connected"),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_listener")),
        comment="Whether somebody listens to what people ask for in Slack, by host.",
    )


def downgrade() -> None:
    for table in ("listener", "probe_request", "slack_request", "picture"):
        op.drop_table(table)
    op.drop_column("outbox", "staged")
    op.drop_column("outbox", "shown")
