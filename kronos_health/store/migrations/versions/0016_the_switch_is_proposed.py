"""the switch is proposed"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time = store_types.UtcDateTime(timezone=True)
    op.create_table(
        "switch",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("variant", sa.String(length=128), nullable=False),
        sa.Column(
            "decision_id",
            sa.String(length=36),
            nullable=True,
            comment="what it rests on; null for one that a person asked for",
        ),
        sa.Column(
            "evidence_key",
            sa.String(length=64),
            nullable=False,
            comment="what a rejection holds for, until the evidence changes",
        ),
        sa.Column("confidence", sa.String(length=16), nullable=False),
        sa.Column(
            "state",
            sa.String(length=16),
            nullable=False,
            comment="proposed, approved, written, passed, failed, rejected, withdrawn or rolled_back",
        ),
        sa.Column(
            "slot",
            sa.String(length=8),
            nullable=True,
            comment="'open' until it is answered and written, else null: at most one is open",
        ),
        sa.Column("undoes", sa.String(length=36), nullable=True, comment="the proposal that this one takes back"),
        sa.Column("proposed_at", time, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column(
            "before_sha256",
            sa.String(length=64),
            nullable=False,
            comment="of the file that the person saw; it may hold secrets",
        ),
        sa.Column("after_sha256", sa.String(length=64), nullable=False),
        sa.Column("diff", sa.Text(), nullable=False, comment="unified, secrets masked"),
        sa.Column("changes", sa.Text(), nullable=False, comment="JSON pairs of variable and value; null: not set"),
        sa.Column("former", sa.Text(), nullable=False, comment="the same variables as they were"),
        sa.Column("summary", sa.Text(), nullable=False, comment="the evidence as it was shown"),
        sa.Column("who", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("answered_at", time, nullable=True),
        sa.Column("written_at", time, nullable=True, comment="when the file was first known to hold it"),
        sa.Column("by_hand", sa.Boolean(), nullable=False, comment="a person writes the file, not the checker"),
        sa.Column("backup", sa.Text(), nullable=True, comment="the file's content before, beside it"),
        sa.Column(
            "problem",
            sa.Text(),
            nullable=True,
            comment="why an approved one is not written, or which deployment check failed",
        ),
        sa.Column("settled_at", time, nullable=True, comment="when the last state was reached"),
        sa.Column("asked_by", sa.String(length=255), nullable=True, comment="the DAG run that asks a person"),
        sa.Column("asked_until", time, nullable=True, comment="until then no other run asks"),
        sa.Column("version", sa.Integer(), nullable=False, comment="two answers at once: one of them wins"),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_switch_decision_id")),
        sa.ForeignKeyConstraint(["undoes"], ["switch.id"], name=op.f("fk_switch_undoes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_switch")),
        sa.UniqueConstraint("slot", name=op.f("uq_switch_slot")),
        comment="Proposed changes of production's settings file, who answered them and what became of them.",
    )
    op.create_index("ix_switch_proposed_at", "switch", ["proposed_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_switch_proposed_at", table_name="switch")
    op.drop_table("switch")
