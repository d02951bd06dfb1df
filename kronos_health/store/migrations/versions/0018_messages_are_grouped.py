"""messages are held for the end of quiet hours, and told together"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("told_in", sa.String(36), comment="the message that tells this one and others"))
    op.create_index(
        "ix_outbox_held",
        "outbox",
        ["channel", "next_at"],
        postgresql_where=sa.text("state = 'held'"),
        sqlite_where=sa.text("state = 'held'"),
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_held", table_name="outbox")
    op.execute("UPDATE outbox SET state = 'pending' WHERE state = 'held'")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_column("told_in")
