"""Trials of releases and revisions: what one came to, and which are to be ordered now. Pure functions.

A trial is judged by the rules of criteria 3 and 4 on the probes of its candidate alone. What was not measured on CUDA
is told and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kronos_health.domain.candidates import PRODUCTION, candidate_words
from kronos_health.domain.probes import Outcome, ProbeKind, ProbeRecord
from kronos_health.domain.revisit import Attempt, History, News, ProbeFacts, Trial, TrialOrder, TrialResult
from kronos_health.probe.variants import BUILT_IN
from kronos_health.revisit.arms import EAGER, Arm, arms_of
from kronos_health.revisit.criteria import MET, NOT_MET, Judgement, Terms, accuracy, compiled_iterations, result_of
from kronos_health.settings.models import Candidates, Revisit

STOCK = "compiled"
# Those cannot break, and give up what compiling is for: the last to be proposed.
WITHOUT_GRAPHS = frozenset(one.name for one in BUILT_IN if not one.claims_graphs)
NOT_MADE = "NotHere"  # error class of a probe whose environment is not made here on purpose (probe/kept.py)
RECENT = timedelta(days=14)
BETWEEN_ATTEMPTS = timedelta(hours=20)


def judge_trial(history: History, candidate: str, rules: Revisit, now: datetime) -> Trial:
    """What trying ``history.target`` in ``candidate`` has come to so far."""
    terms = Terms(rules, now, None)
    arms = _compiled_arms(history, candidate)
    judged = {arm.variant: _judged(arm, history, terms) for arm in arms}
    passing = sorted((name for name, one in judged.items() if one.state is MET), key=_preference)
    failing = [name for name, one in judged.items() if one.state is NOT_MET]
    known = [arm.variant for arm in arms if arm.admissible]
    result, variant = _result(passing, failing, known)
    trial = Trial(
        target=history.target,
        candidate=candidate,
        result=result,
        variant=variant,
        explanation="",
        variants=tuple((arm.variant, judged[arm.variant].value) for arm in arms if arm.admissible),
        rehearsed=tuple((arm.variant, result_of(probe)) for arm in arms if (probe := _rehearsal(arm))),
        in_production=_in_production(history, variant, terms),
        evidence=tuple(row for one in judged.values() for row in one.evidence),
    )
    return replace(trial, explanation=_explained(trial, judged, history))


def order_trials(
    news: Iterable[News],
    probes: Mapping[tuple[str, str], Sequence[ProbeRecord]],
    attempts: Iterable[Attempt],
    variants: Sequence[str],
    rules: Candidates,
    now: datetime,
) -> tuple[TrialOrder, ...]:
    """The trials to order now, each candidate once.

    ``probes`` holds what was probed so far by (target, candidate); its keys are the targets that fit each candidate.
    News older than two weeks is left to people. What has an answer is not tried again; what has none because probing
    itself failed is, ``rules.attempts`` times in all, a day apart.
    """
    made: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        made.setdefault(attempt.candidate, []).append(attempt)
    orders = []
    for name in dict.fromkeys(item.candidate for item in news if now - item.seen_at <= RECENT):
        earlier = made.get(name, [])
        resting = any(now - attempt.ordered_at < BETWEEN_ATTEMPTS for attempt in earlier)
        missing = {
            target: _missing(records, variants) for (target, candidate), records in probes.items() if candidate == name
        }
        targets = tuple(target for target, open_variants in missing.items() if open_variants)
        if not targets or resting or len(earlier) >= rules.attempts:
            continue
        wanted = {variant for target in targets for variant in missing[target]} | {EAGER}
        orders.append(TrialOrder(name, targets, tuple(v for v in variants if v in wanted), len(earlier) + 1))
    return tuple(orders)


def _missing(records: Sequence[ProbeRecord], variants: Sequence[str]) -> tuple[str, ...]:
    """The variants without an answer; none while one runs, or where the environment is not made here on purpose."""
    if any(record.outcome is None for record in records):
        return ()
    if any(record.failure is not None and record.failure.error_class == NOT_MADE for record in records):
        return ()
    answered = {
        record.variant
        for record in records
        if record.kind is ProbeKind.MEASURED
        and record.outcome is not None
        and (record.outcome.about_the_model or record.unsupported)
    }
    return tuple(variant for variant in variants if variant not in answered)


def _compiled_arms(history: History, candidate: str) -> list[Arm]:
    return [arm for arm in arms_of(history) if arm.candidate == candidate and arm.variant != EAGER]


def _judged(arm: Arm, history: History, terms: Terms) -> Judgement:
    """Criterion 3, and what criterion 4 has against it."""
    iterations = compiled_iterations(arm, terms)
    if iterations.state is MET:
        compared = accuracy(arm, history, terms)
        if compared.state is NOT_MET:
            return Judgement(NOT_MET, "worse than eager", compared.explanation, compared.evidence)
    return iterations


def _preference(variant: str) -> tuple[bool, bool, str]:
    return (variant != STOCK, variant in WITHOUT_GRAPHS, variant)


def _result(passing: Sequence[str], failing: Sequence[str], known: Sequence[str]) -> tuple[TrialResult, str | None]:
    if STOCK in passing:
        return TrialResult.FIXED_BY_DEFAULT, STOCK
    if passing:
        return TrialResult.FIXED_WITH_OPT_IN, passing[0]
    if not known:
        return TrialResult.NOT_TRIED, None
    if STOCK in failing and set(failing) == set(known):
        return TrialResult.STILL_BROKEN, None
    return TrialResult.UNDECIDED, None


def _rehearsal(arm: Arm) -> ProbeFacts | None:
    shown = [probe for probe in (*arm.others, *arm.probes) if probe.kind is ProbeKind.REHEARSED]
    return max(shown, key=lambda probe: (probe.started_at, probe.probe_id), default=None)


def _in_production(history: History, variant: str | None, terms: Terms) -> str | None:
    """The same variant in production's own environment: where it passes there too, the candidate is not what mends."""
    if variant is None:
        return None
    arm = next((arm for arm in _compiled_arms(history, PRODUCTION) if arm.variant == variant and arm.admissible), None)
    return compiled_iterations(arm, terms).value if arm else "not tried on CUDA"


