"""a message that tells several alerts shows how each stands, until all are over"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_FOLLOWED = "kind = 'grouped' and over_at is null"


def upgrade() -> None:
    comment = "of a message that tells several alerts: when it was made to show that all are over"
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("over_at", store_types.UtcDateTime(timezone=True), comment=comment))
    op.create_index("ix_outbox_told_in", "outbox", ["told_in"])
    where = sa.text(_FOLLOWED)
    op.create_index("ix_outbox_followed", "outbox", ["channel"], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    op.drop_index("ix_outbox_followed", table_name="outbox")
    op.drop_index("ix_outbox_told_in", table_name="outbox")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_column("over_at")
