"""Criteria that only some targets have, beside the four: recompilations, speed and skipped CUDA graphs. Pure.

The team wrote them down for Toto on 2025-10-30. Torch's counts are taken from the worst fresh process of the newest
probe of each window regime, whether it passed or not: a process that fell back to eager recompiled all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kronos_health.domain.probes import Regime
from kronos_health.domain.revisit import Criterion, CriterionName, Evidence, History, ProbeFacts
from kronos_health.revisit.arms import Arm, evidence_of, inadmissible_because
from kronos_health.revisit.criteria import MET, NOT_MET, UNKNOWN, Judgement, Terms, figures_of
from kronos_health.settings.models import TargetCriteria

NOTHING_ASKED = TargetCriteria()


@dataclass(frozen=True, slots=True)
class Gate:
    """One criterion of a target as judged for one arm; ``threshold`` is what was asked for, in words."""

    name: CriterionName
    threshold: str
    judgement: Judgement

    def shown_for(self, arm: Arm) -> Criterion:
        """The criterion as decisions store it."""
        found = self.judgement
        return Criterion(
            self.name, arm.variant, found.state, found.value, self.threshold, found.explanation, found.evidence
        )


def gates(arm: Arm, history: History, terms: Terms, asked: TargetCriteria) -> tuple[Gate, ...]:
    """What ``asked`` names, judged for ``arm``; nothing where nothing is asked."""
    found = []
    if asked.recompiles_below is not None:
        limit = asked.recompiles_below
        judged = _counted(arm, terms, "recompilations", lambda probe: probe.recompiles, limit - 1)
        found.append(Gate(CriterionName.RECOMPILES, f"fewer than {limit} recompilations in every process", judged))
    if asked.minimum_speed_up is not None:
        threshold = f"{asked.minimum_speed_up:g} times as fast as eager on CUDA"
        found.append(Gate(CriterionName.SPEED_UP, threshold, _speed(arm, history, terms, asked.minimum_speed_up)))
    if asked.maximum_cudagraph_skips is not None:
        most = asked.maximum_cudagraph_skips
        judged = _counted(arm, terms, "skipped CUDA graphs", lambda probe: probe.cudagraph_skips, most)
        threshold = f"at most {most} skipped CUDA graphs in a process" if most else "no CUDA graph skipped"
        found.append(Gate(CriterionName.CUDAGRAPH_SKIPS, threshold, judged))
    return tuple(found)


def _counted(arm: Arm, terms: Terms, what: str, count: Callable[[ProbeFacts], int | None], most: int) -> Judgement:
    """Too many on admissible evidence is not met, fresh or not; few enough is met only while that is fresh."""
    newest = [arm.of_regime(regime)[-1] for regime in Regime if arm.of_regime(regime)]
    counts = [number for probe in newest if (number := count(probe)) is not None]
    if not counts:
        return Judgement(UNKNOWN, "not counted", f"no process of {arm.name} lived to count its {what}")
    worst = max(counts)
    told = f"{arm.name}: {worst} {what} in its worst process, {most} allowed"
    if not arm.admissible:
        reason = _inadmissible(newest)
        return Judgement(UNKNOWN, f"{worst}, {reason}", f"{told}; not admissible: {reason}", _rows(newest))
    stale = terms.is_stale(arm)
    if worst > most:
        return Judgement(NOT_MET, f"{worst}", told, _rows(newest))
    if stale:
        return Judgement(UNKNOWN, f"{worst}, stale", f"{told}, but that was measured too long ago", _rows(newest, True))
    if len(counts) < len(newest) or Regime.SATURATED not in {probe.regime for probe in newest}:
        return Judgement(UNKNOWN, f"{worst}", f"{told}, but not every window was counted", _rows(newest))
    return Judgement(MET, f"{worst}", told, _rows(newest))


def _speed(arm: Arm, history: History, terms: Terms, wanted: float) -> Judgement:
    figures = figures_of(arm, history)
    if figures is None or figures.speed_up is None:
        return Judgement(UNKNOWN, "not compared", f"{arm.name} has no undisturbed comparison of speed with eager")
    value, rows = f"{figures.speed_up:.2f}", (Evidence("comparison", figures.comparison_id, arm.admissible, "speed"),)
    told = f"{arm.name} is {value} times as fast as eager in steady state, {wanted:g} is asked for"
    if not arm.admissible:
        reason = _inadmissible(list(arm.probes))
        return Judgement(UNKNOWN, f"{value}, {reason}", f"{told}; not admissible: {reason}", rows)
    if terms.is_stale(arm) or terms.is_old(arm, figures.created_at):
        return Judgement(UNKNOWN, f"{value}, stale", f"{told}, but that was measured too long ago", rows)
    return Judgement(MET if figures.speed_up >= wanted else NOT_MET, value, told, rows)


def _inadmissible(probes: list[ProbeFacts]) -> str:
    return next((why for probe in reversed(probes) if (why := inadmissible_because(probe))), "not measured")


def _rows(probes: list[ProbeFacts], stale: bool = False) -> tuple[Evidence, ...]:
    return tuple(evidence_of(probe, stale) for probe in probes)
