"""Alerts, their life cycle, and what is sent about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kronos_health.domain.logs import Severity
from kronos_health.domain.matching import Subject
from kronos_health.domain.silences import Silence


class AlertKind(StrEnum):
    """Everything that can be worth a message."""

    GRAPH_REUSE = "graph_reuse"
    COMPILED_BROKEN = "compiled_broken"
    CRITERION_MET = "criterion_met"
    ALL_CRITERIA_MET = "all_criteria_met"
    TORCH_RELEASE = "torch_release"
    KRONOS_UPDATED = "kronos_updated"
    CANDIDATE_TRIED = "candidate_tried"
    SETTINGS_DRIFT = "settings_drift"
    PREDICTIONS_OUT_OF_BOUNDS = "predictions_out_of_bounds"
    NO_PREDICTIONS = "no_predictions"
    LOG_ERRORS = "log_errors"  # recompile limit, skipped graphs, CUDA errors and other signatures of the catalogue
    NEW_ERROR = "new_error"  # a kind of error that no signature knows, told once
    LOG_GAP = "log_gap"
    LOG_HISTORY = "log_history"  # the one digest of a first run
    FIGURE_REGRESSION = "figure_regression"  # latency, memory or compile time of a passing variant got worse
    FIGURE_IMPROVED = "figure_improved"
    SWITCH_PROPOSED = "switch_proposed"  # a change of production's settings waits for a person
    SWITCH_SETTLED = "switch_settled"  # what became of one that was approved
    CHECKER_UNHEALTHY = "checker_unhealthy"
    DIGEST = "digest"


class ObservationState(StrEnum):
    """What was seen of the watched thing now. Unknown freezes an alert; it never resolves one."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class AlertState(StrEnum):
    """OK → PENDING → FIRING → RECOVERING → OK."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"


class TransitionKind(StrEnum):
    """What happened to an alert; each is a row and, unless quiet, a message."""

    STARTED_PENDING = "started_pending"
    CLEARED_PENDING = "cleared_pending"
    FIRED = "fired"
    UPDATED = "updated"
    REMINDED = "reminded"
    STARTED_RECOVERING = "started_recovering"
    RELAPSED = "relapsed"
    RESOLVED = "resolved"
    NOTICE = "notice"  # a one-off event without a life cycle (new release, digest)
    WORSENED = "worsened"  # more severe than what was said: whoever had acknowledged it had something else in mind
    FLAPPING = "flapping"  # fired, as so often lately: said once, then nothing until it is stable
    STEADIED = "steadied"  # flapping no more, and bad
    ESCALATED = "escalated"  # nobody acknowledged it in time: said on a second channel
    GROUPED = "grouped"  # of a message only: it tells several alerts
    ACKNOWLEDGED = "acknowledged"  # a person took it on: no reminder until it is over or gets worse
    UNACKNOWLEDGED = "unacknowledged"
    REFRESHED = "refreshed"  # no step: the first message of an episode is to show how the alert stands now


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a message: a label and a value, both plain text."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What a check saw of one watched thing (``key`` names it within its kind, e.g. ``kronos/compiled``).

    ``occurrences`` counts what is new since the previous observation; ``facts`` and ``excerpt`` go into the message.
    ``positives`` counts signs of health (completed predictions) for kinds that recover on positive evidence only.
    ``inhibitors`` are fingerprints of alerts that, while they are open, say this too: it is recorded, and not sent.
    They must be observed before it in the same batch.
    """

    kind: AlertKind
    key: str
    state: ObservationState
    severity: Severity
    title: str
    summary: str
    next_step: str  # a command a person can paste
    occurrences: int = 1
    positives: int = 0
    observed_at: datetime | None = None  # when it happened (last); defaults to the time of the decision
    since: datetime | None = None  # when it began, where that is earlier
    facts: tuple[Fact, ...] = ()
    excerpt: str | None = None  # log text or a stack: data, escaped on rendering
    evidence: tuple[str, ...] = ()  # "table:row id"
    inhibitors: tuple[str, ...] = ()
    picture: Picture | None = None

    @property
    def fingerprint(self) -> str:
        """What makes two observations one alert."""
        return f"{self.kind.value}:{self.key}"

    @property
    def subject(self) -> Subject:
        """What silences and routes match."""
        return Subject(self.kind.value, self.key, self.severity.value)


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a message says beyond title and times, cleaned and bounded.

    An alert keeps those of its last bad look: a reminder and the end of an episode repeat them.
    """

    summary: str = ""
    next_step: str = ""
    facts: tuple[Fact, ...] = ()
    excerpt: str | None = None
    excerpt_cut: int = 0
    evidence: tuple[str, ...] = ()
    inhibitors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """How observations of one kind become messages. Durations in seconds."""

    for_seconds: float = 0.0
    n_of_m: tuple[int, int] | None = None  # fires once n of the last m looks were bad; takes the place of for_seconds
    keep_firing_seconds: float = 0.0
    positives_to_recover: int = 0  # > 0: recovers only after so many signs of health since the last hit
    remind_seconds: float | None = 86_400.0
    update_seconds: float | None = 3_600.0  # how often "seen N more times" may be said while firing; None: never
    one_off: bool = False  # a notice: sent once per key, no recovery
    flap_count: int = 0  # firing so often within the window is flapping; 0: never
    flap_window_seconds: float = 21_600.0
    flap_stable_seconds: float = 7_200.0  # flapping is over after so long without a change
    escalate_seconds: float | None = None  # unacknowledged for so long, it is said on the second channel; None: never
    escalate_severity: Severity = Severity.CRITICAL  # from this on


@dataclass(frozen=True, slots=True)
class Overlays:
    """What lies over an alert's state at one look and changes what is sent, never what is recorded.

    ``inhibited_by`` is the fingerprint of an open alert that says it too; ``silence`` is one a person asked for;
    ``fired_recently`` is how often it fired within the policy's window of flapping, before this look.
    """

    inhibited_by: str | None = None
    silence: Silence | None = None
    fired_recently: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """The stored state of one watched thing."""

    fingerprint: str
    kind: AlertKind
    key: str
    state: AlertState
    episode: int = 0
    sequence: int = 0  # number of the last message of this episode; 0 while firing: nobody was told, another alert was
    occurrences: int = 0  # within the episode
    positives: int = 0  # signs of health since the last hit
    pending_since: datetime | None = None  # when the bad state began; kept through the episode
    fired_at: datetime | None = None
    last_bad_at: datetime | None = None
    recovering_since: datetime | None = None
    resolved_at: datetime | None = None
    last_message_at: datetime | None = None
    unknown_since: datetime | None = None
    announced_occurrences: int = 0  # of ``occurrences``, how many the last message knew of
    last_observation: str | None = None  # identity of the last dated observation: seeing it again adds nothing
    acknowledged_at: datetime | None = None  # within the episode, by ``acknowledged_by``
    acknowledged_by: str | None = None
    seen: ObservationState | None = None  # by the last look
    looks: str = ""  # of the last looks, oldest first: b is bad, g is good; kept where the policy counts N of M
    told_at: datetime | None = None  # when people were first told of the episode, or that it got worse
    told_severity: Severity | None = None  # how severe it was then
    escalated_at: datetime | None = None
    flapping_since: datetime | None = None
    changed_at: datetime | None = None  # when it last fired, relapsed or began to recover
    due_at: datetime | None = None  # when there may be something to say without a new look
    silenced_by: str | None = None  # id of the silence that keeps it quiet; said when that is over and it is still bad


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of an alert. ``announce`` is false for steps that are recorded but not worth a message."""

    kind: TransitionKind
    episode: int
    sequence: int
    at: datetime
    reason: str
    announce: bool


