"""What people do about alerts: silences, and every action with who and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kronos_health.domain.matching import Matcher, Subject, all_hold


class Via(StrEnum):
    """Where a person acted."""

    CLI = "cli"
    SLACK = "slack"
    PAGE = "page"


class ActionKind(StrEnum):
    """What a person did."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    SILENCE = "silence"
    EXTEND_SILENCE = "extend_silence"
    EXPIRE_SILENCE = "expire_silence"


@dataclass(frozen=True, slots=True)
class Silence:
    """Matching alerts are recorded and not sent until ``ends_at`` (exclusive)."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    via: Via = Via.CLI

    def covers(self, subject: Subject) -> bool:
        """Whether every matcher holds for ``subject``; time is not asked about."""
        return all_hold(self.matchers, subject)


@dataclass(frozen=True, slots=True)
class Action:
    """A row of the audit trail. It is about an alert (``fingerprint``) or about a silence (``silence_id``)."""

    id: str
    at: datetime
    who: str
    via: Via
    kind: ActionKind
    fingerprint: str | None
    silence_id: str | None
    detail: str


def longest(silences: Iterable[Silence], subject: Subject) -> Silence | None:
    """Of the silences that cover ``subject``, the one that ends last."""
    covering = [silence for silence in silences if silence.covers(subject)]
    return max(covering, key=lambda silence: (silence.ends_at, silence.id), default=None)
