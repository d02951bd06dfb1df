"""Log sources, their generations and cursors, scans, findings, samples and gaps."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from kronos_health.store.types import METADATA, Id, UtcDateTime

log_source = Table(
    "log_source",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("path", Text, nullable=False),
    Column("host", String(255), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("first_scanned_at", UtcDateTime),
    Column("last_scanned_at", UtcDateTime),
    Column("problem", Text, comment="why it could not be read last time; null when it could"),
    Column("problem_since", UtcDateTime),
    comment="A configured log.",
)

log_generation = Table(
    "log_generation",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("source_id", Id, ForeignKey("log_source.id", ondelete="CASCADE"), nullable=False),
    Column("path", Text, nullable=False, comment="last path it was seen at; a hint, not its identity"),
    Column("inode", BigInteger, comment="a hint"),
    Column("compression", String(8)),
    Column("head_sha256", String(64), nullable=False),
    Column("head_length", Integer, nullable=False),
    Column("tail_sha256", String(64), nullable=False),
    Column("tail_length", Integer, nullable=False),
    Column(
        "offset",
        BigInteger,
        nullable=False,
        comment="start of the first record not yet read to its end, decompressed bytes",
    ),
    Column("line", BigInteger, nullable=False, comment="lines before offset"),
    Column("size_seen", BigInteger, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("finished", Boolean, nullable=False, default=False),
    Column(
        "version",
        Integer,
        nullable=False,
        default=0,
        comment="compare-and-set: two scans can never both move the cursor",
    ),
    Column("hint", String(128), comment="file it was last proven in; an unchanged file is not read again"),
    Column(
        "history_until",
        BigInteger,
        nullable=False,
        default=0,
        comment="up to here: left over from the source's first scan, pages nobody",
    ),
    Column(
        "live_path",
        Text,
        nullable=False,
        default="",
        server_default="",
        comment="live file of the log it belongs to; empty: written when a source was one log",
    ),
    Column("gone_at", UtcDateTime, comment="since when no file holds it and the gap behind it is told"),
    Index("ix_log_generation_source_id_finished", "source_id", "finished"),
    comment="One file of a log through its rotations, known by content.",
)

log_scan = Table(
    "log_scan",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("source_id", Id, ForeignKey("log_source.id", ondelete="CASCADE"), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("undecodable", BigInteger, nullable=False, comment="bytes that are not valid in the source's encoding"),
    Column("truncated", BigInteger, nullable=False, comment="records cut at the cap"),
    Column("lag_bytes", BigInteger, nullable=False, comment="left for the next scan by the budget"),
    Column("first_run", Boolean, nullable=False, comment="history of a newly configured source: no pages"),
    Column("problem", Text),
    Column(
        "duplicates",
        BigInteger,
        nullable=False,
        default=0,
        comment="findings refused by the second belt: always 0, or a bug",
    ),
    Index("ix_log_scan_source_id_started_at", "source_id", "started_at"),
    comment="One reading of one source.",
)

finding = Table(
    "finding",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("generation_id", Id, ForeignKey("log_generation.id", ondelete="CASCADE"), nullable=False),
    Column("scan_id", Id, ForeignKey("log_scan.id", ondelete="CASCADE"), nullable=False),
    Column("signature", String(64), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("start_offset", BigInteger, nullable=False),
    Column("end_offset", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("seen_at", UtcDateTime, comment="the record's own time"),
    Column("found_at", UtcDateTime, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("fingerprint_version", Integer, nullable=False, comment="a new version never regroups old rows"),
    Column("reason", Text),
    Column("record", Text, nullable=False, comment="secrets masked; empty where the per-fingerprint budget was spent"),
    Column("truncated", Boolean, nullable=False),
    Column("subject", String(64), comment="e.g. the model it is about; null where the record names none"),
    UniqueConstraint(
        "generation_id", "start_offset", "signature", comment="second belt against reporting a line twice"
    ),
    Index("ix_finding_signature_found_at", "signature", "found_at"),
    Index("ix_finding_fingerprint", "fingerprint"),
    comment="A signature was seen in a record.",
)

log_sample = Table(
    "log_sample",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("generation_id", Id, ForeignKey("log_generation.id", ondelete="CASCADE"), nullable=False),
    Column("scan_id", Id, ForeignKey("log_scan.id", ondelete="CASCADE"), nullable=False),
    Column("metric", String(64), nullable=False),
    Column("subject", String(64)),
    Column("value", Float, nullable=False),
    Column("seen_at", UtcDateTime),
    Column("found_at", UtcDateTime, nullable=False),
    Column("start_offset", BigInteger, nullable=False),
    Column("window_id", Id, comment="the log_window that counts it, too; no key: windows outlive samples"),
    Index("ix_log_sample_metric_found_at", "metric", "found_at"),
    Index("ix_log_sample_window_id", "window_id"),
    comment="A number read from a log line.",
)

log_window = Table(
    "log_window",
    METADATA,
    Column("id", Id, primary_key=True, comment="made from the four below, so that it can be added to unseen"),
    Column("source_id", Id, ForeignKey("log_source.id", ondelete="CASCADE"), nullable=False),
    Column("metric", String(64), nullable=False),
    Column("subject", String(64), nullable=False, comment="symbol or model; empty where the lines name none"),
    Column("hour_at", UtcDateTime, nullable=False, comment="start of an hour, by the records' own times"),
    Column("count", BigInteger, nullable=False),
    Column("total", Float, nullable=False, comment="sum of the values"),
    Column("minimum", Float, nullable=False),
    Column("maximum", Float, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    UniqueConstraint("source_id", "metric", "subject", "hour_at"),
    Index("ix_log_window_hour_at", "hour_at"),
    comment="The samples of an hour: what is kept of them for long.",
)

log_window_bin = Table(
    "log_window_bin",
    METADATA,
    Column("window_id", Id, ForeignKey("log_window.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "bin", Integer, primary_key=True, comment="DDSketch bins of 1 % relative error, in the order of their values"
    ),
    Column("value", Float, nullable=False, comment="stands for all values of the bin"),
    Column("count", BigInteger, nullable=False),
    comment="Quantile sketch of a window: windows are merged by adding counts of equal bins.",
)

log_tally = Table(
    "log_tally",
    METADATA,
    Column("source_id", Id, ForeignKey("log_source.id", ondelete="CASCADE"), primary_key=True),
    Column("signature", String(64), primary_key=True),
    Column("subject", String(64), primary_key=True, comment="e.g. the model; empty where the signature has none"),
    Column("bucket_at", UtcDateTime, primary_key=True, comment="start of a minute, by the records' own times"),
    Column("count", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Index("ix_log_tally_signature_last_at", "signature", "last_at"),
    comment="How often signatures of severity info were seen: too frequent to store each record.",
)

log_error_kind = Table(
    "log_error_kind",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("source_id", Id, ForeignKey("log_source.id", ondelete="CASCADE"), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("fingerprint_version", Integer, nullable=False),
    Column("raised", String(128), comment="type of the exception; null where there is none"),
    Column("message", Text, nullable=False, comment="secrets masked, what varies named by its kind"),
    Column("record", Text, nullable=False, comment="the first one, secrets masked"),
    Column("line", BigInteger, nullable=False, comment="of the first one, within its file"),
    Column("count", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    Column("scan_id", Id, nullable=False, comment="the scan that saw it first; no key: scans are forgotten sooner"),
    UniqueConstraint("source_id", "fingerprint"),
    Index("ix_log_error_kind_scan_id", "scan_id"),
    comment="Kinds of errors that no signature knows; counted by the hour in log_tally as unknown_error.",
)

gap = Table(
    "gap",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("generation_id", Id, ForeignKey("log_generation.id", ondelete="CASCADE"), nullable=False),
    Column("scan_id", Id, ForeignKey("log_scan.id", ondelete="CASCADE"), nullable=False),
    Column("start_offset", BigInteger, nullable=False),
    Column("end_offset", BigInteger, comment="null where the size was not known"),
    Column("reason", Text, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    UniqueConstraint("generation_id", "start_offset"),
    comment="Bytes that vanished unread.",
)
