"""Whether a variant works only once it is warm, by the outcomes of its iterations."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kronos_health.domain.probes import CacheState, IterationRecord, Outcome, Regime
from kronos_health.domain.warm_up import WarmUpDependence, warm_up_dependence

PASSED, REUSED, CRASHED, SKIPPED = Outcome.PASSED, Outcome.GRAPH_REUSE, Outcome.CRASHED, Outcome.SKIPPED


def iterations(*told: tuple[int, Outcome]) -> list[IterationRecord]:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return [
        IterationRecord(str(index), index, Regime.SATURATED, CacheState.COLD, outcome, at, warmups)
        for index, (warmups, outcome) in enumerate(told)
    ]


@pytest.mark.parametrize(
    ("told", "dependence"),
    [
        ([(1, REUSED), (2, REUSED), (3, PASSED), (5, PASSED)], WarmUpDependence(3, 2)),
        ([(5, PASSED), (0, CRASHED)], WarmUpDependence(5, 0)),
        ([(1, REUSED), (2, SKIPPED), (3, PASSED)], WarmUpDependence(3, 1)),
        ([(1, PASSED), (2, PASSED)], None),
        ([(1, REUSED), (3, REUSED)], None),
        ([(1, PASSED), (3, REUSED)], None),
        ([(1, REUSED), (2, PASSED), (3, REUSED), (5, PASSED)], None),
        ([(2, REUSED), (2, PASSED)], None),
        ([(1, SKIPPED), (3, PASSED)], None),
        ([], None),
    ],
)
def it_is_said_only_when_more_calls_mended_it(
    told: list[tuple[int, Outcome]], dependence: WarmUpDependence | None
) -> None:
    assert warm_up_dependence(iterations(*told)) == dependence


@pytest.mark.parametrize(
    ("dependence", "words"),
    [
        (WarmUpDependence(3, 2), "passes with 3 warm-up calls, fails with 2"),
        (WarmUpDependence(1, 0), "passes with 1 warm-up call, fails without any"),
    ],
)
def it_is_one_sentence(dependence: WarmUpDependence, words: str) -> None:
    assert dependence.words == words
