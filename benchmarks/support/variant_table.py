"""The variants of one campaign as a page: a row each, whether the rehearsal had said so, and the open questions. Pure.

What was measured on a CPU answers no question about CUDA, and agrees with no rehearsal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kronos_health.domain.probes import Comparison, Environment, Outcome, ProbeKind, ProbeRecord

# The lines marked [gpu?] in the project's notes: what was expected of a GPU and never seen on one.
QUESTIONS = (
    ("compiled", "stock fails by graph reuse, as in production", Outcome.GRAPH_REUSE),
    ("compiled_static_rope_clone", "rotary tables ahead and outputs cloned: passes", Outcome.PASSED),
    ("compiled_static_rope_mark_step", "rotary tables ahead and one mark per step: passes", Outcome.PASSED),
    ("compiled_whole_step", "the whole step as one region, kept outputs cloned: passes", Outcome.PASSED),
    ("compiled_generation_cloning", "cudagraph_trees_generation_cloning (torch ≥ 2.14): passes", Outcome.PASSED),
    ("compiled_no_cudagraphs", "without CUDA graphs: passes", Outcome.PASSED),
)
COLUMNS = (
    "Variant", "Outcome", "Passed", "First call", "Steady", "IQR", "Speed-up", "Accuracy", "Memory", "Recompiles",
    "Skips", "Replays", "Rehearsed", "Agrees",
)  # fmt: skip
_LIFETIME = {Outcome.PASSED: False, Outcome.GRAPH_REUSE: True, Outcome.SILENT_OVERWRITE: True}  # broke the rule?
NONE = "–"

Iterations = Sequence[Mapping[str, object]]  # rows of the named query iterations_of_probe


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant of the campaign: its probe, the counters of its iterations, beside eager, and rehearsed."""

    measured: ProbeRecord
    iterations: Iterations
    comparison: Comparison | None
    rehearsed: ProbeRecord | None


def arms(
    probes: Iterable[ProbeRecord], comparisons: Iterable[Comparison], iterations: Mapping[str, Iterations]
) -> list[Arm]:
    """The measured probes of a campaign in their order, with all that belongs to each. ``iterations`` by probe id."""
    listed = list(probes)
    beside_eager = {item.candidate_probe: item for item in comparisons}
    rehearsals = {probe.variant: probe for probe in listed if probe.kind is ProbeKind.REHEARSED}
    return [
        Arm(probe, iterations.get(probe.probe_id, ()), beside_eager.get(probe.probe_id), rehearsals.get(probe.variant))
        for probe in listed
        if probe.kind is ProbeKind.MEASURED
    ]


def agreement(measured: Outcome | None, rehearsed: Outcome | None) -> bool | None:
    """Whether a rehearsal said what the device did about the lifetime rule; ``None`` where one of them says nothing."""
    if measured not in _LIFETIME or rehearsed not in _LIFETIME:
        return None
    return _LIFETIME[measured] == _LIFETIME[rehearsed]


