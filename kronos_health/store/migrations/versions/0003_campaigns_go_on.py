"""plans of campaigns, interruptions, and what a change of fingerprint changed"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = store_types.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "campaign_probe",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("campaign_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="order in which the plan is run"),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("variant", sa.String(length=128), nullable=False),
        sa.Column("candidate", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("regime", sa.String(length=16), nullable=False),
        sa.Column("iterations", sa.Integer(), nullable=False),
        sa.Column("predictions", sa.Integer(), nullable=False),
        sa.Column(
            "seed",
            sa.Integer(),
            nullable=False,
            comment="of the plan, not of the settings at the time of going on",
        ),
        sa.Column("csv", sa.Text()),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("synthetic_seed", sa.Integer(), nullable=False),
        sa.Column("lookback", sa.Integer(), nullable=False),
        sa.Column("pred_len", sa.Integer(), nullable=False),
        sa.Column("sample_count", sa.Integer(), nullable=False),
        sa.Column("max_context", sa.Integer(), nullable=False),
        sa.Column("accuracy_windows", sa.Integer(), nullable=False, comment="0: logits are not compared"),
        sa.Column(
            "probe_id",
            sa.String(length=36),
            comment="the probe that measures this line; an earlier one, begun in another environment, is closed as lost",
        ),
        sa.Column(
            "claim",
            sa.String(length=36),
            comment="shown at every write: who lost the claim can store nothing any more",
        ),
        sa.Column(
            "holder_machine",
            sa.String(length=255),
            comment="host, boot and process namespace of the process that measures",
        ),
        sa.Column("holder_pid", sa.Integer()),
        sa.Column(
            "holder_started",
            sa.Float(),
            comment="seconds since 1970: tells a process from a later one of the same number",
        ),
        sa.Column("alive_at", _TIME, comment="the holder's last sign of life; judged only from another machine"),
        sa.Column("running_index", sa.Integer(), comment="iteration that runs now, or ran when its holder was killed"),
        sa.Column("running_since", _TIME),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_probe_campaign_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["probe_id"], ["probe.id"], name=op.f("fk_campaign_probe_probe_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_probe")),
        sa.UniqueConstraint("campaign_id", "position", name=op.f("uq_campaign_probe_campaign_id_position")),
        comment="What a campaign set out to measure, written before it starts: a killed one goes on from here.",
    )
    op.create_index("ix_campaign_probe_probe_id", "campaign_probe", ["probe_id"])
    op.create_index("ix_campaign_probe_claim", "campaign_probe", ["claim"])
    op.create_table(
        "interruption",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("probe_id", sa.String(length=36), nullable=False),
        sa.Column(
            "index",
            sa.Integer(),
            nullable=False,
            comment="the iteration that ran; it runs again with the same seeds",
        ),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False, comment="the last sign of life before the end"),
        sa.Column("noticed_at", _TIME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["probe_id"], ["probe.id"], name=op.f("fk_interruption_probe_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interruption")),
        comment="An iteration that was running when its checker was killed or stopped: neither a pass nor a failure.",
    )
    op.create_index("ix_interruption_probe_id", "interruption", ["probe_id"])
    op.add_column(
        "environment",
        sa.Column(
            "window_shape",
            sa.String(length=64),
            comment="lookback+pred_len ×sample_count / max_context; null in older rows",
        ),
    )
    op.add_column(
        "environment",
        sa.Column("threads", sa.Integer(), comment="torch's intra-op threads, where the settings fix them"),
    )
    op.add_column(
        "variant_standing",
        sa.Column(
            "reset", sa.Text(), comment="what changed when counting began anew; null: nothing was counted before"
        ),
    )


def downgrade() -> None:
    op.drop_column("variant_standing", "reset")
    op.drop_column("environment", "threads")
    op.drop_column("environment", "window_shape")
    op.drop_table("interruption")
    op.drop_table("campaign_probe")
