"""warm-up calls of an iteration, and how a variant depends on them"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WARMUPS = "calls made before the predictions: CUDA graphs take outputs away only until they are replayed"
PASSES = "fewest warm-up calls from which on all iterations passed; null unless passing depends on them"
SWEEP = "numbers of warm-up calls that its iterations take in turn, separated by commas"
FAILS = "most warm-up calls with which one failed; null with the other"


def upgrade() -> None:
    # Iterations from before made none.
    op.add_column("iteration", sa.Column("warmups", sa.Integer(), nullable=False, server_default="0", comment=WARMUPS))
    op.add_column("probe", sa.Column("passes_with_warmups", sa.Integer(), nullable=True, comment=PASSES))
    op.add_column("probe", sa.Column("fails_with_warmups", sa.Integer(), nullable=True, comment=FAILS))
    sweep = sa.Column("warmups", sa.String(length=255), nullable=False, server_default="", comment=SWEEP)
    op.add_column("campaign_probe", sweep)


def downgrade() -> None:
    with op.batch_alter_table("campaign_probe") as plan:
        plan.drop_column("warmups")
    with op.batch_alter_table("probe") as probe:
        probe.drop_column("fails_with_warmups")
        probe.drop_column("passes_with_warmups")
    with op.batch_alter_table("iteration") as iteration:
        iteration.drop_column("warmups")