@dataclass(frozen=True, slots=True)
class AlertDecision:
    """What the policy says: the alert's next state, the steps that led there, and why, in words."""

    next: Alert
    transitions: tuple[Transition, ...]
    reason: str


class DeliveryState(StrEnum):
    """Where a message stands on its way to one channel."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"  # it may or may not have arrived: read back before sending again
    DEAD = "dead"
    MERGED = "merged"  # never sent: another message says it too
    HELD = "held"  # for the end of the quiet hours


@dataclass(frozen=True, slots=True)
class Standing:
    """How an open alert stands: what the first message of its episode shows wherever it can be updated in place."""

    state: AlertState
    occurrences: int = 1
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    silenced_until: datetime | None = None
    silenced_by: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that goes with a message; ``id`` names the stored PNG, ``alt_text`` says what it shows."""

    id: str
    title: str
    alt_text: str


@dataclass(frozen=True, slots=True)
class Message:
    """A channel-neutral message, rendered by each channel in its own form."""

    title: str
    kind: AlertKind
    transition: TransitionKind
    severity: Severity
    summary: str
    facts: tuple[Fact, ...] = field(default=())
    excerpt: str | None = None
    next_step: str = ""
    evidence: tuple[str, ...] = ()
    episode: int = 0
    occurrences: int = 1
    since: datetime | None = None
    duration_seconds: float | None = None
    new_occurrences: int = 0  # since the previous message of the episode
    excerpt_cut: int = 0  # characters of the excerpt that were left out
    together: bool = False  # it had fired and resolved before anything was sent: this one message says both
    seen: ObservationState = (
        ObservationState.BAD
    )  # by the look that caused it: a reminder may come while nobody can see
    standing: Standing | None = None  # in rows that refresh the first message of an episode
    picture: Picture | None = None
    # In rows that refresh a message which tells several alerts (see ``tells_several``):
    over: bool = False  # all of them have ended
    taken: bool = False  # somebody looks after each that has not

    @property
    def has_ended(self) -> bool:
        """Whether everything it tells is over."""
        return self.over or self.transition is TransitionKind.RESOLVED

    @property
    def tells_several(self) -> bool:
        """Whether it lists several alerts: a refreshed message of one alert shows how that one stands."""
        if self.transition is TransitionKind.REFRESHED:
            return self.standing is None
        return self.transition is TransitionKind.GROUPED
