"""generations know their live file"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "log_generation",
        sa.Column(
            "live_path",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="live file of the log it belongs to; empty: written when a source was one log",
        ),
    )


def downgrade() -> None:
    op.drop_column("log_generation", "live_path")
