"""What holds of the policy whatever is seen, whenever, by whatever clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.alerts.policy import decide
from kronos_health.domain.alerts import (
    Alert,
    AlertPolicy,
    AlertState,
    Observation,
    ObservationState,
    Overlays,
    TransitionKind,
)
from tests.alerts.timeline import START, look

_policies = st.builds(
    AlertPolicy,
    for_seconds=st.sampled_from([0.0, 300.0]),
    keep_firing_seconds=st.sampled_from([0.0, 300.0]),
    positives_to_recover=st.sampled_from([0, 3]),
    remind_seconds=st.sampled_from([None, 600.0]),
    update_seconds=st.sampled_from([None, 0.0, 300.0]),
    one_off=st.sampled_from([False, False, False, True]),
)
# The clock may jump either way between looks, by up to a year.
_jumps = st.one_of(st.integers(0, 600), st.integers(-600, 600), st.sampled_from([-31_536_000, 31_536_000]))
_looks = st.builds(
    look,
    st.sampled_from(ObservationState),
    occurrences=st.integers(-1, 50),
    positives=st.integers(-1, 5),
    observed_at=st.one_of(st.none(), st.integers(-5000, 5000).map(lambda seconds: START + timedelta(seconds=seconds))),
)
_stories = st.lists(st.tuples(_jumps, _looks), max_size=40)
_others = st.lists(st.sampled_from([None, None, "another"]), min_size=40, max_size=40)
_ANY = settings(max_examples=150, deadline=None)

Told = list[tuple[Alert, Observation, Alert, list[tuple[TransitionKind, int, int]]]]


def _tell(policy: AlertPolicy, story: list[tuple[int, Observation]], others: list[str | None] | None = None) -> Told:
    """(before, observation, after, announced) of every look; ``others`` says when another alert says it too."""
    now, alert, told = START, look(ObservationState.GOOD), []
    held: Alert | None = None
    for (jump, observation), other in zip(story, others or [None] * len(story), strict=False):
        now += timedelta(seconds=jump)
        decision = decide(held, observation, policy, now, Overlays(inhibited_by=other))
        before = held or Alert(alert.fingerprint, alert.kind, alert.key, AlertState.OK)
        announced = [(step.kind, step.episode, step.sequence) for step in decision.transitions if step.announce]
        told.append((before, observation, decision.next, announced))
        held = decision.next
    return told


@_ANY
@given(_policies, _stories)
def it_never_changes_state_on_unknown(policy: AlertPolicy, story: list[tuple[int, Observation]]) -> None:
    for before, observation, after, announced in _tell(policy, story):
        if observation.state is ObservationState.UNKNOWN:
            assert after.state is before.state
            assert after.episode == before.episode
            assert all(kind in (TransitionKind.REMINDED, TransitionKind.UPDATED) for kind, _, _ in announced)


@_ANY
@given(_policies, _stories, _others)
def it_alternates_between_fired_and_resolved(
    policy: AlertPolicy, story: list[tuple[int, Observation]], others: list[str | None]
) -> None:
    ends = [
        kind
        for *_rest, announced in _tell(policy, story, others)
        for kind, _, _ in announced
        if kind in (TransitionKind.FIRED, TransitionKind.RESOLVED)
    ]
    assert ends == [TransitionKind.FIRED, TransitionKind.RESOLVED] * (len(ends) // 2) + ends[len(ends) // 2 * 2 :]
    assert ends[-1:] in ([], [TransitionKind.FIRED], [TransitionKind.RESOLVED])
    assert ends[:1] != [TransitionKind.RESOLVED]


@_ANY
@given(_policies, _stories, _others)
def it_numbers_messages_without_gap_or_repetition(
    policy: AlertPolicy, story: list[tuple[int, Observation]], others: list[str | None]
) -> None:
    last_episode, last_sequence = 0, 0
    for *_rest, announced in _tell(policy, story, others):
        assert len(announced) <= 1
        for kind, episode, sequence in announced:
            if kind in (TransitionKind.FIRED, TransitionKind.NOTICE):
                assert episode > last_episode  # episodes that another alert spoke for are left out
                last_episode, last_sequence = episode, 0
            last_sequence += 1
            assert (episode, sequence) == (last_episode, last_sequence)


@_ANY
@given(_policies, _stories, _others)
def it_takes_the_same_states_whether_it_may_speak_or_not(
    policy: AlertPolicy, story: list[tuple[int, Observation]], others: list[str | None]
) -> None:
    free, inhibited = _tell(policy, story), _tell(policy, story, others)
    assert [(told[2].state, told[2].episode) for told in free] == [
        (told[2].state, told[2].episode) for told in inhibited
    ]
    for (*_rest, announced), other in zip(inhibited, others, strict=False):
        if other and not policy.one_off:
            assert all(kind is TransitionKind.RESOLVED for kind, _, _ in announced)


@_ANY
@given(_policies, _stories)
def it_resolves_graph_reuse_only_on_positive_evidence(
    policy: AlertPolicy, story: list[tuple[int, Observation]]
) -> None:
    policy = replace(policy, positives_to_recover=3, one_off=False)
    signs = 0
    for _before, observation, _after, announced in _tell(policy, story):
        if observation.state is ObservationState.BAD:
            signs = max(observation.positives, 0)
        elif observation.state is ObservationState.GOOD:
            signs += max(observation.positives, 0)
        if announced and announced[0][0] is TransitionKind.RESOLVED:
            assert observation.state is ObservationState.GOOD
            assert signs >= 3


@_ANY
@given(_policies, _stories, _looks)
def it_says_and_counts_nothing_more_for_a_replay(
    policy: AlertPolicy, story: list[tuple[int, Observation]], last: Observation
) -> None:
    last = replace(last, observed_at=START - timedelta(days=1))
    policy = replace(policy, update_seconds=300.0, keep_firing_seconds=0.0)
    told = _tell(policy, [*story, (0, last), (0, last)])
    once, (_before, _last, twice, announced) = told[-2][2], told[-1]
    assert announced == []
    assert replace(twice, last_observation=once.last_observation) == once


@_ANY
@given(_policies, _stories)
def it_never_keeps_a_stamp_from_the_future(policy: AlertPolicy, story: list[tuple[int, Observation]]) -> None:
    now = START
    for (jump, _observation), (_before, _seen, after, _announced) in zip(story, _tell(policy, story), strict=True):
        now += timedelta(seconds=jump)
        stamps = (after.pending_since, after.fired_at, after.last_bad_at, after.recovering_since, after.last_message_at)
        assert all(stamp <= now for stamp in stamps if stamp is not None)
