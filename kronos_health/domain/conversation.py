"""What people ask for in Slack, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Wish(StrEnum):
    """What a person can ask for in Slack."""

    ACKNOWLEDGE = "acknowledge"
    SILENCE = "silence"
    PROBE = "probe"
    STATUS = "status"
    HELP = "help"


class RequestVerdict(StrEnum):
    """What came of a request."""

    DONE = "done"
    REFUSED = "refused"  # the person may not, or there is nothing to do it to
    FAILED = "failed"  # a fault of ours


@dataclass(frozen=True, slots=True)
class SlackRequest:
    """One press of a button or one slash command.

    ``id`` is made of what Slack calls it, so that a redelivery is the same request. ``outbox_id`` is the message whose
    button was pressed. ``answer_url`` takes answers that only this person sees, for half an hour.
    """

    id: str
    received_at: datetime
    wish: Wish
    user_id: str
    user_name: str
    conversation: str
    conversation_name: str = ""
    seconds: int = 0
    outbox_id: str | None = None
    answer_url: str | None = None

    @property
    def who(self) -> str:
        """The person as the audit trail names them."""
        return f"{self.user_name} ({self.user_id})" if self.user_name else self.user_id


@dataclass(frozen=True, slots=True)
class AskedProbe:
    """A probe that a person asked for. ``target`` ``None`` means those of the settings."""

    id: str
    asked_at: datetime
    who: str
    via: str
    target: str | None = None
    taken_at: datetime | None = None
    taken_by: str | None = None
    finished_at: datetime | None = None
    campaign_id: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens to Slack; ``alive_at`` is its last sign of life."""

    host: str
    pid: int
    started_at: datetime
    alive_at: datetime
    connected: bool
    ended_at: datetime | None = None
    problem: str | None = None
