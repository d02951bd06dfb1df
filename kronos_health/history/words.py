"""Facts in words: ages, figures, states. The same wording on the screen, in the report and on the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from kronos_health.domain.warm_up import WarmUpDependence
from kronos_health.history.facts import (
    AgreementFacts,
    AlertFacts,
    CriterionFacts,
    ProbeFacts,
    SourceFacts,
    StandingFacts,
)

CRITERIA: Final = {
    "torch_release": "PyTorch release with the fix",
    "kronos_update": "Kronos updated with the fix",
    "compiled_iterations": "N of N compiled iterations",
    "accuracy": "No accuracy degradation vs eager",
    "recompiles": "Few recompilations",
    "speed_up": "Fast enough beside eager",
    "cudagraph_skips": "No CUDA graph skipped",
}
STATES: Final = {"met": "met", "not_met": "not met", "unknown": "unknown"}
NOTHING: Final = "–"


def age(at: datetime | None, now: datetime) -> str:
    """How long before ``now``, in the unit a person would use; "never" for no time."""
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    if seconds < 0:
        return "in the future"
    if seconds < 60:
        return "under a minute"
    for limit, length, unit in ((5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def ago(at: datetime | None, now: datetime) -> str:
    """As :func:`age`, for a sentence."""
    words = age(at, now)
    return words if words in {"never", "in the future"} else f"{words} ago"


def stamp(at: datetime | None, zone: str = " UTC") -> str:
    """A time as everywhere in this project: UTC, to the minute. ``zone`` is empty where a heading names it."""
    return f"{at:%Y-%m-%d %H:%M}{zone}" if at else NOTHING


def figure(value: float | None, unit: str = "") -> str:
    """A figure with thousands separators, and with decimals only while it is small: about three digits that count."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return f"{value}{' ' + unit if unit else ''}"
    digits = 0 if value == int(value) else _decimals(value)
    return f"{value:,.{digits}f}{' ' + unit if unit else ''}"


def _decimals(value: float) -> int:
    size = abs(value)
    return 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 4


def plus_minus(mean: float | None, deviation: float | None, unit: str = "") -> str:
    """``mean ± deviation`` as the team writes it: the deviation with the mean's own decimals, never more."""
    if mean is None or deviation is None or not (math.isfinite(mean) and math.isfinite(deviation)):
        return figure(mean, unit)
    digits = _decimals(mean or deviation)
    return f"{mean:,.{digits}f} ± {deviation:,.{digits}f}{' ' + unit if unit else ''}"


def marked(figures: str, noise: object) -> str:
    """Times measured beside something else carry a mark; :func:`noisy` says once what it means."""
    return f"{figures} ~" if noise and figures != NOTHING else figures


def noisy(reasons: Iterable[Iterable[str]]) -> str:
    """The legend of the mark, with the reasons of the probes that carry it; empty where none does."""
    told = list(dict.fromkeys(reason for of_probe in reasons for reason in of_probe))
    if not told:
        return ""
    more = f", and {counted(len(told) - 1, 'more reason')}" if len(told) > 1 else ""
    return f"~ noisy: {told[0]}{more}"


