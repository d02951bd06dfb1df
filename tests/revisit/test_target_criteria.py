"""What only Toto is asked for: fewer than 10 recompilations, twice as fast, no CUDA graph skipped."""

from __future__ import annotations

from typing import Any

import pytest

from kronos_health.domain.probes import Outcome, Regime
from kronos_health.domain.revisit import CriterionName, CriterionState, Decision, History, Mode
from kronos_health.revisit.arms import PRODUCTION, arms_of, current_fingerprint
from kronos_health.revisit.criteria import Terms
from kronos_health.revisit.decision import decide
from kronos_health.revisit.target_criteria import gates
from kronos_health.settings.models import Target, TargetCriteria
from tests.revisit.facts import NOW, RULES, compared, on_cpu, probed

TOTO = Target(loader="toto").criteria_in_force
MET, NOT_MET, UNKNOWN = CriterionState.MET, CriterionState.NOT_MET, CriterionState.UNKNOWN
RECOMPILES, SPEED, SKIPS = CriterionName.RECOMPILES, CriterionName.SPEED_UP, CriterionName.CUDAGRAPH_SKIPS


def history(speed_up: float | None = 2.5, make: Any = probed, **changes: Any) -> History:
    counted = {"recompiles": 4, "cudagraph_skips": 0, **changes}
    eager, compiled = make("eager"), make("compiled", **counted)
    return History("kronos", (eager, compiled), comparisons=(compared(eager, compiled, speed_up=speed_up),))


def judged(found: History, asked: TargetCriteria = TOTO) -> dict[CriterionName, tuple[CriterionState, str]]:
    arms = arms_of(found)
    arm = next(arm for arm in arms if arm.variant == "compiled" and arm.candidate == PRODUCTION)
    terms = Terms(RULES, NOW, current_fingerprint(arms))
    return {gate.name: (gate.judgement.state, gate.judgement.value) for gate in gates(arm, found, terms, asked)}


@pytest.mark.parametrize(
    ("found", "name", "state", "value"),
    [
        (history(recompiles=9), RECOMPILES, MET, "9"),
        (history(recompiles=10), RECOMPILES, NOT_MET, "10"),
        (history(recompiles=None), RECOMPILES, UNKNOWN, "not counted"),
        (history(recompiles=24, passed=0, outcome=Outcome.DEGRADED_TO_EAGER), RECOMPILES, NOT_MET, "24"),
        (history(days=8, recompiles=3), RECOMPILES, UNKNOWN, "3, stale"),
        (history(make=on_cpu, recompiles=24), RECOMPILES, UNKNOWN, "24, measured on CPU"),
        (history(regime=Regime.GROWING), RECOMPILES, UNKNOWN, "4"),
        (history(speed_up=2.0), SPEED, MET, "2.00"),
        (history(speed_up=1.99), SPEED, NOT_MET, "1.99"),
        (history(speed_up=None), SPEED, UNKNOWN, "not compared"),
        (history(speed_up=3.0, make=on_cpu), SPEED, UNKNOWN, "3.00, measured on CPU"),
        (history(speed_up=3.0, noisy=True), SPEED, UNKNOWN, "not compared"),
        (history(cudagraph_skips=0), SKIPS, MET, "0"),
        (history(cudagraph_skips=1), SKIPS, NOT_MET, "1"),
        (history(days=8, cudagraph_skips=1), SKIPS, NOT_MET, "1"),
    ],
)
def it_judges_each_by_the_worst_process(found: History, name: CriterionName, state: CriterionState, value: str) -> None:
    assert judged(found)[name] == (state, value)


def it_takes_the_worst_window() -> None:
    found = history(recompiles=4)
    growing = probed("compiled", regime=Regime.GROWING, recompiles=12, cudagraph_skips=0)
    both = History("kronos", (*found.probes, growing), comparisons=found.comparisons)
    assert judged(both)[RECOMPILES] == (NOT_MET, "12")


def it_asks_nothing_of_kronos_and_only_what_is_set_of_others() -> None:
    assert judged(history(), Target().criteria_in_force) == {}
    assert list(judged(history(), TargetCriteria(maximum_cudagraph_skips=2))) == [SKIPS]


def it_lets_settings_replace_one_of_totos_and_keeps_the_others() -> None:
    asked = Target(loader="toto", criteria=TargetCriteria(recompiles_below=30)).criteria_in_force
    assert (asked.recompiles_below, asked.minimum_speed_up, asked.maximum_cudagraph_skips) == (30, 2.0, 0)


class DescribeTheDecision:
    def decided(self, found: History, asked: TargetCriteria = TOTO) -> Decision:
        return decide(found, None, RULES, NOW, asked)

    def it_proposes_what_meets_all_of_them(self) -> None:
        decision = self.decided(history())
        assert (decision.mode, decision.variant) == (Mode.COMPILED, "compiled")
        assert [one.name for one in decision.criteria][4:] == [RECOMPILES, SPEED, SKIPS]
        assert [one.state for one in decision.criteria][4:] == [MET, MET, MET]

    @pytest.mark.parametrize(
        ("found", "told"),
        [
            (history(recompiles=24), "24 recompilations in its worst process, 9 allowed"),
            (history(speed_up=1.6), "1.60 times as fast as eager in steady state, 2 is asked for"),
            (history(cudagraph_skips=3), "3 skipped CUDA graphs in its worst process, 0 allowed"),
        ],
    )
    def it_stays_eager_for_one_that_is_not_met_and_says_which(self, found: History, told: str) -> None:
        decision = self.decided(found)
        assert decision.mode is Mode.EAGER
        assert told in decision.sentence
        assert self.decided(found, TargetCriteria()).mode is Mode.COMPILED, "without them it is proposed"

    def it_stays_eager_while_one_is_unknown(self) -> None:
        decision = self.decided(history(recompiles=None))
        assert decision.mode is Mode.EAGER
        assert "no process of compiled lived to count its recompilations" in decision.sentence