def _explained(trial: Trial, judged: Mapping[str, Judgement], history: History) -> str:
    where = candidate_words(trial.candidate)
    each = "; ".join(f"{name}: {value}" for name, value in trial.variants)
    told = {
        TrialResult.FIXED_BY_DEFAULT: f"Stock compiled code passes with {where} on CUDA ({each}).",
        TrialResult.FIXED_WITH_OPT_IN: f"With {where}, {trial.variant} passes on CUDA ({each}).",
        TrialResult.STILL_BROKEN: f"Every compiled variant that was tried with {where} fails on CUDA ({each}).",
        TrialResult.UNDECIDED: f"With {where}, no compiled variant has passed often enough and not all fail ({each}).",
        TrialResult.NOT_TRIED: f"Nothing was measured with {where} on CUDA{_why_not(trial, history)}.",
    }[trial.result]
    if trial.rehearsed and trial.result is TrialResult.NOT_TRIED:
        each = "; ".join(f"{name}: {value}" for name, value in trial.rehearsed)
        told += f" Rehearsed without a GPU, which is no evidence: {each}."
    return told


def _why_not(trial: Trial, history: History) -> str:
    """The last reason for which probing in the candidate itself failed."""
    failed = [
        probe
        for probe in history.probes
        if probe.candidate == trial.candidate
        and probe.outcome in {Outcome.WORKER_ERROR, Outcome.SKIPPED, Outcome.LOST}
        and probe.message
    ]
    newest = max(failed, key=lambda probe: (probe.started_at, probe.probe_id), default=None)
    return f": {' '.join((newest.message or '').split()).rstrip('.')}" if newest else ""
