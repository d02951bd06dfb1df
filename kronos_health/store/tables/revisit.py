"""Criterion evaluations and decisions."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from kronos_health.store.types import METADATA, Id, UtcDateTime

decision = Table(
    "decision",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("target", String(64), nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("variant", String(128)),
    Column("confidence", String(16), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("evidence_at", UtcDateTime, comment="newest admissible evidence"),
    Column("imported", Boolean, nullable=False, default=False),
    Index("ix_decision_target_decided_at", "target", "decided_at"),
    comment="EAGER or COMPILED. The checker proposes; a person decides.",
)

criterion_evaluation = Table(
    "criterion_evaluation",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("decision_id", Id, ForeignKey("decision.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(32), nullable=False),
    Column("variant", String(128)),
    Column("state", String(16), nullable=False, comment="met, not_met or unknown"),
    Column("value", Text, nullable=False),
    Column("threshold", Text, nullable=False),
    Column("explanation", Text, nullable=False),
    Index("ix_criterion_evaluation_decision_id", "decision_id"),
    comment="One of the four criteria at one decision.",
)

criterion_evidence = Table(
    "criterion_evidence",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("evaluation_id", Id, ForeignKey("criterion_evaluation.id", ondelete="CASCADE"), nullable=False),
    Column("table_name", String(64), nullable=False),
    Column("row_id", Id, nullable=False),
    Column("admissible", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_criterion_evidence_evaluation_id", "evaluation_id"),
    comment="The rows a criterion rests on.",
)

variant_standing = Table(
    "variant_standing",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("decision_id", Id, ForeignKey("decision.id", ondelete="CASCADE"), nullable=False),
    Column("variant", String(128), nullable=False),
    Column("fingerprint", String(64)),
    Column("passed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("days", Integer, nullable=False),
    Column("broken", Boolean, nullable=False),
    Column("confidence", String(16), nullable=False),
    Column("e_value_half", Float, nullable=False),
    Column("e_value_four_fifths", Float, nullable=False),
    Column("e_value_nine_tenths", Float, nullable=False),
    Column("lower_bound", Float, nullable=False),
    Column("last_outcome", String(32)),
    Column("admissible", Boolean, nullable=False),
    Column("candidate", String(128), nullable=False, default="production"),
    Column("since", UtcDateTime, comment="first probe counted: the one after the last change of the fingerprint"),
    Column("newest_at", UtcDateTime, comment="last probe counted"),
    Column("reset", Text, comment="what changed when counting began anew; null: nothing was counted before"),
    Index("ix_variant_standing_decision_id", "decision_id"),
    comment="What the history says of each variant at one decision.",
)
