"""The layer ladder: each rung puts one more layer of the compiler on the model, and the first that fails is named.

The rungs are ordinary probes of variants named ``layer_…``; what they come to is a pure function of their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kronos_health.domain.probes import AccuracyState, Comparison, Outcome, ProbeKind, ProbeRecord


@dataclass(frozen=True, slots=True)
class Rung:
    """A variant, and the layer that it adds to the rungs below."""

    variant: str
    layer: str


RUNGS = (
    Rung("eager", "the model itself"),
    Rung("layer_dynamo", "Dynamo"),
    Rung("layer_aot_autograd", "AOTAutograd"),
    Rung("layer_inductor", "Inductor"),
    Rung("layer_cudagraphs", "CUDA graphs"),
    Rung("layer_inductor_cudagraphs", "Inductor with CUDA graphs"),
)


@dataclass(frozen=True, slots=True)
class LadderResult:
    """Which layers pass, and the first that does not: it fails, or (``unknown``) nobody can say."""

    passing: tuple[str, ...]
    failing: str | None = None
    unknown: str | None = None
    because: str = ""
    rehearsed: bool = False  # the last rung looked at, or one that passes, is a rehearsal: no evidence

    @property
    def passes(self) -> bool:
        """True when every layer does."""
        return self.failing is None and self.unknown is None

    @property
    def sentence(self) -> str:
        """The result for people."""
        if self.failing is not None:
            told = f"First failing layer: {self.failing} ({self.because})"
            return f"{told}: {self._passing}." if self.passing else f"{told}."
        if self.unknown is not None:
            told = f"No layer can be named: {self.unknown} gave no answer ({self.because})"
            return f"{told}; {self._passing}." if self.passing else f"{told}."
        note = " CUDA graphs were rehearsed, which is no evidence." if self.rehearsed else ""
        return f"No layer fails: {self._passing}.{note}"

    @property
    def _passing(self) -> str:
        names = self.passing[1:] or self.passing  # that the model itself runs goes without saying
        if len(names) == 1:
            return f"{names[0]} passes"
        return f"{', '.join(names[:-1])} and {names[-1]} pass"


def first_failing_layer(probes: Iterable[ProbeRecord], comparisons: Sequence[Comparison] = ()) -> LadderResult:
    """What the rungs of one target came to. A rung fails when it did not pass, or passed and is worse than eager."""
    of_variant = {probe.variant: probe for probe in probes}
    worse = {item.candidate_probe: item.accuracy_reason for item in comparisons if item.accuracy is AccuracyState.FAIL}
    passing: list[str] = []
    rehearsed = False
    for rung in RUNGS:
        probe = of_variant.get(rung.variant)
        if probe is None or probe.outcome is None or not probe.outcome.about_the_model:
            return LadderResult(tuple(passing), unknown=rung.layer, because=_no_answer(probe))
        rehearsed = rehearsed or probe.kind is ProbeKind.REHEARSED
        reason = worse.get(probe.probe_id) if probe.outcome is Outcome.PASSED else probe.outcome.value
        if reason is not None:
            because = f"{reason}, rehearsed" if probe.kind is ProbeKind.REHEARSED else reason
            return LadderResult(tuple(passing), failing=rung.layer, because=because, rehearsed=rehearsed)
        passing.append(rung.layer)
    return LadderResult(tuple(passing), rehearsed=rehearsed)


def _no_answer(probe: ProbeRecord | None) -> str:
    if probe is None:
        return "not probed"
    message = probe.skipped_reason or (probe.failure.message if probe.failure else "")
    first_line = next(iter(message.strip().splitlines()), "")
    return ": ".join(part for part in (probe.outcome.value if probe.outcome else "not finished", first_line) if part)
