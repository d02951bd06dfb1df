"""Alerts, their transitions, the outbox, channels and heartbeats."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from kronos_health.store.types import METADATA, Id, UtcDateTime

alert = Table(
    "alert",
    METADATA,
    Column("fingerprint", String(255), primary_key=True, comment="kind and key"),
    Column("kind", String(64), nullable=False),
    Column("key", String(190), nullable=False),
    Column("state", String(16), nullable=False),
    Column("episode", Integer, nullable=False, default=0),
    Column("sequence", Integer, nullable=False, default=0),
    Column("occurrences", BigInteger, nullable=False, default=0),
    Column("positives", BigInteger, nullable=False, default=0),
    Column("pending_since", UtcDateTime),
    Column("fired_at", UtcDateTime),
    Column("last_bad_at", UtcDateTime),
    Column("recovering_since", UtcDateTime),
    Column("resolved_at", UtcDateTime),
    Column("last_message_at", UtcDateTime),
    Column("unknown_since", UtcDateTime, comment="the watched thing cannot be seen: the state is frozen"),
    Column(
        "announced_occurrences",
        BigInteger,
        nullable=False,
        default=0,
        comment="of occurrences, how many the last message knew of",
    ),
    Column("last_observation", String(64), comment="identity of the last dated observation: a replay adds nothing"),
    Column("acknowledged_at", UtcDateTime, comment="within the episode; null again when it is over or gets worse"),
    Column("acknowledged_by", String(200)),
    Column("seen", String(8), comment="good, bad or unknown, by the last look"),
    Column("looks", String(64), nullable=False, default="", comment="b and g of the last looks, where N of M count"),
    Column("told_at", UtcDateTime, comment="when people were first told of the episode, or that it got worse"),
    Column("told_severity", String(16), comment="how severe it was then"),
    Column("escalated_at", UtcDateTime),
    Column("flapping_since", UtcDateTime),
    Column("changed_at", UtcDateTime, comment="when it last fired, relapsed or began to recover"),
    Column("due_at", UtcDateTime, comment="when there may be something to say without a new look"),
    Column("silenced_by", Id, comment="the silence that keeps it quiet: when that is over and it is bad, it is said"),
    Column("title", Text, nullable=False, default=""),
    Column("severity", String(16), nullable=False, default="info"),
    Column("version", Integer, nullable=False, default=0, comment="compare-and-set"),
    Column("particulars", Text, comment="JSON: what was said of its last bad look, for reminders and its end"),
    Index("ix_alert_state", "state"),
    Index(
        "ix_alert_due_at",
        "due_at",
        postgresql_where=text("due_at is not null"),
        sqlite_where=text("due_at is not null"),
    ),
    comment="The state of each watched thing.",
)

alert_transition = Table(
    "alert_transition",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("fingerprint", String(255), ForeignKey("alert.fingerprint", ondelete="CASCADE"), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("announced", Boolean, nullable=False),
    Index("ix_alert_transition_fingerprint_at", "fingerprint", "at"),
    comment="Every step of every alert: queue and audit trail in one.",
)

alert_silence = Table(
    "alert_silence",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("matchers", Text, nullable=False, comment="one a line, such as key=~kronos/.*; all must hold"),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, comment="moved to now where a person ends it"),
    Column("author", String(200), nullable=False),
    Column("comment", Text, nullable=False, default=""),
    Column("via", String(16), nullable=False, comment="cli, slack or page"),
    Index("ix_alert_silence_ends_at", "ends_at"),
    comment="Alerts that are recorded and not sent, because a person asked for it.",
)

alert_action = Table(
    "alert_action",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(200), nullable=False),
    Column("via", String(16), nullable=False, comment="cli, slack or page"),
    Column("action", String(32), nullable=False),
    # No foreign keys: the audit trail outlives what it is about.
    Column("fingerprint", String(255), comment="the alert it is about, if it is about one"),
    Column("silence_id", Id, comment="the silence it is about, if it is about one"),
    Column("detail", Text, nullable=False, default=""),
    Index("ix_alert_action_at", "at"),
    Index("ix_alert_action_fingerprint", "fingerprint"),
    comment="What people did about alerts: who, when and where.",
)

channel = Table(
    "channel",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("disabled_at", UtcDateTime),
    Column("disabled_reason", Text, comment="Slack's own word, and what to do"),
    Column("not_before", UtcDateTime, comment="rate limit: nothing is sent to this channel earlier"),
    Column("last_sent_at", UtcDateTime),
    comment="Ways out, and whether they work.",
)

outbox = Table(
    "outbox",
    METADATA,
    Column(
        "id",
        Id,
        primary_key=True,
        comment="uuid5(channel, fingerprint, episode, kind, sequence): the same message can be queued only once",
    ),
    Column("channel", String(32), nullable=False),
    Column("fingerprint", String(255), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", String(32), nullable=False, comment="transition kind"),
    Column("state", String(16), nullable=False),
    Column(
        "message",
        Text,
        nullable=False,
        comment="the channel-neutral message as JSON: written once, rendered by the channel",
    ),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("lease_owner", String(64)),
    Column("first_claimed_at", UtcDateTime, comment="read-back looks from here"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("plain", Boolean, nullable=False, default=False, comment="the rich form was refused: send plain text"),
    Column("external_id", String(128), comment="Slack's conversation and ts of the message"),
    Column("last_error", Text),
    Column("sent_at", UtcDateTime),
    Column(
        "shown", Text, comment="JSON: how the alert stood when this message, the first of its episode, last showed it"
    ),
    Column(
        "staged", String(64), comment="what was brought to the channel ahead of the message: Slack's id of its picture"
    ),
    Column("told_in", Id, comment="the message that tells this one and others"),
    Column(
        "over_at",
        UtcDateTime,
        comment="of a message that tells several alerts: when it was made to show that all are over",
    ),
    Index(
        "ix_outbox_held",
        "channel",
        "next_at",
        postgresql_where=text("state = 'held'"),
        sqlite_where=text("state = 'held'"),
    ),
    # In the order in which messages are taken up, so that the next one is the first entry that need not wait.
    Index(
        "ix_outbox_due",
        "channel",
        "next_at",
        "created_at",
        "fingerprint",
        "episode",
        "sequence",
        postgresql_where=text("state in ('pending', 'sending', 'unknown')"),
        sqlite_where=text("state in ('pending', 'sending', 'unknown')"),
    ),
    # Two to tell in one step each whether an earlier message of the alert is still to come.
    Index(
        "ix_outbox_open_of_alert",
        "channel",
        "fingerprint",
        "episode",
        "sequence",
        postgresql_where=text("state in ('pending', 'sending', 'unknown')"),
        sqlite_where=text("state in ('pending', 'sending', 'unknown')"),
    ),
    Index(
        "ix_outbox_told_elsewhere",
        "channel",
        "fingerprint",
        "episode",
        "sequence",
        postgresql_where=text("told_in is not null"),
        sqlite_where=text("told_in is not null"),
    ),
    Index(
        "ix_outbox_leased",
        "channel",
        "lease_until",
        postgresql_where=text("state = 'sending'"),
        sqlite_where=text("state = 'sending'"),
    ),
    # Neither partial nor led by the channel: SQLite would prefer that where one episode is asked for, and visit it all.
    Index("ix_outbox_sent_at", "sent_at"),
    Index("ix_outbox_fingerprint_episode", "fingerprint", "episode"),
    Index("ix_outbox_told_in", "told_in"),
    # Messages that tell several alerts, not all of which were over when last looked at.
    Index(
        "ix_outbox_followed",
        "channel",
        postgresql_where=text("kind = 'grouped' and over_at is null"),
        sqlite_where=text("kind = 'grouped' and over_at is null"),
    ),
    comment="Messages on their way.",
)

picture = Table(
    "picture",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("png", LargeBinary, nullable=False),
    Index("ix_picture_made_at", "made_at"),
    comment="Images that go with messages: kept until their message is past its retention.",
)

heartbeat = Table(
    "heartbeat",
    METADATA,
    Column("id", Id, primary_key=True),
    Column("check", String(32), nullable=False, comment="probe, scan, watch, revisit, deliver, digest, housekeeping"),
    Column("subject", String(64), comment="the source, target …"),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime, comment="null: running, or killed"),
    Column("verdict", String(16), comment="ok, attention or failed"),
    Column("message", Text),
    Index("ix_heartbeat_check_started_at", "check", "started_at"),
    comment="Every run of every check: the checker's own pulse.",
)
