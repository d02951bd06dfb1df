"""What was said of the figures of passing probes."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from kronos_health.store.types import METADATA, Id, UtcDateTime

figure_watch = Table(
    "figure_watch",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("probe_id", Id, ForeignKey("probe.id", ondelete="CASCADE"), nullable=False),
    Column("figure", String(32), nullable=False, comment="steady_latency, peak_memory, cold_compile or warm_compile"),
    Column("value", Float, nullable=False, comment="ms, of memory MiB; less is better"),
    Column(
        "label",
        String(24),
        nullable=False,
        comment="steady, suspicious, regression, improvement, insufficient_data or disturbed",
    ),
    Column("reason", Text, nullable=False),
    Column("sample", Integer, nullable=False, comment="probes behind the baseline"),
    Column("baseline", Float, comment="median since the last step; null without enough data"),
    Column("lower", Float, comment="bounds around the baseline: outside twice in a row is a step"),
    Column("upper", Float),
    Column("reference", Float, comment="the level before a regression that still stands; null when none does"),
    Column("judged_at", UtcDateTime, nullable=False),
    UniqueConstraint("probe_id", "figure"),
    comment="One figure of one passing probe beside those before it, as judged when it came.",
)
