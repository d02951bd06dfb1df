"""What the history says of each arm: a variant in one candidate environment, since the last change of the fingerprint.

What counts as evidence is decided here, in one place:

* measured on CUDA, finished, and about the model (a worker error or a lost run is not, unless a graph broke in it);
* a rehearsal or a CPU figure is shown and never counts;
* what was imported counts as a failure until something newer was measured, but it is stale from the start, and an
  imported compiled success counts for nothing: nobody checked that it really ran compiled.

Iterations are counted by the view ``v_probe_count``, which follows the same rules; ``v_confidence`` adds them up for
people as :func:`standing` does for the decision. A test over random histories holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile

from kronos_health.domain.probes import CacheState, Outcome, ProbeKind, Regime, is_layer
from kronos_health.domain.revisit import Confidence, Evidence, History, ProbeFacts, VariantStanding
from kronos_health.revisit.statistics import (
    FOUR_FIFTHS,
    HALF,
    NINE_TENTHS,
    Streak,
    confidence,
    e_value,
    lower_bound,
)

EAGER = "eager"
PRODUCTION = "production"
CUDA = "cuda"


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant in one candidate environment.

    ``probes`` are those that count, oldest first, all of one fingerprint; where none is admissible they are the best
    there is, for show. ``others`` are the newest inadmissible ones of each kind and device.
    """

    variant: str
    candidate: str
    admissible: bool
    probes: tuple[ProbeFacts, ...]
    others: tuple[ProbeFacts, ...] = ()
    reset: str | None = None  # what changed when counting began anew

    @property
    def counted_as(self) -> str:
        """The kind of evidence, as ``v_confidence`` calls it."""
        if self.admissible:
            return "admissible"
        return "rehearsed" if self.newest and self.newest.kind is ProbeKind.REHEARSED else "measured"

    @property
    def name(self) -> str:
        """For people: the variant, and the candidate where it is not production's environment."""
        return self.variant if self.candidate == PRODUCTION else f"{self.variant} with {self.candidate}"

    @property
    def newest(self) -> ProbeFacts | None:
        """The last probe that counts."""
        return self.probes[-1] if self.probes else None

    @property
    def graph_failure(self) -> ProbeFacts | None:
        """The last probe in which a CUDA graph failed: one is enough to call the arm broken."""
        return next((probe for probe in reversed(self.probes) if probe.graph_failures), None)

    @property
    def broken(self) -> bool:
        """A CUDA graph failed since the fingerprint last changed."""
        return self.graph_failure is not None

    def of_regime(self, regime: Regime) -> tuple[ProbeFacts, ...]:
        """The probes that count, of one window regime, oldest first."""
        return tuple(probe for probe in self.probes if probe.regime is regime)


def inadmissible_because(probe: ProbeFacts) -> str | None:
    """Why a probe is no evidence about CUDA graphs in production, or ``None`` when it is. Age is judged per arm."""
    if probe.outcome is None:
        return "still running"
    if probe.kind is ProbeKind.REHEARSED:
        return "a rehearsal under the emulated lifetime rule"
    if not probe.outcome.about_the_model and not probe.graph_failures:
        return f"{probe.outcome.value} says nothing about the model"
    if probe.imported and probe.variant != EAGER and probe.outcome is Outcome.PASSED:
        return "imported: nobody checked that it really ran compiled"
    # The original system's results do not name their device, but its CUDA graphs can only have failed on CUDA.
    if probe.device != CUDA and not (probe.imported and probe.graph_failures):
        return f"measured on {probe.device.upper()}" if probe.device else "the device is not known"
    return None


def arms_of(history: History) -> tuple[Arm, ...]:
    """Every arm that was ever probed, by variant and candidate; the layers of the compiler are no arms."""
    grouped: dict[tuple[str, str], list[ProbeFacts]] = {}
    for probe in sorted(history.probes, key=lambda probe: (probe.started_at, probe.probe_id)):
        if probe.target == history.target and not is_layer(probe.variant):
            grouped.setdefault((probe.variant, probe.candidate), []).append(probe)
    arms = (_arm(variant, candidate, probes) for (variant, candidate), probes in sorted(grouped.items()))
    resets = {(reset.variant, reset.candidate, reset.counted_as): reset.changed for reset in history.resets}
    return tuple(replace(arm, reset=resets.get((arm.variant, arm.candidate, arm.counted_as))) for arm in arms)


