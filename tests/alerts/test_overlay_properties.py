"""What holds of the policy whatever lies over it: silences, people who act, other alerts, flapping, nobody looking."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.alerts import acts
from kronos_health.alerts.policy import decide, decide_due
from kronos_health.domain.alerts import (
    Alert,
    AlertDecision,
    AlertPolicy,
    AlertState,
    Observation,
    ObservationState,
    Overlays,
    TransitionKind,
)
from kronos_health.domain.logs import Severity
from kronos_health.domain.silences import Silence
from tests.alerts.timeline import START, look

BEGINS = (TransitionKind.FIRED, TransitionKind.FLAPPING)
OPEN = (AlertState.FIRING, AlertState.RECOVERING)
BAD = ObservationState.BAD

_policies = st.builds(
    AlertPolicy,
    for_seconds=st.sampled_from([0.0, 300.0]),
    n_of_m=st.sampled_from([None, None, (2, 3)]),
    keep_firing_seconds=st.sampled_from([0.0, 300.0]),
    positives_to_recover=st.sampled_from([0, 3]),
    remind_seconds=st.sampled_from([None, 600.0]),
    update_seconds=st.sampled_from([None, 0.0, 300.0]),
    flap_count=st.sampled_from([0, 2, 3]),
    flap_window_seconds=st.just(3_600.0),
    flap_stable_seconds=st.just(900.0),
    escalate_seconds=st.sampled_from([None, 0.0, 300.0]),
    escalate_severity=st.sampled_from(Severity),
    one_off=st.sampled_from([False] * 5 + [True]),
)
_looks = st.builds(
    look,
    st.sampled_from(ObservationState),
    severity=st.sampled_from(Severity),
    occurrences=st.integers(-1, 50),
    positives=st.integers(-1, 5),
    observed_at=st.one_of(st.none(), st.integers(-5000, 5000).map(lambda seconds: START + timedelta(seconds=seconds))),
)
# What happens next: a look, a delivery that finds nothing new, a person who acts, another alert that opens or ends.
_acts = st.one_of(
    _looks, _looks, _looks,
    st.sampled_from(["deliver", "deliver", "acknowledge", "give back", "silence", "unsilence", "inhibit", "allow"]),
)  # fmt: skip
_forward = st.integers(0, 900)
_anyhow = st.one_of(_forward, st.integers(-900, 900), st.sampled_from([-31_536_000, 31_536_000]))
_forward_stories = st.lists(st.tuples(_forward, _acts), max_size=40)
_any_stories = st.lists(st.tuples(_anyhow, _acts), max_size=40)
TOLD: list[tuple[int, Observation | str]] = [(301, look(BAD))] * 3  # enough for every policy to speak
_ANY = settings(max_examples=200, deadline=None)


@dataclass
class Life:
    """One alert, everything that lies over it, and what was said of it."""

    policy: AlertPolicy
    now: datetime = START
    alert: Alert | None = None
    last: Observation | None = None
    silence: Silence | None = None
    other: str | None = None
    said: list[tuple[TransitionKind, int, int]] = field(default_factory=list)
    fired: list[datetime] = field(default_factory=list)
    decisions: list[AlertDecision] = field(default_factory=list)

    def overlays(self) -> Overlays:
        over = self.silence if self.silence and self.silence.ends_at > self.now else None
        since = self.now - timedelta(seconds=self.policy.flap_window_seconds)
        return Overlays(self.other, over, sum(since <= at <= self.now for at in self.fired))

    def goes_on(self, seconds: int, act: Observation | str) -> None:
        self.now += timedelta(seconds=seconds)
        if isinstance(act, Observation):
            self._take(decide(self.alert, act, self.policy, self.now, self.overlays()))
            if act.state is BAD:
                self.last = act
        elif act == "deliver":
            self.deliver()
        elif act == "silence":
            self.silence = Silence("s", (), self.now, self.now + timedelta(seconds=1_200), "maria", "")
        elif act == "unsilence":
            self.silence = None
            if self.alert is not None and self.alert.silenced_by:  # as ending a silence does
                self.alert = replace(self.alert, due_at=self.now)
        elif act in ("inhibit", "allow"):
            self.other = "another" if act == "inhibit" else None
        elif self.alert is not None and self.alert.state in OPEN:
            self._take(
                (acts.acknowledge if act == "acknowledge" else acts.unacknowledge)(self.alert, "maria", self.now)
            )

    def deliver(self) -> None:
        """What is due is asked, and nothing else."""
        if self.alert is None or self.last is None:
            return
        set_back = self.alert.state in OPEN and (self.alert.last_message_at or self.now) > self.now
        if not set_back and (self.alert.due_at is None or self.alert.due_at > self.now):
            return
        last = replace(self.last, state=self.alert.seen or BAD)
        self._take(decide_due(self.alert, last, self.policy, self.now, self.overlays()))

    def _take(self, decision: AlertDecision) -> None:
        self.alert = decision.next
        self.decisions.append(decision)
        for step in decision.transitions:
            if step.kind in BEGINS and (not self.said or self.said[-1][1] != step.episode):
                self.fired.append(step.at)
            if step.announce:
                self.said.append((step.kind, step.episode, step.sequence))


def _lived(policy: AlertPolicy, story: list[tuple[int, Observation | str]]) -> Life:
    life = Life(policy)
    for seconds, act in story:
        life.goes_on(seconds, act)
    return life


@_ANY
@given(_policies, _any_stories)
def it_begins_and_ends_in_turn_and_says_nothing_twice(
    policy: AlertPolicy, story: list[tuple[int, Observation | str]]
) -> None:
    life = _lived(policy, story)
    assert len(set(life.said)) == len(life.said)
    is_open, last = False, (0, 0)
    for kind, episode, sequence in life.said:
        if kind in BEGINS or kind is TransitionKind.NOTICE:
            assert not is_open
            assert (episode > last[0], sequence) == (True, 1)
        else:
            assert is_open  # every other message is about something people were told of
            assert (episode, sequence) == (last[0], last[1] + 1)
        is_open, last = kind is not TransitionKind.RESOLVED and kind is not TransitionKind.NOTICE, (episode, sequence)


@_ANY
@given(_policies, _any_stories)
def it_never_ends_for_want_of_sight_nor_by_a_delivery_nor_by_what_people_do(
    policy: AlertPolicy, story: list[tuple[int, Observation | str]]
) -> None:
    life = Life(policy)
    for seconds, act in story:
        before = (life.alert.state, life.alert.episode) if life.alert else (AlertState.OK, 0)
        life.goes_on(seconds, act)
        if isinstance(act, str) or act.state is ObservationState.UNKNOWN:
            after = (life.alert.state, life.alert.episode) if life.alert else (AlertState.OK, 0)
            assert after == before


@_ANY
@given(_policies, _any_stories, _looks)
def it_says_in_the_end_whatever_is_bad_and_nobody_silences(
    policy: AlertPolicy, story: list[tuple[int, Observation | str]], last: Observation
) -> None:
    """Neither an acknowledgement nor a silence nor another alert hides anything for ever, whatever the clock did."""
    life = _lived(policy, story)
    life.goes_on(0, "unsilence")
    life.goes_on(0, "allow")
    for _look in range(4):  # enough for 2 of 3, and for everything that has to last
        life.goes_on(301, replace(last, state=BAD, observed_at=None))
    life.deliver()
    assert life.alert is not None
    assert life.alert.sequence > 0
    if not policy.one_off:
        assert life.alert.state is AlertState.FIRING
        assert life.alert.told_severity is not None
        assert [Severity.INFO, Severity.WARNING, Severity.CRITICAL].index(life.alert.told_severity) >= [
            Severity.INFO, Severity.WARNING, Severity.CRITICAL
        ].index(last.severity)  # fmt: skip


@_ANY
@given(_policies, _forward_stories)
def it_says_without_a_look_what_a_silence_had_kept_back(
    policy: AlertPolicy, story: list[tuple[int, Observation | str]]
) -> None:
    life = _lived(policy, [*TOLD, (0, "silence"), *story])
    life.goes_on(0, "allow")
    for _quarter in range(3):  # every silence has run out, and whether another alert is open is looked at again
        life.goes_on(900, "deliver")
    alert = life.alert
    if alert is not None and alert.state in OPEN and alert.seen is BAD:
        assert alert.sequence > 0
        assert alert.silenced_by is None or alert.acknowledged_at is not None


@_ANY
@given(_policies, _forward_stories)
def it_neither_reminds_nor_escalates_what_somebody_looks_after(
    policy: AlertPolicy, story: list[tuple[int, Observation | str]]
) -> None:
    life = Life(policy)
    for seconds, act in [*TOLD, (0, "acknowledge"), (601, "deliver"), *story]:
        owned = life.alert is not None and life.alert.acknowledged_at is not None
        before = len(life.said)
        life.goes_on(seconds, act)
        kinds = {kind for kind, _episode, _sequence in life.said[before:]}
        if owned:
            assert not kinds & {TransitionKind.REMINDED, TransitionKind.ESCALATED}


@_ANY
@given(_policies, _any_stories)
def it_says_nothing_but_an_end_while_it_is_to_be_quiet(
    policy: AlertPolicy, story: list[tuple[int, Observation | str]]
) -> None:
    life = Life(policy)
    for seconds, act in story:
        before = len(life.said)
        life.goes_on(seconds, act)
        overlays = life.overlays()
        if overlays.silence or (overlays.inhibited_by and not policy.one_off):
            assert all(kind is TransitionKind.RESOLVED for kind, _episode, _sequence in life.said[before:])


@_ANY
@given(_policies, _any_stories)
def it_is_never_due_without_end(policy: AlertPolicy, story: list[tuple[int, Observation | str]]) -> None:
    """A delivery that has said what is due leaves nothing due: it can come by as often as it likes."""
    life = _lived(policy, story)
    life.deliver()
    said = len(life.said)
    life.deliver()
    alert = life.alert
    # A silence that has ended, or a worsening, is said before a reminder or an escalation that is due as well.
    assert len(life.said) - said <= 1
    if alert is not None and life.last is not None:
        assert alert.due_at is None or alert.due_at > life.now or alert.state not in OPEN


@_ANY
@given(_policies, _any_stories)
def it_says_and_counts_nothing_more_when_a_look_is_told_again(
    policy: AlertPolicy, story: list[tuple[int, Observation | str]]
) -> None:
    last = look(BAD, observed_at=START - timedelta(days=1), severity=Severity.CRITICAL)
    policy = replace(policy, update_seconds=300.0, escalate_seconds=300.0)
    life = _lived(policy, [*story, (0, last), (0, last)])
    said = len(life.said)
    counted = life.alert.occurrences if life.alert else 0
    life.goes_on(0, last)
    assert len(life.said) == said
    assert life.alert is not None
    assert life.alert.occurrences == counted
