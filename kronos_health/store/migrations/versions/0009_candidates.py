"""trials of news that the checker orders by itself"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "candidate_trial",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("candidate", sa.String(length=128), nullable=False),
        sa.Column(
            "attempt",
            sa.Integer(),
            nullable=False,
            comment="from 1; news is tried again only while probing itself fails",
        ),
        sa.Column("ordered_at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_candidate_trial")),
        sa.UniqueConstraint("candidate", "attempt", name=op.f("uq_candidate_trial_candidate_attempt")),
        comment="Trials of news that the checker ordered by itself. What came of them is in the probes of the candidate.",
    )


def downgrade() -> None:
    op.drop_table("candidate_trial")
