"""gaps are told once"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "log_generation",
        sa.Column(
            "gone_at",
            store_types.UtcDateTime(timezone=True),
            nullable=True,
            comment="since when no file holds it and the gap behind it is told",
        ),
    )


def downgrade() -> None:
    op.drop_column("log_generation", "gone_at")
