"""numbers of the logs are kept by the hour"""

import math
from collections import Counter
from datetime import UTC
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import sqlalchemy as sa
from alembic import op

from kronos_health.store import types as store_types

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TIME = store_types.UtcDateTime(timezone=True)
_SAMPLE = sa.table(
    "log_sample",
    sa.column("id", sa.String),
    sa.column("generation_id", sa.String),
    sa.column("metric", sa.String),
    sa.column("subject", sa.String),
    sa.column("value", sa.Float),
    sa.column("seen_at", _TIME),
    sa.column("found_at", _TIME),
    sa.column("window_id", sa.String),
)
_GENERATION = sa.table("log_generation", sa.column("id", sa.String), sa.column("source_id", sa.String))
# DDSketch's logarithmic bins, as of this revision: 1 % relative error, zero is bin 0.
_GAMMA = 1.01 / 0.99
_POSITIVE = 40_000
_SMALLEST = 2.2250738585072014e-308 * _GAMMA


def upgrade() -> None:
    window, bins = _tables()
    # Not op.batch_alter_table: on SQLite that copies the table, and samples are many.
    op.add_column(
        "log_sample",
        sa.Column(
            "window_id",
            sa.String(length=36),
            nullable=True,
            comment="the log_window that counts it, too; no key: windows outlive samples",
        ),
    )
    op.create_index("ix_log_sample_window_id", "log_sample", ["window_id"])
    _move(window, bins)


def _tables() -> tuple[sa.Table, sa.Table]:
    window = op.create_table(
        "log_window",
        sa.Column(
            "id",
            sa.String(length=36),
            nullable=False,
            comment="made from the four below, so that it can be added to unseen",
        ),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column(
            "subject",
            sa.String(length=64),
            nullable=False,
            comment="symbol or model; empty where the lines name none",
        ),
        sa.Column("hour_at", _TIME, nullable=False, comment="start of an hour, by the records' own times"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False, comment="sum of the values"),
        sa.Column("minimum", sa.Float(), nullable=False),
        sa.Column("maximum", sa.Float(), nullable=False),
        sa.Column("first_at", _TIME, nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["log_source.id"], name=op.f("fk_log_window_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_window")),
        sa.UniqueConstraint(
            "source_id", "metric", "subject", "hour_at", name=op.f("uq_log_window_source_id_metric_subject_hour_at")
        ),
        comment="The samples of an hour: what is kept of them for long.",
    )
    op.create_index("ix_log_window_hour_at", "log_window", ["hour_at"])
    bins = op.create_table(
        "log_window_bin",
        sa.Column("window_id", sa.String(length=36), nullable=False),
        sa.Column(
            "bin",
            sa.Integer(),
            nullable=False,
            comment="DDSketch bins of 1 % relative error, in the order of their values",
        ),
        sa.Column("value", sa.Float(), nullable=False, comment="stands for all values of the bin"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["window_id"], ["log_window.id"], name=op.f("fk_log_window_bin_window_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("window_id", "bin", name=op.f("pk_log_window_bin")),
        comment="Quantile sketch of a window: windows are merged by adding counts of equal bins.",
    )
    return window, bins


def _move(window: sa.Table, bins: sa.Table) -> None:
    """Count the samples there are by the hour, and let each know its hour."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.select(_SAMPLE, _GENERATION.c.source_id).join(_GENERATION, _GENERATION.c.id == _SAMPLE.c.generation_id)
    )
    hours: dict[str, dict[str, Any]] = {}
    sketches: Counter[tuple[str, int]] = Counter()
    named = []
    for row in rows:
        value = max(min(row.value, 1e200), -1e200)  # sums of larger ones would be no numbers any more
        at = (row.seen_at or row.found_at).astimezone(UTC)
        subject = row.subject or ""
        key = str(uuid5(NAMESPACE_OID, f"{row.source_id}/{row.metric}/{subject}/{at:%Y-%m-%dT%H}"))
        named.append({"sample": row.id, "hour": key})
        sketches[key, _bin(value)] += 1
        known = hours.setdefault(
            key,
            {
                "id": key,
                "source_id": row.source_id,
                "metric": row.metric,
                "subject": subject,
                "hour_at": at.replace(minute=0, second=0, microsecond=0),
                "count": 0,
                "total": 0.0,
                "minimum": value,
                "maximum": value,
                "first_at": at,
                "last_at": at,
            },
        )
        known |= {
            "count": known["count"] + 1,
            "total": known["total"] + value,
            "minimum": min(known["minimum"], value),
            "maximum": max(known["maximum"], value),
            "first_at": min(known["first_at"], at),
            "last_at": max(known["last_at"], at),
        }
    if not hours:
        return
    connection.execute(window.insert(), list(hours.values()))
    connection.execute(
        bins.insert(),
        [
            {"window_id": key, "bin": number, "value": _value(number), "count": count}
            for (key, number), count in sketches.items()
        ],
    )
    connection.execute(
        sa.update(_SAMPLE).where(_SAMPLE.c.id == sa.bindparam("sample")).values(window_id=sa.bindparam("hour")), named
    )


def _bin(value: float) -> int:
    if abs(value) <= _SMALLEST:
        return 0
    key = math.ceil(math.log(abs(value)) / math.log(_GAMMA)) + _POSITIVE
    return key if value > 0 else -key


def _value(number: int) -> float:
    if number == 0:
        return 0.0
    size = math.exp((abs(number) - _POSITIVE) * math.log(_GAMMA)) * 2 / (1 + _GAMMA)
    return size if number > 0 else -size


def downgrade() -> None:
    op.drop_table("log_window_bin")
    op.drop_table("log_window")
    op.drop_index("ix_log_sample_window_id", "log_sample")
    op.drop_column("log_sample", "window_id")
