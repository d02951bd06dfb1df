"""Criteria 3 and 4, which are necessary: N of N compiled iterations, and no loss of accuracy. And whether it pays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kronos_health.domain.probes import AccuracyState, Outcome, ProbeKind, Regime
from kronos_health.domain.revisit import (
    ComparisonFacts,
    Criterion,
    CriterionName,
    CriterionState,
    Evidence,
    History,
    ProbeFacts,
)
from kronos_health.revisit.arms import EAGER, PRODUCTION, Arm, evidence_of, inadmissible_because
from kronos_health.revisit.statistics import lower_bound
from kronos_health.settings.models import Revisit

_LONGEST_MESSAGE = 200
MET, NOT_MET, UNKNOWN = CriterionState.MET, CriterionState.NOT_MET, CriterionState.UNKNOWN


@dataclass(frozen=True, slots=True)
class Terms:
    """What every criterion is judged against: the rules, the time, and what production runs on now."""

    rules: Revisit
    now: datetime
    fingerprint: str | None  # None: production was never measured on CUDA

    def is_overtaken(self, arm: Arm) -> bool:
        """True when production was measured on something else since: another torch, driver, GPU or revision."""
        newest = arm.newest
        return arm.candidate == PRODUCTION and newest is not None and newest.fingerprint != self.fingerprint

    def is_old(self, arm: Arm, moment: datetime) -> bool:
        """True when evidence of that moment no longer counts.

        Production drifts and is measured every night. A candidate is one release or revision, which does not change: it
        is tried once, and what was found stands.
        """
        return arm.candidate == PRODUCTION and self.now - moment > timedelta(days=self.rules.stale_after_days)

    def is_stale(self, arm: Arm) -> bool:
        """True when the arm's last evidence is too old, imported (of unknown make), or overtaken."""
        newest = arm.newest
        return newest is None or newest.imported or self.is_old(arm, newest.started_at) or self.is_overtaken(arm)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state of a criterion for one arm, in short text, with the rows under it."""

    state: CriterionState
    value: str
    explanation: str
    evidence: tuple[Evidence, ...] = ()


def compiled_iterations(arm: Arm, terms: Terms) -> Judgement:
    """Criterion 3. Failures stand until something newer was measured; successes only while they are fresh.

    Met when the newest probe of every regime that was tried passed, with N successes in a row in each, production's
    saturated window among them, and no CUDA graph has failed since the fingerprint last changed.
    """
    shown = tuple(evidence_of(probe) for probe in _newest_first(arm.others))
    if not arm.admissible:
        return Judgement(UNKNOWN, _unmeasured(arm), _why_unmeasured(arm), shown)
    failure = arm.graph_failure or next((probe for probe in _newest(arm) if probe.outcome is not Outcome.PASSED), None)
    if failure is not None:
        return Judgement(NOT_MET, result_of(failure), _why_failed(failure), (evidence_of(failure), *shown))
    stale = terms.is_stale(arm)
    rows = (*(evidence_of(probe, stale) for probe in _newest(arm)), *shown)
    streaks = {regime: _streak(arm.of_regime(regime)) for regime in Regime if arm.of_regime(regime)}
    return _judge_passes(arm, terms, streaks, stale, rows)


def _judge_passes(
    arm: Arm, terms: Terms, streaks: dict[Regime, int], stale: bool, rows: tuple[Evidence, ...]
) -> Judgement:
    wanted, shortest = terms.rules.required_iterations, min(streaks.values())
    value = f"{shortest} of {wanted}" if shortest < wanted else f"{shortest} in a row"
    if Regime.SATURATED not in streaks:
        return Judgement(UNKNOWN, value, f"{arm.name} was not tried in production's saturated window", rows)
    if stale:
        return Judgement(UNKNOWN, f"{value}, stale", _why_stale(arm, terms), rows)
    if shortest < wanted:
        return Judgement(
            UNKNOWN, value, f"{arm.name} passed {shortest} iterations so far; {wanted} are asked for", rows
        )
    bound = lower_bound(sum(probe.passed for probe in arm.probes), sum(probe.failed for probe in arm.probes))
    return Judgement(MET, value, f"{arm.name} passed every time; its success rate is at least {bound:.3f} (95 %)", rows)


def accuracy(arm: Arm, history: History, terms: Terms) -> Judgement:
    """Criterion 4, by the newest comparison of each regime. Inconclusive and void are unknown, never met."""
    probes = {probe.probe_id: probe for probe in history.probes}
    own = {probe.probe_id for probe in arm.probes}
    found: dict[Regime, ComparisonFacts] = {}
    shown: list[Evidence] = []
    for comparison in sorted(history.comparisons, key=lambda item: (item.created_at, item.comparison_id)):
        probe = probes.get(comparison.candidate_probe)
        if probe is None or (probe.variant, probe.candidate) != (arm.variant, arm.candidate):
            continue
        if probe.kind is ProbeKind.REHEARSED:  # says nothing about forecasts, and would hide a comparison that does
            continue
        because = _inadmissible(comparison, probes)
        if because is None and comparison.candidate_probe in own:
            found[probe.regime] = comparison
        elif because:
            shown = [_comparison_evidence(comparison, because)]  # the newest will do
    if not found:
        return Judgement(UNKNOWN, "not compared", f"{arm.name} was not compared with eager on CUDA", tuple(shown))
    return _judge_comparisons(found, arm, terms, shown)


def _judge_comparisons(
    found: dict[Regime, ComparisonFacts], arm: Arm, terms: Terms, shown: list[Evidence]
) -> Judgement:
    worst = max(found.values(), key=lambda item: (_BADNESS[item.accuracy], item.comparison_id))
    value = worst.accuracy.value
    if worst.upper_bound is not None and worst.scaled_difference is not None:
        value += f": {100 * worst.scaled_difference:+.2f} %, at most {100 * worst.upper_bound:+.2f} %"
    stale = terms.is_stale(arm) or any(terms.is_old(arm, comparison.created_at) for comparison in found.values())
    because = "it is too old" if stale else None
    rows = (*(_comparison_evidence(comparison, because) for comparison in found.values()), *shown)
    if worst.accuracy is AccuracyState.FAIL:
        return Judgement(NOT_MET, value, worst.accuracy_reason, rows)
    if worst.accuracy is not AccuracyState.PASS:
        return Judgement(UNKNOWN, value, worst.accuracy_reason, rows)
    if stale:
        return Judgement(UNKNOWN, f"{value}, stale", _why_stale(arm, terms), rows)
    if Regime.SATURATED not in found:
        return Judgement(UNKNOWN, value, "production's saturated window was not compared", rows)
    return Judgement(MET, value, worst.accuracy_reason, rows)


_BADNESS = {AccuracyState.PASS: 0, AccuracyState.VOID: 1, AccuracyState.INCONCLUSIVE: 2, AccuracyState.FAIL: 3}


def figures_of(arm: Arm, history: History) -> ComparisonFacts | None:
    """The newest undisturbed comparison with eager in production's window: its speed-up and memory ratio."""
    saturated = {probe.probe_id for probe in arm.of_regime(Regime.SATURATED)}
    noisy = {probe.probe_id for probe in history.probes if probe.noisy}
    own = [
        comparison
        for comparison in history.comparisons
        if comparison.candidate_probe in saturated
        and not noisy.intersection((comparison.candidate_probe, comparison.baseline_probe))
    ]
    return max(own, key=lambda item: (item.created_at, item.comparison_id), default=None)


