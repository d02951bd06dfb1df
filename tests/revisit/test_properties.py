"""What must hold for every history, however odd."""

from __future__ import annotations

import shlex
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kronos_health.domain.probes import AccuracyState, CacheState, Outcome, ProbeKind, Regime
from kronos_health.domain.revisit import (
    ComparisonFacts,
    CriterionName,
    CriterionState,
    Decision,
    History,
    Mode,
    ProbeFacts,
)
from kronos_health.revisit.arms import inadmissible_because
from tests.revisit.facts import (
    GPU,
    NOW,
    OTHER_GPU,
    RULES,
    SEEN,
    UNSEEN,
    compared,
    criterion,
    judged,
    probed,
    released,
    revision,
)

FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def _probe(draw: st.DrawFn) -> ProbeFacts:
    requested = draw(st.integers(1, 8))
    outcome = draw(st.sampled_from([Outcome.PASSED, *Outcome, None]))
    passed = requested if outcome is Outcome.PASSED else draw(st.integers(0, requested - 1))
    return probed(
        draw(st.sampled_from(["eager", "compiled", "mended"])),
        draw(st.one_of(st.floats(0, 12), st.integers(0, 12))),
        passed,
        requested,
        outcome=outcome,
        candidate=draw(st.sampled_from(["production", "production", "torch=2.15.0"])),
        kind=draw(st.sampled_from([ProbeKind.MEASURED, ProbeKind.MEASURED, ProbeKind.REHEARSED])),
        regime=draw(st.sampled_from(Regime)),
        imported=draw(st.sampled_from([False, False, False, True])),
        device=draw(st.sampled_from(["cuda", "cuda", "cpu", None])),
        fingerprint=draw(st.sampled_from([GPU, GPU, OTHER_GPU])),
        torch=draw(st.sampled_from(["2.13.0+cu130", "2.15.0", None])),
        target_revision=draw(st.sampled_from(["a" * 12 + "+x", "b" * 12 + "+x", "sktime-1.2.0+x", None])),
        cache_states=draw(st.frozensets(st.sampled_from(CacheState))),
    )


@st.composite
def _histories(draw: st.DrawFn) -> History:
    probes = draw(st.lists(_probe(), max_size=14))
    comparisons: list[ComparisonFacts] = []
    if probes:
        for _ in range(draw(st.integers(0, 8))):
            pair = draw(st.sampled_from(probes)), draw(st.sampled_from(probes))
            accuracy = draw(st.sampled_from([AccuracyState.PASS, *AccuracyState]))
            comparisons.append(compared(*pair, accuracy, speed_up=draw(st.sampled_from([None, 1.0, 1.6]))))
    remote = draw(st.sampled_from([None, revision("a", contained=True), revision("b"), revision("b", contained=None)]))
    return History(
        "kronos",
        probes=tuple(probes),
        comparisons=tuple(comparisons),
        releases=draw(st.sampled_from([(), released("2.13.0"), released("2.13.0", "2.14.0", "2.15.0")])),
        release_look=draw(st.sampled_from([None, SEEN, UNSEEN])),
        head=draw(st.sampled_from([None, revision("a", "HEAD", True)])),
        remote=remote,
        revision_look=draw(st.sampled_from([None, SEEN, UNSEEN])),
        known_commits=frozenset({"a" * 40, "b" * 40}),
        production_torch=draw(st.sampled_from([None, "2.13.0+cu130"])),
    )


def _admissible(history: History, variant: str) -> list[ProbeFacts]:
    return [
        probe
        for probe in history.probes
        if probe.variant == variant and probe.candidate == "production" and inadmissible_because(probe) is None
    ]


@FEW
@given(_histories())
def it_proposes_compiled_on_fresh_admissible_evidence_only(history: History) -> None:
    decision = judged(history)
    if decision.mode is Mode.EAGER:
        return
    assert decision.variant is not None
    rests_on = _admissible(history, decision.variant)
    newest = max(rests_on, key=lambda probe: (probe.started_at, probe.probe_id))
    assert newest.kind is ProbeKind.MEASURED
    assert (newest.device, newest.outcome, newest.imported) == ("cuda", Outcome.PASSED, False)
    assert (NOW - newest.started_at).days <= RULES.stale_after_days
    for name in (CriterionName.COMPILED_ITERATIONS, CriterionName.ACCURACY):
        necessary = criterion(decision, name)
        assert necessary.state is CriterionState.MET
        assert necessary.variant == decision.variant
        assert any(row.admissible for row in necessary.evidence)


@FEW
@given(_histories())
def it_never_proposes_compiled_without_the_admissible_probes(history: History) -> None:
    inadmissible = tuple(probe for probe in history.probes if inadmissible_because(probe) is not None)
    decision = judged(replace(history, probes=inadmissible))
    assert decision.mode is Mode.EAGER
    assert decision.evidence_at is None
    assert all(not standing.admissible for standing in decision.standings)


@FEW
@given(_histories(), _probe())
def it_calls_a_variant_broken_after_any_graph_failure(history: History, probe: ProbeFacts) -> None:
    failure = replace(
        probe, variant="mended", candidate="production", kind=ProbeKind.MEASURED, device="cuda", started_at=NOW,
        fingerprint=GPU, outcome=Outcome.GRAPH_REUSE, graph_failures=1, passed=probe.requested - 1, failed=1,
    )  # fmt: skip
    decision = judged(replace(history, probes=(*history.probes, failure)))
    (standing,) = [item for item in decision.standings if (item.variant, item.candidate) == ("mended", "production")]
    assert standing.broken
    assert decision.variant != "mended"


@FEW
@given(_histories())
def it_never_counts_unknown_as_met(history: History) -> None:
    for name, evidence in ((CriterionName.TORCH_RELEASE, "probe"), (CriterionName.KRONOS_UPDATE, "probe")):
        trigger = criterion(judged(history), name)
        tried = [row for row in trigger.evidence if row.table == evidence and row.admissible]
        assert trigger.state is not CriterionState.MET or tried
    blind = replace(history, probes=(), comparisons=())
    assert all(item.state is not CriterionState.MET for item in judged(blind).criteria)


@FEW
@given(_histories(), st.randoms(use_true_random=False))
def it_does_not_depend_on_the_order_of_the_rows(history: History, dice: Random) -> None:
    def shuffled(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dice.sample(rows, len(rows)))

    other = replace(
        history,
        probes=shuffled(history.probes),
        comparisons=shuffled(history.comparisons),
        releases=shuffled(history.releases),
    )
    assert judged(history) == judged(other)


@FEW
@given(_histories())
def it_says_one_sentence_and_a_command(history: History) -> None:
    decision: Decision = judged(history)
    assert decision.sentence.startswith(("EAGER, confidence ", "COMPILED ("))
    assert decision.sentence.endswith(".")
    assert "\n" not in decision.sentence
    assert f"confidence {decision.confidence.value}:" in decision.sentence
    assert decision.next_step.startswith("kronos-health ")
    assert shlex.split(decision.next_step, comments=True)[1] in {"probe", "report", "status"}
    assert [item.name for item in decision.criteria] == list(CriterionName)[:4]
    assert all(item.value and item.threshold and item.explanation for item in decision.criteria)
