"""people act on alerts"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "acknowledged_at",
                store_types.UtcDateTime(timezone=True),
                comment="within the episode; null again when it is over or gets worse",
            )
        )
        batch_op.add_column(sa.Column("acknowledged_by", sa.String(200)))
        batch_op.add_column(
            sa.Column(
                "silenced_by",
                sa.String(36),
                comment="the silence that keeps it quiet: when that is over and it is bad, it is said",
            )
        )
    op.create_table(
        "alert_silence",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False, comment="one a line, such as key=~kronos/.*; all must hold"),
        sa.Column("starts_at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.Column(
            "ends_at",
            store_types.UtcDateTime(timezone=True),
            nullable=False,
            comment="moved to now where a person ends it",
        ),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("via", sa.String(16), nullable=False, comment="cli, slack or page"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_silence")),
        comment="Alerts that are recorded and not sent, because a person asked for it.",
    )
    op.create_index("ix_alert_silence_ends_at", "alert_silence", ["ends_at"])
    op.create_table(
        "alert_action",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("via", sa.String(16), nullable=False, comment="cli, slack or page"),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("fingerprint", sa.String(255), comment="the alert it is about, if it is about one"),
        sa.Column("silence_id", sa.String(36), comment="the silence it is about, if it is about one"),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_action")),
        comment="What people did about alerts: who, when and where.",
    )
    op.create_index("ix_alert_action_at", "alert_action", ["at"])
    op.create_index("ix_alert_action_fingerprint", "alert_action", ["fingerprint"])


def downgrade() -> None:
    op.drop_table("alert_action")
    op.drop_table("alert_silence")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_column("silenced_by")
        batch_op.drop_column("acknowledged_by")
        batch_op.drop_column("acknowledged_at")