def not_worth_it(arm: Arm, history: History, rules: Revisit) -> str | None:
    """Why a variant that works would still not pay, by the original system's gates; ``None`` if not measured."""
    figures = figures_of(arm, history)
    if figures is None:
        return None
    if figures.speed_up is not None and figures.speed_up < rules.minimum_speed_up:
        return f"it is {figures.speed_up:.2f} times as fast as eager, and {rules.minimum_speed_up:g} is asked for"
    if figures.memory_ratio is not None and figures.memory_ratio > rules.maximum_memory_ratio:
        return (
            f"it needs {figures.memory_ratio:.2f} times eager's memory, and {rules.maximum_memory_ratio:g} is allowed"
        )
    return None


def necessary_criteria(
    arm: Arm | None, iterations: Judgement | None, accurate: Judgement | None, rules: Revisit
) -> tuple[Criterion, Criterion]:
    """Criteria 3 and 4 as shown, for the arm that leads; ``None`` when no compiled variant was ever tried."""
    nothing = Judgement(UNKNOWN, "not tried", "no compiled variant was probed yet")
    third, fourth = iterations or nothing, accurate or nothing
    wanted, variant = rules.required_iterations, arm.variant if arm else None
    return (
        _criterion(
            CriterionName.COMPILED_ITERATIONS, variant, third, f"{wanted} of {wanted} iterations pass compiled on CUDA"
        ),
        _criterion(
            CriterionName.ACCURACY,
            variant,
            fourth,
            f"error at most {100 * rules.accuracy_margin:g} % of the naive error above eager's (95 %)",
        ),
    )


