"""The timeline test language: what happened when, and which messages people had by then.

Hours are those of a clock on the wall that always runs forward. The machine's own clock, which every decision goes by,
may be set otherwise (``clock_is_off``). ::

    story.at(1).hit("graph_reuse")
    story.at(2).acknowledged("graph_reuse", by="maria")
    story.expect(between(1, 2)).message("fired graph_reuse")
    story.expect(between(2, 48)).nothing()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from kronos_health.alerts.channels import Channel, Outcome, Parcel, Verdict
from kronos_health.alerts.outbox import deliver
from kronos_health.alerts.recording import record
from kronos_health.checks import acting, delivering
from kronos_health.checks.context import Context
from kronos_health.domain.alerts import AlertKind, Observation, ObservationState
from kronos_health.domain.logs import Severity
from kronos_health.domain.silences import Via
from kronos_health.domain.upstream import Deployment
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as store
from kronos_health.store import outbox, together
from kronos_health.store.database import open_engine, reading, writing
from kronos_health.store.upstream import record_deployments
from tests.alerts.conftest import BRISK
from tests.alerts.timeline import START

QUARTER, _YEAR = 0.25, timedelta(days=365)
CHANNELS = ("console", "slack", "slack_webhook")


@dataclass(frozen=True)
class Told:
    """A message that arrived: when by the clock on the wall, where, and what it was."""

    hour: float
    channel: str
    what: str  # "fired graph_reuse"
    parcel: Parcel


@dataclass(frozen=True)
class Between:
    """Hours from ``begin`` (included) to ``end`` (not included)."""

    begin: float
    end: float


def between(begin: float, end: float) -> Between:
    """From one hour up to another."""
    return Between(begin, end)


class _Listener(Channel):
    """A channel that everything arrives in."""

    def __init__(self, name: str, story: Story) -> None:
        self.name, self._story = name, story

    def send(self, parcel: Parcel) -> Outcome:
        what = f"{parcel.message.transition.value} {parcel.message.kind.value}"
        self._story.told.append(Told(self._story.hour, self.name, what, parcel))
        return Outcome(Verdict.DELIVERED, external_id=f"{self.name}:{len(self._story.told)}")


@dataclass
class Story:
    """Everything is in the database: the story goes on after any restart."""

    url: str
    settings: Settings
    hour: float = 0.0
    off: timedelta = timedelta(0)
    told: list[Told] = field(default_factory=list)
    engine: Engine | None = None
    silences: list[str] = field(default_factory=list)
    channels: Mapping[str, Channel] | None = None  # real ones, where listening is not enough

    def now(self) -> datetime:
        """What the machine's clock shows."""
        return START + timedelta(hours=self.hour) + self.off

    @property
    def context(self) -> Context:
        if self.engine is None:
            self.engine = open_engine(self.url)
        return Context(self.settings, self.engine, self.now)

    # -- time --

    def at(self, hour: float) -> Story:
        """Let time pass up to ``hour``; whoever delivers comes by every quarter of an hour."""
        assert hour >= self.hour, "the clock on the wall runs forward"
        while self.hour + QUARTER < hour:
            self.hour += QUARTER
            if self._something_is_due():
                self.deliver()
        self.hour = hour
        self.deliver()
        return self

    def _something_is_due(self) -> bool:
        """Asked first only because it is quick to ask."""
        with reading(self.context.engine) as connection:
            held = [name for name in CHANNELS if together.held(connection, name, self.now(), self.now() + _YEAR)]
            return bool(held or store.due_alerts(connection, self.now(), 1) or outbox.waiting(connection))

    def deliver(self) -> None:
        context = self.context
        delivering.remind(context)
        channels = self.channels or {name: _Listener(name, self) for name in CHANNELS}
        deliver(context.engine, channels, self.settings, self.now, pace=BRISK)

    def restart(self) -> Story:
        """The program ends, whatever it held in memory is gone, and it begins again."""
        if self.engine is not None:
            self.engine.dispose()
        self.engine = None
        return self

    def clock_is_off(self, hours: float) -> Story:
        """From now on the machine's clock shows so much more (or less) than the one on the wall."""
        self.off = timedelta(hours=hours)
        return self

    # -- what is seen --

    def hit(self, kind: str, key: str = "prod", **values: Any) -> Story:
        """A check looked and it was bad."""
        return self._saw(ObservationState.BAD, kind, key, **values)

    def unsent_hit(self, kind: str, key: str) -> Story:
        """As :meth:`hit`, before anybody delivers."""
        return self._saw(ObservationState.BAD, kind, key, delivers=False)

    def unsent_well(self, kind: str, key: str = "prod", **values: Any) -> Story:
        """As :meth:`well`, before anybody delivers."""
        return self._saw(ObservationState.GOOD, kind, key, delivers=False, **values)

    def all_hit(self, *seen: tuple[str, str]) -> Story:
        """One check found all of these."""
        for kind, key in seen:
            self.unsent_hit(kind, key)
        self.deliver()
        return self

    def deployed(self) -> Story:
        """Production changed."""
        with writing(self.context.engine) as connection:
            record_deployments(connection, [Deployment(self.now(), "reported", None, "a new version")])
        return self

    def well(self, kind: str, key: str = "prod", **values: Any) -> Story:
        """A check looked and it was good; ``positives`` are signs of health."""
        return self._saw(ObservationState.GOOD, kind, key, **values)

    def blind(self, kind: str, key: str = "prod", **values: Any) -> Story:
        """A check could not look."""
        return self._saw(ObservationState.UNKNOWN, kind, key, **values)

    def _saw(self, state: ObservationState, kind: str, key: str, delivers: bool = True, **values: Any) -> Story:
        defaults: dict[str, Any] = {
            "severity": Severity.CRITICAL if kind == "graph_reuse" else Severity.WARNING,
            "title": f"{kind} of {key}",
            "summary": "",
            "next_step": "kronos-health status",
        }
        look = Observation(kind=AlertKind(kind), key=key, state=state, **(defaults | values))
        with writing(self.context.engine) as connection:
            record(connection, [look], self.settings, self.now())
        if delivers:
            self.deliver()
        return self

    # -- what people do --

    def acknowledged(self, kind: str, key: str = "prod", by: str = "maria") -> Story:
        acting.acknowledge(self.context, f"{kind}:{key}", by, Via.CLI)
        return self

    def given_back(self, kind: str, key: str = "prod", by: str = "maria") -> Story:
        acting.unacknowledge(self.context, f"{kind}:{key}", by, Via.CLI)
        return self

    def silenced(self, *matchers: str, hours: float, by: str = "maria") -> Story:
        acted = acting.silence(self.context, matchers, self.now() + timedelta(hours=hours), by, "", Via.CLI)
        assert acted.silence is not None
        self.silences.append(acted.silence.id)
        return self

    def unsilenced(self, by: str = "maria") -> Story:
        """The newest silence is ended."""
        acting.expire_silence(self.context, self.silences[-1], by, Via.CLI)
        return self

    # -- what came of it --

    def expect(self, when: Between, channel: str | None = None) -> Expectation:
        """The messages that arrived ``when`` (in ``channel``)."""
        found = [one for one in self.told if when.begin <= one.hour < when.end and channel in (None, one.channel)]
        return Expectation(found)

    def state(self, kind: str, key: str = "prod") -> str:
        with reading(self.context.engine) as connection:
            steps = store.transitions(connection, f"{kind}:{key}")
            held = [one for one in store.open_alerts(connection) if one.alert.fingerprint == f"{kind}:{key}"]
        return held[0].alert.state.value if held else ("ok" if steps else "never seen")

    def reasons(self, kind: str, key: str = "prod") -> list[str]:
        """Why each step was taken, in order."""
        with reading(self.context.engine) as connection:
            return [step.reason for step in store.transitions(connection, f"{kind}:{key}")]


@dataclass(frozen=True)
class Expectation:
    """What arrived within some hours, to be held against what should have."""

    found: list[Told]

    def messages(self, *whats: str) -> None:
        """These, in this order, and nothing else."""
        assert [one.what for one in self.found] == list(whats)

    def message(self, what: str) -> Told:
        """This one and nothing else."""
        self.messages(what)
        return self.found[0]

    def nothing(self) -> None:
        """Silence."""
        self.messages()
