"""What a release or revision came to, and which news is tried when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kronos_health.domain.probes import (
    UNSUPPORTED,
    AccuracyState,
    Failure,
    Outcome,
    ProbeFigures,
    ProbeKind,
    ProbeRecord,
    Regime,
)
from kronos_health.domain.revisit import Attempt, CriterionName, CriterionState, History, News, Trial, TrialOrder
from kronos_health.revisit.trials import judge_trial, order_trials
from kronos_health.settings.models import Candidates
from tests.revisit.facts import (
    NOW,
    OTHER_GPU,
    RULES,
    SEEN,
    criterion,
    days_ago,
    joined,
    judged,
    on_cpu,
    probed,
    rehearsed,
    released,
    working,
)

NAME = "torch=2.15.0"
THERE = {"candidate": NAME, "torch": "2.15.0+cu130", "fingerprint": OTHER_GPU}
CPU_THERE = {"candidate": NAME, "torch": "2.15.0+cpu"}
STOCK_FAILS = History("kronos", probes=(probed("compiled", passed=0, **THERE),))
WHOLE_FAILS = History("kronos", probes=(probed("compiled_whole_step", passed=0, **THERE),))
HALF_WAY = History("kronos", probes=(probed("compiled_whole_step", passed=3, requested=3, **THERE),))
NOT_MADE = probed(
    "compiled", passed=0, outcome=Outcome.SKIPPED, device=None, message="it would bring CUDA packages.", candidate=NAME
)


def worse(history: History) -> History:
    return replace(history, comparisons=tuple(replace(one, accuracy=AccuracyState.FAIL) for one in history.comparisons))


def tried(*histories: History) -> Trial:
    return judge_trial(joined(*histories), NAME, RULES, NOW)


@pytest.mark.parametrize(
    ("histories", "verdict"),
    [
        ((working("compiled", **THERE),), "fixed by default"),
        ((working("compiled", **THERE), WHOLE_FAILS), "fixed by default"),
        ((STOCK_FAILS, working("compiled_whole_step", **THERE)), "fixed with opt-in compiled_whole_step"),
        ((working("compiled_whole_step", **THERE),), "fixed with opt-in compiled_whole_step"),
        (
            (STOCK_FAILS, working("compiled_no_cudagraphs", **THERE), working("compiled_whole_step", **THERE)),
            "fixed with opt-in compiled_whole_step",
        ),
        ((STOCK_FAILS, working("compiled_no_cudagraphs", **THERE)), "fixed with opt-in compiled_no_cudagraphs"),
        ((STOCK_FAILS,), "still broken"),
        ((STOCK_FAILS, WHOLE_FAILS), "still broken"),
        ((worse(working("compiled", **THERE)),), "still broken"),
        ((STOCK_FAILS, HALF_WAY), "not decided"),
        ((HALF_WAY,), "not decided"),
        ((WHOLE_FAILS,), "not decided"),
        ((), "not tried on CUDA"),
        ((History("kronos", probes=(on_cpu("compiled", **CPU_THERE),)),), "not tried on CUDA"),
        ((History("kronos", probes=(NOT_MADE,)),), "not tried on CUDA"),
        ((working("compiled"),), "not tried on CUDA"),  # production's own success says nothing of the release
        ((working("compiled", candidate="torch=2.14.0"),), "not tried on CUDA"),
    ],
)
def it_comes_to_one_verdict(histories: tuple[History, ...], verdict: str) -> None:
    assert tried(*histories).verdict == verdict


def it_says_what_became_of_every_variant_and_of_the_same_one_in_production() -> None:
    in_production = History("kronos", probes=(probed("compiled_whole_step", passed=0),))
    trial = tried(STOCK_FAILS, working("compiled_whole_step", **THERE), in_production)
    assert trial.variants == (("compiled", "0 of 5, graph_reuse"), ("compiled_whole_step", "5 in a row"))
    assert trial.in_production == "0 of 5, graph_reuse"
    assert trial.explanation.startswith("With torch 2.15.0, compiled_whole_step passes on CUDA (compiled: 0 of 5")
    assert {row.table for row in trial.evidence} == {"probe"}
    assert tried(working("compiled", **THERE)).in_production == "not tried on CUDA"


def it_says_that_nothing_was_tried_on_cuda_and_what_a_rehearsal_told() -> None:
    rehearsals = (
        replace(rehearsed("compiled"), **CPU_THERE),
        replace(rehearsed("compiled_whole_step", passed=5), **CPU_THERE),
    )
    trial = tried(History("kronos", probes=(NOT_MADE, *rehearsals)))
    assert trial.explanation == (
        "Nothing was measured with torch 2.15.0 on CUDA: it would bring CUDA packages. Rehearsed without a GPU, which "
        "is no evidence: compiled: 0 of 5, graph_reuse; compiled_whole_step: 5 of 5."
    )
    assert trial.variants == ()


def it_goes_on_to_hold_after_evidence_of_production_has_gone_stale() -> None:
    """A release does not change: it is tried once, and criterion 1 stays met by what was found then."""
    long_ago = working("compiled", 60, **THERE)
    assert tried(long_ago).verdict == "fixed by default"
    broken = History("kronos", probes=(probed("eager", 1), probed("compiled", 1, passed=0)))
    decision = judged(joined(broken, long_ago, releases=released("2.13.0", "2.15.0"), release_look=SEEN))
    assert criterion(decision, CriterionName.TORCH_RELEASE).state is CriterionState.MET
    assert criterion(decision, CriterionName.COMPILED_ITERATIONS).state is CriterionState.NOT_MET


def it_does_not_let_trials_raise_the_bar_for_production() -> None:
    production = working("compiled", passed=7, requested=7)
    elsewhere = [working("compiled", candidate=f"torch=2.{minor}.0", fingerprint=OTHER_GPU) for minor in range(14, 40)]
    assert judged(production).confidence == judged(joined(production, *elsewhere)).confidence


VARIANTS = ("eager", "compiled", "compiled_whole_step")
RULES_OF_TRIALS = Candidates()
NEWS = (News(NAME, days_ago(1)),)


def record(variant: str, outcome: Outcome | None = Outcome.PASSED, **changes: Any) -> ProbeRecord:
    found = ProbeRecord(
        probe_id=f"probe {variant}", campaign_id="campaign", target="kronos", variant=variant, candidate=NAME,
        kind=ProbeKind.MEASURED, regime=Regime.SATURATED, imported=False, started_at=NOW, finished_at=NOW,
        outcome=outcome, requested=5, passed=5, environment=None, figures=ProbeFigures(), failure=None,
        skipped_reason=None, noise=(),
    )  # fmt: skip
    return replace(found, **changes)


def ordered(
    *records: ProbeRecord, attempts: tuple[Attempt, ...] = (), news: tuple[News, ...] = NEWS, **rules: Any
) -> tuple[TrialOrder, ...]:
    probes = {("kronos", item.candidate): records for item in news}
    return order_trials(news, probes, attempts, VARIANTS, RULES_OF_TRIALS.model_copy(update=rules), NOW)


def attempt(number: int, days: float) -> Attempt:
    return Attempt(NAME, number, days_ago(days))


ALL_DONE = tuple(record(variant, Outcome.GRAPH_REUSE) for variant in VARIANTS)
TOO_OLD = Failure(UNSUPPORTED, "needs a newer torch")
BUSY = tuple(record(variant, Outcome.SKIPPED, skipped_reason="another probe has the GPU") for variant in VARIANTS)


@pytest.mark.parametrize(
    ("records", "attempts", "variants", "number"),
    [
        ((), (), VARIANTS, 1),
        (ALL_DONE[:2], (attempt(1, 1),), ("eager", "compiled_whole_step"), 2),
        (ALL_DONE[1:], (attempt(1, 1),), ("eager",), 2),
        (BUSY, (attempt(1, 1),), VARIANTS, 2),
        (BUSY, (attempt(1, 2), attempt(2, 1)), VARIANTS, 3),
        ((record("compiled", kind=ProbeKind.REHEARSED),), (), VARIANTS, 1),
    ],
)
def it_orders_what_has_no_answer(
    records: tuple[ProbeRecord, ...], attempts: tuple[Attempt, ...], variants: tuple[str, ...], number: int
) -> None:
    assert ordered(*records, attempts=attempts) == (TrialOrder(NAME, ("kronos",), variants, number),)


@pytest.mark.parametrize(
    ("records", "attempts"),
    [
        (ALL_DONE, ()),
        (ALL_DONE, (attempt(1, 30),)),
        ((), (attempt(1, 0.2),)),  # just ordered: it may still wait for its turn
        (BUSY, (attempt(1, 0.2),)),
        (BUSY, (attempt(1, 3), attempt(2, 2), attempt(3, 1))),  # given up
        ((record("eager", None),), ()),  # one runs
        ((record("eager", Outcome.SKIPPED, failure=Failure("NotHere", "no GPU here")),), (attempt(1, 1),)),
        ((*ALL_DONE[:2], record("compiled_whole_step", Outcome.SKIPPED, failure=TOO_OLD)), (attempt(1, 1),)),
    ],
)
def it_orders_nothing_that_has_an_answer_runs_or_was_given_up(
    records: tuple[ProbeRecord, ...], attempts: tuple[Attempt, ...]
) -> None:
    assert ordered(*records, attempts=attempts) == ()


def it_tries_news_only_while_it_is_news() -> None:
    assert ordered(news=(News(NAME, NOW - timedelta(days=15)),)) == ()
    assert ordered(news=()) == ()
    both = (News("torch=2.14.1", days_ago(2)), *NEWS, *NEWS)
    assert [order.candidate for order in ordered(news=both)] == ["torch=2.14.1", NAME]


def it_asks_only_the_targets_that_lack_an_answer() -> None:
    probes = {("kronos", NAME): ALL_DONE, ("toto", NAME): ()}
    (order,) = order_trials(NEWS, probes, (), VARIANTS, RULES_OF_TRIALS, NOW)
    assert order.targets == ("toto",)
    assert order_trials(NEWS, {}, (), VARIANTS, RULES_OF_TRIALS, NOW) == (), "no target fits this candidate"