def _criterion(name: CriterionName, variant: str | None, judgement: Judgement, threshold: str) -> Criterion:
    return Criterion(
        name, variant, judgement.state, judgement.value, threshold, judgement.explanation, judgement.evidence
    )


def result_of(probe: ProbeFacts) -> str:
    """A probe's result in a few words, e.g. ``0 of 5, graph_reuse``."""
    parts = [f"{probe.passed} of {probe.requested}"] if probe.requested else []
    if probe.outcome is not None and (probe.outcome is not Outcome.PASSED or not parts):
        parts.append(probe.outcome.value)
    text = ", ".join(parts)
    return f"{text} ({probe.started_at:%Y-%m-%d}, imported)" if probe.imported else text


def _newest(arm: Arm) -> list[ProbeFacts]:
    return [arm.of_regime(regime)[-1] for regime in Regime if arm.of_regime(regime)]


def _newest_first(probes: Iterable[ProbeFacts]) -> list[ProbeFacts]:
    return sorted(probes, key=lambda probe: (probe.started_at, probe.probe_id), reverse=True)


def _streak(probes: tuple[ProbeFacts, ...]) -> int:
    passed = 0
    for probe in reversed(probes):
        if probe.outcome is not Outcome.PASSED:
            break
        passed += probe.passed
    return passed


def _unmeasured(arm: Arm) -> str:
    newest = arm.newest
    if newest is None:
        return "not measured"
    return f"{result_of(newest)}, {inadmissible_because(newest)}"


def _why_unmeasured(arm: Arm) -> str:
    newest = arm.newest
    reason = inadmissible_because(newest) if newest else "no probe finished"
    return f"{arm.name} was never measured on CUDA; not admissible: {reason}"


def _why_failed(failure: ProbeFacts) -> str:
    if failure.graph_failures:
        told = f"{failure.variant} is broken: a CUDA graph failed on {failure.started_at:%Y-%m-%d}"
    else:
        ended = failure.outcome.value if failure.outcome else "unfinished"
        told = f"the newest probe of {failure.variant} ended as {ended}"
    return f"{told}: {_shortened(failure.message)}" if failure.message else told


def _shortened(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[: _LONGEST_MESSAGE - 1]}…"


def _why_stale(arm: Arm, terms: Terms) -> str:
    newest = arm.newest
    if terms.is_overtaken(arm):
        return f"{arm.name} was measured before production's environment changed"
    days = (terms.now - newest.started_at).days if newest else 0
    return f"{arm.name} was last measured {days} days ago; evidence counts for {terms.rules.stale_after_days:g} days"


def _inadmissible(comparison: ComparisonFacts, probes: dict[str, ProbeFacts]) -> str | None:
    for probe_id in (comparison.candidate_probe, comparison.baseline_probe):
        probe = probes.get(probe_id)
        because = inadmissible_because(probe) if probe else "its probe is gone"
        if because:
            return because
    baseline = probes[comparison.baseline_probe]
    return None if baseline.variant == EAGER else "not compared with eager"


def _comparison_evidence(comparison: ComparisonFacts, because: str | None) -> Evidence:
    found = f"{comparison.accuracy.value} over {comparison.pairs} pairs"
    note = f"not admissible: {because}; {found}" if because else found
    return Evidence("comparison", comparison.comparison_id, because is None, note)
