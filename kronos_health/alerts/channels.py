"""What every way out has in common: it takes a parcel and says, in one word, what became of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kronos_health.domain.alerts import Message

LONGEST_WAIT = 3600.0  # seconds a channel may ask to be left alone; after that it is asked again


class Verdict(StrEnum):
    """What became of an attempt. Only DELIVERED and UNKNOWN may mean that somebody saw the message."""

    DELIVERED = "delivered"
    NOT_DELIVERED = "not_delivered"  # surely not: try again later
    RATE_LIMITED = "rate_limited"  # surely not: the whole channel waits
    REFUSED = "refused"  # surely not, for a reason this program does not know: try some more times
    PAYLOAD = "payload"  # surely not: the message itself is at fault, plain text may pass
    CHANNEL = "channel"  # surely not, and nothing else will be until a person acts
    UNKNOWN = "unknown"  # it may have arrived: look before sending again
    STAGED = "staged"  # what the message shows was brought along; the message itself follows
    PARENT_GONE = "parent_gone"  # surely not: the message it answers is no longer there
    ABSENT = "absent"  # looked: it did not arrive
    UNREADABLE = "unreadable"  # cannot look, now or later


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its particulars. ``advice`` says what a person can do; ``retry_after`` is in seconds.

    ``orphaned``: the message it answered is gone, and it stands by itself; ``staged`` is the channel's id of what was
    brought along.
    """

    verdict: Verdict
    external_id: str | None = None
    error: str = ""
    advice: str = ""
    retry_after: float | None = None
    orphaned: bool = False
    staged: str | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to be handed over.

    ``parent_id`` and ``parent`` are the first message of its episode in this channel, where that arrived;
    ``known_address`` is the external id of the newest message delivered there; ``since`` is when it was first tried.
    ``reference`` is the id of the first message of its episode; ``png`` is its picture, ``staged`` the channel's own
    id of it once it was brought along; ``attempts`` counts this one.
    """

    id: str
    message: Message
    plain: bool = False
    parent_id: str | None = None
    parent: Message | None = None
    known_address: str | None = None
    since: datetime | None = None
    reference: str = ""
    png: bytes | None = None
    staged: str | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class ChannelCheck:
    """Whether a channel works. ``ok`` is ``None`` where only a real message could tell."""

    ok: bool | None
    detail: str


class Channel(ABC):
    """A way out. Nothing here raises: an attempt always ends in an :class:`Outcome`."""

    name: str
    pace_seconds: float = 0.0  # shortest time between two messages
    refreshes: bool = False  # whether a message that was sent can be made to show something else

    @abstractmethod
    def send(self, parcel: Parcel) -> Outcome:
        """Hand the parcel over, once."""

    def find(self, parcel: Parcel) -> Outcome:
        """Look whether an earlier attempt arrived: DELIVERED, ABSENT, UNREADABLE, or why it cannot be told now."""
        return Outcome(Verdict.UNREADABLE, error=f"{self.name} cannot be read back")

    def check(self) -> ChannelCheck:
        """Whether it would take messages, found out without sending one."""
        return ChannelCheck(None, f"{self.name} can only be checked by sending")
