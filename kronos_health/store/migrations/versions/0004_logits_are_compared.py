"""accuracy by logits, and memory held after each prediction"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "logit_accuracy",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("iteration_id", sa.String(length=36), nullable=False),
        sa.Column(
            "head", sa.String(length=64), nullable=False, comment="s1 and s2 of Kronos, or the target's own names"
        ),
        sa.Column("windows", sa.Integer(), nullable=False, comment="distinct frozen windows"),
        sa.Column(
            "digest",
            sa.String(length=64),
            nullable=True,
            comment="of the windows' rows: figures over other windows are not comparable",
        ),
        sa.Column(
            "rmse",
            sa.Float(),
            nullable=True,
            comment="against the same model in float64; null where logits are not finite",
        ),
        sa.Column("total_variation", sa.Float(), nullable=True, comment="mean over windows, against the same"),
        sa.Column("finite", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["iteration_id"], ["iteration.id"], name=op.f("fk_logit_accuracy_iteration_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logit_accuracy")),
        sa.UniqueConstraint("iteration_id", "head", name=op.f("uq_logit_accuracy_iteration_id_head")),
        comment="Layer A1: teacher-forced logits of one iteration against a float64 copy of the model.",
    )
    op.add_column(
        "iteration",
        sa.Column(
            "logit_note",
            sa.Text(),
            nullable=True,
            comment="why logits could not be compared; null where they were, or nobody asked",
        ),
    )
    op.add_column(
        "prediction",
        sa.Column(
            "rss_mb",
            sa.Float(),
            nullable=True,
            comment="resident memory held after it, MiB: what grows with every prediction is a leak",
        ),
    )
    op.add_column(
        "prediction",
        sa.Column("device_mb", sa.Float(), nullable=True, comment="allocated on the device after it, MiB"),
    )
    for column in (
        sa.Column(
            "logits",
            sa.String(length=16),
            nullable=True,
            comment="layer A1 by itself; null: not available, which is no fault",
        ),
        sa.Column("forecasts", sa.String(length=16), nullable=True, comment="layers A2 and A3 by themselves"),
        sa.Column(
            "rmse_ratio",
            sa.Float(),
            nullable=True,
            comment="A1: the worst head's RMSE against float64, variant / eager",
        ),
        sa.Column("total_variation", sa.Float(), nullable=True, comment="A1: the variant's worst head against float64"),
    ):
        op.add_column("comparison", column)


def downgrade() -> None:
    for name in ("total_variation", "rmse_ratio", "forecasts", "logits"):
        op.drop_column("comparison", name)
    for name in ("device_mb", "rss_mb"):
        op.drop_column("prediction", name)
    op.drop_column("iteration", "logit_note")
    op.drop_table("logit_accuracy")