def _arm(variant: str, candidate: str, probes: list[ProbeFacts]) -> Arm:
    admissible = [probe for probe in probes if inadmissible_because(probe) is None]
    others = {(probe.kind, probe.device): probe for probe in probes if _is_shown(probe) and inadmissible_because(probe)}
    if admissible:
        return Arm(variant, candidate, True, _since_last_change(admissible), tuple(others.values()))
    finished = [probe for probe in probes if _is_shown(probe)]
    measured = [probe for probe in finished if probe.kind is ProbeKind.MEASURED]
    return Arm(variant, candidate, False, _since_last_change(measured or finished), tuple(others.values()))


def _is_shown(probe: ProbeFacts) -> bool:
    return probe.outcome is not None and probe.outcome.about_the_model


def _since_last_change(probes: list[ProbeFacts]) -> tuple[ProbeFacts, ...]:
    """The newest probes that share one fingerprint; figures are never added up across a change of it."""
    newest_first = takewhile(lambda probe: probe.fingerprint == probes[-1].fingerprint, reversed(probes))
    return tuple(newest_first)[::-1]


def current_fingerprint(arms: Iterable[Arm]) -> str | None:
    """What production ran on when last measured: an arm last measured on something else has been overtaken."""
    newest = [arm.newest for arm in arms if arm.admissible and arm.candidate == PRODUCTION]
    measured = [probe for probe in newest if probe is not None and not probe.imported]
    return max(measured, key=lambda probe: (probe.started_at, probe.probe_id)).fingerprint if measured else None


def variants_tried(arms: Iterable[Arm], candidate: str) -> int:
    """How many compiled arms of ``candidate`` compete on admissible evidence: trying more makes a lucky one likelier.

    What was tried elsewhere does not count: only arms of production's own environment can be proposed for it.
    """
    return sum(arm.admissible and arm.variant != EAGER and arm.candidate == candidate for arm in arms)


def standing(arm: Arm, tried: int) -> VariantStanding:
    """The figures of one arm. Without admissible evidence it is LOW, whatever the figures say."""
    passed = sum(probe.passed for probe in arm.probes)
    failed = sum(probe.failed for probe in arm.probes)
    newest = arm.newest
    return VariantStanding(
        variant=arm.variant,
        fingerprint=newest.fingerprint if newest else None,
        passed=passed,
        failed=failed,
        days=len({probe.started_at.date() for probe in arm.probes}),
        broken=arm.broken,
        confidence=_words(arm, passed, failed, tried),
        e_value_half=e_value(passed, failed, HALF),
        e_value_four_fifths=e_value(passed, failed, FOUR_FIFTHS),
        e_value_nine_tenths=e_value(passed, failed, NINE_TENTHS),
        lower_bound=lower_bound(passed, failed),
        last_outcome=newest.outcome.value if newest and newest.outcome else None,
        admissible=arm.admissible,
        candidate=arm.candidate,
        since=arm.probes[0].started_at if arm.probes else None,
        newest_at=newest.started_at if newest else None,
        reset=arm.reset,
    )


def _words(arm: Arm, passed: int, failed: int, tried: int) -> Confidence:
    if not arm.admissible or arm.broken:
        return Confidence.LOW
    caches = frozenset[CacheState]().union(*(probe.cache_states for probe in arm.probes))
    streak = Streak(
        passed=passed,
        failed=failed,
        days=len({probe.started_at.date() for probe in arm.probes if probe.passed}),
        both_regimes={probe.regime for probe in arm.probes if probe.passed} == set(Regime),
        cold_and_warm=arm.variant == EAGER or caches >= {CacheState.COLD, CacheState.WARM},
    )
    return confidence(streak, 1 if arm.variant == EAGER else tried)


def evidence_of(probe: ProbeFacts, stale: bool = False) -> Evidence:
    """A probe as a row that a criterion rests on, with what it found and why it does not count, if so."""
    found = f"{probe.variant}: {probe.passed} of {probe.requested} passed"
    if probe.outcome is not None and probe.outcome is not Outcome.PASSED:
        found += f", {probe.outcome.value}"
    found += f", {probe.regime.value}, {probe.started_at:%Y-%m-%d}"
    if probe.imported:
        found += ", imported"
    because = inadmissible_because(probe) or ("it is too old" if stale else None)
    note = f"not admissible: {because}; {found}" if because else found
    return Evidence("probe", probe.probe_id, because is None, note)
