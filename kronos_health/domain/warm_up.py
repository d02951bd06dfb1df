"""Whether a variant works only once it is warm: the same code can fail with 2 warm-up calls and pass with 3.

Seen in pytorch#122192: CUDA graph trees take outputs away while a function is warmed up or recorded, and not while it
is replayed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kronos_health.domain.probes import Iteration, IterationRecord, Outcome


@dataclass(frozen=True, slots=True)
class WarmUpDependence:
    """What torch says of the variant depends on how it was started; production makes no warm-up calls."""

    passes_with: int  # fewest warm-up calls from which on every iteration passed
    fails_with: int  # most warm-up calls with which one failed

    @property
    def words(self) -> str:
        """For people, e.g. ``passes with 3 warm-up calls, fails with 2``."""
        calls = "1 warm-up call" if self.passes_with == 1 else f"{self.passes_with} warm-up calls"
        return f"passes with {calls}, fails {f'with {self.fails_with}' if self.fails_with else 'without any'}"


def warm_up_dependence(iterations: Iterable[Iteration | IterationRecord]) -> WarmUpDependence | None:
    """How a variant depends on warm-up calls, by the iterations of one probe.

    ``None`` when none failed, none passed, or more calls did not help. What says nothing about the model is left out.
    """
    told = [iteration for iteration in iterations if iteration.outcome.about_the_model]
    passing = {iteration.warmups for iteration in told if iteration.outcome is Outcome.PASSED}
    failing = {iteration.warmups for iteration in told if iteration.outcome is not Outcome.PASSED}
    if not passing or not failing or min(passing) <= max(failing):
        return None
    return WarmUpDependence(min(passing), max(failing))
