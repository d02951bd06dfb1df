"""figures of passing probes are watched"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "figure_watch",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("probe_id", sa.String(length=36), nullable=False),
        sa.Column(
            "figure",
            sa.String(length=32),
            nullable=False,
            comment="steady_latency, peak_memory, cold_compile or warm_compile",
        ),
        sa.Column("value", sa.Float(), nullable=False, comment="ms, of memory MiB; less is better"),
        sa.Column(
            "label",
            sa.String(length=24),
            nullable=False,
            comment="steady, suspicious, regression, improvement, insufficient_data or disturbed",
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sample", sa.Integer(), nullable=False, comment="probes behind the baseline"),
        sa.Column(
            "baseline", sa.Float(), nullable=True, comment="median since the last step; null without enough data"
        ),
        sa.Column(
            "lower", sa.Float(), nullable=True, comment="bounds around the baseline: outside twice in a row is a step"
        ),
        sa.Column("upper", sa.Float(), nullable=True),
        sa.Column(
            "reference",
            sa.Float(),
            nullable=True,
            comment="the level before a regression that still stands; null when none does",
        ),
        sa.Column("judged_at", store_types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["probe_id"], ["probe.id"], name=op.f("fk_figure_watch_probe_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figure_watch")),
        sa.UniqueConstraint("probe_id", "figure", name=op.f("uq_figure_watch_probe_id_figure")),
        comment="One figure of one passing probe beside those before it, as judged when it came.",
    )


def downgrade() -> None:
    op.drop_table("figure_watch")
