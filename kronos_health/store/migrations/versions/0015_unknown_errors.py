"""errors that no signature knows are grouped by kind"""

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TIME = store_types.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "log_error_kind",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("fingerprint_version", sa.Integer(), nullable=False),
        sa.Column(
            "raised", sa.String(length=128), nullable=True, comment="type of the exception; null where there is none"
        ),
        sa.Column("message", sa.Text(), nullable=False, comment="secrets masked, what varies named by its kind"),
        sa.Column("record", sa.Text(), nullable=False, comment="the first one, secrets masked"),
        sa.Column("line", sa.BigInteger(), nullable=False, comment="of the first one, within its file"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", _TIME, nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.Column("found_at", _TIME, nullable=False),
        sa.Column(
            "scan_id",
            sa.String(length=36),
            nullable=False,
            comment="the scan that saw it first; no key: scans are forgotten sooner",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["log_source.id"], name=op.f("fk_log_error_kind_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_error_kind")),
        sa.UniqueConstraint("source_id", "fingerprint", name=op.f("uq_log_error_kind_source_id_fingerprint")),
        comment="Kinds of errors that no signature knows; counted by the hour in log_tally as unknown_error.",
    )
    op.create_index("ix_log_error_kind_scan_id", "log_error_kind", ["scan_id"])


def downgrade() -> None:
    op.drop_table("log_error_kind")
