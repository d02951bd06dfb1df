"""findings know what they are about"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not op.batch_alter_table: on SQLite that copies the table, and findings are many.
    op.add_column(
        "finding",
        sa.Column(
            "subject",
            sa.String(length=64),
            nullable=True,
            comment="e.g. the model it is about; null where the record names none",
        ),
    )


def downgrade() -> None:
    op.drop_column("finding", "subject")
