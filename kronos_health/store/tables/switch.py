"""Proposed changes of production's settings file."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from kronos_health.store.types import METADATA, Id, UtcDateTime

switch = Table(
    "switch",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("target", String(64), nullable=False),
    Column("variant", String(128), nullable=False),
    Column(
        "decision_id", Id, ForeignKey("decision.id"), comment="what it rests on; null for one that a person asked for"
    ),
    Column(
        "evidence_key", String(64), nullable=False, comment="what a rejection holds for, until the evidence changes"
    ),
    Column("confidence", String(16), nullable=False),
    Column(
        "state",
        String(16),
        nullable=False,
        comment="proposed, approved, written, passed, failed, rejected, withdrawn or rolled_back",
    ),
    Column("slot", String(8), comment="'open' until it is answered and written, else null: at most one is open"),
    Column("undoes", Id, ForeignKey("switch.id"), comment="the proposal that this one takes back"),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("file", Text, nullable=False),
    Column("before_sha256", String(64), nullable=False, comment="of the file that the person saw; it may hold secrets"),
    Column("after_sha256", String(64), nullable=False),
    Column("diff", Text, nullable=False, comment="unified, secrets masked"),
    Column("changes", Text, nullable=False, comment="JSON pairs of variable and value; null: not set"),
    Column("former", Text, nullable=False, comment="the same variables as they were"),
    Column("summary", Text, nullable=False, comment="the evidence as it was shown"),
    Column("who", String(128)),
    Column("reason", Text),
    Column("answered_at", UtcDateTime),
    Column("written_at", UtcDateTime, comment="when the file was first known to hold it"),
    Column("by_hand", Boolean, nullable=False, default=False, comment="a person writes the file, not the checker"),
    Column("backup", Text, comment="the file's content before, beside it"),
    Column("problem", Text, comment="why an approved one is not written, or which deployment check failed"),
    Column("settled_at", UtcDateTime, comment="when the last state was reached"),
    Column("asked_by", String(255), comment="the DAG run that asks a person"),
    Column("asked_until", UtcDateTime, comment="until then no other run asks"),
    Column("version", Integer, nullable=False, default=0, comment="two answers at once: one of them wins"),
    UniqueConstraint("slot"),
    Index("ix_switch_proposed_at", "proposed_at"),
    comment="Proposed changes of production's settings file, who answered them and what became of them.",
)
