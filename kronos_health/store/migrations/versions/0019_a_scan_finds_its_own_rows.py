"""a scan finds its own rows however many there are"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Every scan groups what it has found, and forgetting a scan looks for rows of it: both read the whole table before.
    op.create_index("ix_finding_scan_id", "finding", ["scan_id"])
    op.create_index("ix_log_sample_scan_id", "log_sample", ["scan_id"])


def downgrade() -> None:
    op.drop_index("ix_log_sample_scan_id", "log_sample")
    op.drop_index("ix_finding_scan_id", "finding")
