"""The plan of a campaign, and the iterations that were lost while they ran."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from kronos_health.store.types import METADATA, Id, UtcDateTime

campaign_probe = Table(
    "campaign_probe",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("campaign_id", Id, ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False, comment="order in which the plan is run"),
    Column("target", String(64), nullable=False),
    Column("variant", String(128), nullable=False),
    Column("candidate", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("regime", String(16), nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("predictions", Integer, nullable=False),
    Column(
        "warmups",
        String(255),
        nullable=False,
        default="",
        server_default="",
        comment="numbers of warm-up calls that its iterations take in turn, separated by commas",
    ),
    Column("seed", Integer, nullable=False, comment="of the plan, not of the settings at the time of going on"),
    Column("csv", Text),
    Column("rows", Integer, nullable=False),
    Column("synthetic_seed", Integer, nullable=False),
    Column("lookback", Integer, nullable=False),
    Column("pred_len", Integer, nullable=False),
    Column("sample_count", Integer, nullable=False),
    Column("max_context", Integer, nullable=False),
    Column("accuracy_windows", Integer, nullable=False, comment="0: logits are not compared"),
    Column(
        "probe_id",
        Id,
        ForeignKey("probe.id", ondelete="SET NULL"),
        comment="the probe that measures this line; an earlier one, begun in another environment, is closed as lost",
    ),
    Column("claim", Id, comment="shown at every write: who lost the claim can store nothing any more"),
    Column("holder_machine", String(255), comment="host, boot and process namespace of the process that measures"),
    Column("holder_pid", Integer),
    Column("holder_started", Float, comment="seconds since 1970: tells a process from a later one of the same number"),
    Column("alive_at", UtcDateTime, comment="the holder's last sign of life; judged only from another machine"),
    Column("running_index", Integer, comment="iteration that runs now, or ran when its holder was killed"),
    Column("running_since", UtcDateTime),
    UniqueConstraint("campaign_id", "position"),
    Index("ix_campaign_probe_probe_id", "probe_id"),
    Index("ix_campaign_probe_claim", "claim"),
    comment="What a campaign set out to measure, written before it starts: a killed one goes on from here.",
)

interruption = Table(
    "interruption",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("probe_id", Id, ForeignKey("probe.id", ondelete="CASCADE"), nullable=False),
    Column("index", Integer, nullable=False, comment="the iteration that ran; it runs again with the same seeds"),
    Column("started_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False, comment="the last sign of life before the end"),
    Column("noticed_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_interruption_probe_id", "probe_id"),
    comment="An iteration that was running when its checker was killed or stopped: neither a pass nor a failure.",
)