def reason_beyond(sentence: str, reason: str) -> str:
    """What the reason says that the sentence has not said already."""
    said = sentence.partition(": ")[2].strip()
    if said and reason.lower().startswith(said.lower()):
        return reason[len(said) :].strip()
    return reason


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def counted(count: int, noun: str) -> str:
    """``1 gap``, ``2 gaps``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def evidence(probe: ProbeFacts) -> str:
    """What a probe is worth, said so that nobody mistakes it for more."""
    ran_on = ", ".join(part for part in (probe.gpu, probe.model_shape, probe.torch and f"torch {probe.torch}") if part)
    note = f" ({ran_on})" if ran_on else ""
    return {
        "cuda": f"measured on CUDA{note}",
        "cpu": f"not admissible: measured on CPU{note}",
        "rehearsal": f"rehearsal: what CUDA would do, never evidence{note}",
        "baseline": f"baseline of {probe.started_at:%Y-%m-%d}, imported",
        "none": "not admissible: ended before it could say what it ran on",
    }[probe.evidence]


def passed(probe: ProbeFacts) -> str:
    """How many of how many iterations; what was recorded without iterations says nothing."""
    return f"{probe.passed}/{probe.requested}" if probe.requested else NOTHING


def where(probe: ProbeFacts) -> str:
    """The first failing frame, or the error, or why there was no run."""
    if probe.skipped_reason:
        return probe.skipped_reason
    if probe.frame_file:
        place = "/".join(probe.frame_file.split("/")[-2:])
        return f"{probe.frame_code or probe.frame_function} ({place}:{probe.frame_line})"
    if probe.error_class or probe.message:
        return ": ".join(part for part in (probe.error_class, _first_line(probe.message)) if part)
    return ""


def warm_up(probe: ProbeFacts) -> str:
    """That it passes only once it is warm, if so."""
    if probe.passes_with_warmups is None or probe.fails_with_warmups is None:
        return ""
    return WarmUpDependence(probe.passes_with_warmups, probe.fails_with_warmups).words


def arm(variant: str, candidate: str) -> str:
    """A variant, and the environment it was tried in where that is not production's."""
    return variant if candidate == "production" else f"{variant} @ {candidate}"


def standing(facts: StandingFacts) -> str:
    """What the history since the last change of environment says of one variant."""
    total = facts.passed + facts.failed
    text = f"{facts.passed}/{total} in {counted(facts.days, 'day')}"
    if facts.broken:
        text += ", BROKEN"
    elif facts.failed == 0 and total:
        text += f", passes at least {facts.lower_bound:.0%} (95 %)"
    text += "" if facts.broken or not facts.admissible else f", {facts.confidence}"
    if facts.reset and facts.since:
        text += f" (counting since {facts.since:%Y-%m-%d}: {facts.reset})"
    return text if facts.admissible else f"{text} — not admissible"


def agreement(facts: Sequence[AgreementFacts]) -> str:
    """How often the rehearsal said what CUDA did, naming where it did not."""
    if not facts:
        return "No CUDA results to compare the rehearsal with."
    agreed = sum(1 for one in facts if one.agrees)
    text = f"Rehearsal agreed with CUDA in {agreed} of {counted(len(facts), 'variant')}"
    wrong = ", ".join(
        f"{arm(one.variant, one.candidate)} (rehearsed {one.rehearsed}, on CUDA {one.measured})"
        for one in facts
        if not one.agrees
    )
    return f"{text}; not in {wrong}." if wrong else f"{text}."


def criterion_number(name: str) -> int:
    """The criterion's place in the team's list, from 1; what is not in it comes after."""
    names = list(CRITERIA)
    return names.index(name) + 1 if name in names else len(names) + 1


def criterion(facts: CriterionFacts) -> str:
    """The criterion's name as the team wrote it down."""
    return CRITERIA.get(facts.name, facts.name)


def source_state(facts: SourceFacts, now: datetime) -> str:
    """How far a log has been read; never "clean" when it could not be."""
    if facts.problem:
        return f"cannot be read since {stamp(facts.problem_since)}: {facts.problem}"
    if facts.last_scanned_at is None:
        return "never read: unknown"
    parts = [f"read {ago(facts.last_scanned_at, now)}"]
    if facts.lag_bytes:
        parts.append(f"{size(facts.lag_bytes)} still unread")
    if facts.gaps:
        parts.append(f"{counted(facts.gaps, 'gap')} lost unread")
    return ", ".join(parts)


def _first_line(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[0] if lines else ""


def quietly(alert: AlertFacts) -> tuple[str, ...]:
    """Why an open alert does not remind anybody: acknowledged, silenced, both or neither."""
    taken = f"acknowledged by {alert.acknowledged_by}" if alert.acknowledged_at else ""
    silent = f"silenced by {alert.silenced_by} until {stamp(alert.silenced_until)}" if alert.silenced_until else ""
    return tuple(filter(None, (taken, silent)))
