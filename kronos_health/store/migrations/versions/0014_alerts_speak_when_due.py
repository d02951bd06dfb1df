"""alerts speak when due: flapping, escalation, reminders without a look"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TIMES = {
    "told_at": "when people were first told of the episode, or that it got worse",
    "escalated_at": None,
    "flapping_since": None,
    "changed_at": "when it last fired, relapsed or began to recover",
    "due_at": "when there may be something to say without a new look",
}


def upgrade() -> None:
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seen", sa.String(8), comment="good, bad or unknown, by the last look"))
        batch_op.add_column(
            sa.Column(
                "looks",
                sa.String(64),
                nullable=False,
                server_default="",
                comment="b and g of the last looks, where N of M count",
            )
        )
        batch_op.add_column(sa.Column("told_severity", sa.String(16), comment="how severe it was then"))
        for name, comment in _TIMES.items():
            batch_op.add_column(sa.Column(name, store_types.UtcDateTime(timezone=True), comment=comment))
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.alter_column("looks", server_default=None)
    op.create_index(
        "ix_alert_due_at",
        "alert",
        ["due_at"],
        postgresql_where=sa.text("due_at is not null"),
        sqlite_where=sa.text("due_at is not null"),
    )
    # What is open already was said as severe as it is, and is looked at by the next delivery.
    op.execute(
        "UPDATE alert SET told_severity = severity, told_at = fired_at, changed_at = fired_at, due_at = last_message_at "
        "WHERE state IN ('firing', 'recovering') AND sequence > 0"
    )


def downgrade() -> None:
    op.drop_index("ix_alert_due_at", table_name="alert")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        for name in ("looks", "seen", "told_severity", *_TIMES):
            batch_op.drop_column(name)