def table(rows: Sequence[Arm]) -> str:
    """The arms as a Markdown table; milliseconds and MiB."""
    lines = [COLUMNS, tuple("---" if name in COLUMNS[:2] else "--:" for name in COLUMNS), *(_row(arm) for arm in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def failures(rows: Sequence[Arm]) -> str:
    """A line for each variant that did not pass: where it failed, and what was said."""
    lines = [f"- `{arm.measured.variant}`: {_why(arm.measured)}" for arm in rows if _why(arm.measured)]
    return "\n".join(lines) + "\n" if lines else "None.\n"


def answers(rows: Sequence[Arm]) -> str:
    """What this machine says to the open questions, by their expectation: yes, no, or no answer."""
    by_variant = {arm.measured.variant: arm.measured for arm in rows}
    lines = [_answer(by_variant.get(name), name, question, expected) for name, question, expected in QUESTIONS]
    return "\n".join(lines) + "\n"


def agreements(rows: Sequence[Arm]) -> str:
    """In how many variants rehearsal and device said the same, and which are the others."""
    found = {arm.measured.variant: _agrees(arm) for arm in rows if arm.rehearsed is not None}
    told = [value for value in found.values() if value is not None]
    if not told:
        return "No variant has both a rehearsal and a measurement with a verdict on the lifetime rule."
    wrong = [name for name, value in found.items() if value is False]
    but = f"; not of {', '.join(f'`{name}`' for name in wrong)}" if wrong else ""
    return f"The rehearsal agreed in {sum(told)} of {len(told)} variants that can be compared{but}."


def page(rows: Sequence[Arm], machine: Sequence[tuple[str, str]], layers: str, measured_at: datetime) -> str:
    """The whole page as Markdown: ``machine`` is its list of hardware and versions, ``layers`` what the ladder says."""
    facts = "\n".join(f"- {name}: {value}" for name, value in machine)
    return f"""# Variants of Kronos, measured {measured_at:%Y-%m-%d}

Made by `make bench-gpu`. An iteration is a fresh process that loads, compiles and forecasts; the first call includes
compiling, from a cold cache in the first iteration. Times are medians over the iterations that passed, in ms; memory is
the highest peak of an iteration, in MiB (~: other programs disturbed the probe); recompiles, skips and replays are
those of an iteration.

{facts}

{table(rows)}
{agreements(rows)}

{layers}

## What did not pass

{failures(rows)}
## The open questions

{answers(rows)}"""


def hardware(environment: Environment | None) -> list[tuple[str, str]]:
    """What a probe said of the machine that it ran on."""
    if environment is None:
        return [("environment", "no iteration got far enough to say what it ran on")]
    known = [
        ("GPU", environment.gpu or "none: this is a dry run on a CPU, and says nothing about CUDA"),
        ("driver", environment.driver),
        ("torch", environment.torch),
        ("CUDA", environment.cuda),
        ("triton", environment.triton),
        ("Python", environment.python),
        ("model", f"Kronos-{environment.model_shape}, {environment.dtype}, weights {environment.weights_revision}"),
        ("code", environment.target_revision),
        ("window", environment.window_shape),
        ("timing", environment.timing_method),
    ]
    return [(name, value) for name, value in known if value]


def file_name(environment: Environment, measured_at: datetime) -> str:
    """``<date>-<gpu>-torch<version>.md``, in letters that every file system takes."""
    gpu = re.sub(r"[^a-z0-9]+", "-", (environment.gpu or environment.device).lower()).strip("-")
    return f"{measured_at:%Y-%m-%d}-{gpu}-torch{environment.torch.partition('+')[0]}.md"


def _row(arm: Arm) -> tuple[str, ...]:
    probe, figures = arm.measured, arm.measured.figures
    comparison = arm.comparison
    agrees = _agrees(arm)
    return (
        f"`{probe.variant}`",
        probe.outcome.value if probe.outcome else "not finished",
        f"{probe.passed}/{probe.requested}",
        _figure(figures.first_call_median_ms, 0),
        _figure(figures.steady_median_ms, 1),
        _figure(figures.steady_iqr_ms, 1),
        _figure(comparison.speed_up if comparison else None, 2),
        comparison.accuracy.value if comparison else NONE,
        _figure(figures.memory_mb, 0) + (" ~" if probe.noise else ""),
        _span(arm.iterations, "recompiles"),
        _span(arm.iterations, "cudagraph_skips"),
        _span(arm.iterations, "cudagraph_replays"),
        arm.rehearsed.outcome.value if arm.rehearsed and arm.rehearsed.outcome else NONE,
        NONE if agrees is None else "yes" if agrees else "**no**",
    )


def _on_cuda(probe: ProbeRecord) -> bool:
    return probe.environment is not None and probe.environment.device.startswith("cuda")


def _agrees(arm: Arm) -> bool | None:
    if not _on_cuda(arm.measured):
        return None
    return agreement(arm.measured.outcome, arm.rehearsed.outcome if arm.rehearsed else None)


def _answer(probe: ProbeRecord | None, name: str, question: str, expected: Outcome) -> str:
    if probe is None or probe.outcome is None or not probe.outcome.about_the_model:
        return f"- `{name}`, {question}? **No answer**: {_why(probe) if probe else 'not measured'}"
    if not _on_cuda(probe):
        return f"- `{name}`, {question}? **No answer**: not measured on CUDA."
    seen = f"{probe.passed} of {probe.requested} passed"
    if probe.outcome is expected:
        return f"- `{name}`, {question}? **Yes**: {seen}."
    if probe.failure is not None and probe.failure.error_class == "Unsupported":
        return f"- `{name}`, {question}? **No answer**: {_first_line(probe.failure.message)}"
    return f"- `{name}`, {question}? **No**: {seen}; {_why(probe) or 'it passed'}"


def _why(probe: ProbeRecord) -> str:
    if probe.skipped_reason:
        return f"skipped: {probe.skipped_reason}"
    if probe.failure is None:
        return ""
    frame = probe.failure.frame
    at = f" at `{frame.code or frame.function}` ({frame.file.rpartition('/')[2]}:{frame.line})" if frame else ""
    outcome = probe.outcome.value if probe.outcome else "not finished"
    return f"{outcome}{at}: {_first_line(probe.failure.message)}"


def _first_line(text: str) -> str:
    line = next(iter(text.strip().splitlines()), "")
    return (line[:197] + "…" if len(line) > 198 else line).replace("|", "\\|")


def _figure(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def _span(iterations: Iterations, column: str) -> str:
    """The figure where all iterations have the same, else the smallest and the largest."""
    values = sorted(value for row in iterations if isinstance(value := row[column], int))
    if not values:
        return NONE
    return str(values[0]) if values[0] == values[-1] else f"{values[0]}–{values[-1]}"
