"""Releases, commits, drift and deployments."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint, text

from kronos_health.store.types import METADATA, Id, UtcDateTime

upstream_release = Table(
    "upstream_release",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("package", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("first_look", Boolean, nullable=False, comment="it was there when the watch began: not news"),
    UniqueConstraint("package", "version"),
    comment="Releases of torch as the package index lists them.",
)

upstream_commit = Table(
    "upstream_commit",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("repository", String(64), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("ref", String(128), nullable=False),
    Column("subject", Text, nullable=False),
    Column("committed_at", UtcDateTime),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("first_look", Boolean, nullable=False),
    Column("last_seen_at", UtcDateTime, comment="a ref can return to an older commit: the newest of these is current"),
    Column("contained", Boolean, comment="the checkout's HEAD already holds it; null where that is not known"),
    UniqueConstraint("repository", "ref", "commit"),
    comment="Revisions of the Kronos checkout and of its remote.",
)

upstream_look = Table(
    "upstream_look",
    METADATA,
    Column("subject", String(64), primary_key=True),
    Column("last_ok_at", UtcDateTime),
    Column("unknown_since", UtcDateTime, comment="since when it could not be looked up; null when it could"),
    Column("reason", Text),
    comment="When each upstream was last seen: 'unknown since' is an answer.",
)

settings_drift = Table(
    "settings_drift",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("where", String(255), nullable=False),
    Column("key", String(128), nullable=False),
    Column("expected", Text, nullable=False),
    Column("actual", Text),
    Column("kind", String(16), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("cleared_at", UtcDateTime),
    Index("ix_settings_drift_cleared_at", "cleared_at"),
    # At most one open row per place and variable, also when two watches run at once.
    Index(
        "uq_settings_drift_open",
        "where",
        "key",
        unique=True,
        postgresql_where=text("cleared_at IS NULL"),
        sqlite_where=text("cleared_at IS NULL"),
    ),
    comment="Production's settings that do not follow the decision.",
)

deployment = Table(
    "deployment",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("deployed_at", UtcDateTime, nullable=False),
    Column("origin", String(16), nullable=False, comment="revision, process or reported"),
    Column("revision", String(128)),
    Column("note", Text, nullable=False),
    Column("first_look", Boolean, nullable=False, default=False, comment="it was there when the watch began: not news"),
    comment="Production changed; the deployment checks count from here.",
)

candidate_trial = Table(
    "candidate_trial",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("candidate", String(128), nullable=False),
    Column("attempt", Integer, nullable=False, comment="from 1; news is tried again only while probing itself fails"),
    Column("ordered_at", UtcDateTime, nullable=False),
    UniqueConstraint("candidate", "attempt"),
    comment="Trials of news that the checker ordered by itself. What came of them is in the probes of the candidate.",
)
