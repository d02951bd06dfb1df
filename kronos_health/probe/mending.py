"""Which variant mends what a rehearsal found, the cheapest change to production first: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from kronos_health.domain.probes import Outcome
from kronos_health.probe.variants import BUILT_IN, Variant

STOCK = "compiled"
# By what production would have to change: one line, two places, its loop; giving up the graphs comes last.
_CHEAPEST_FIRST = (
    "compiled_mark_step",
    "compiled_clone",
    "compiled_static_rope",
    "compiled_clone_mark_step",
    "compiled_static_rope_mark_step",
    "compiled_static_rope_clone",
    "compiled_static_rope_clone_mark_step",
    "compiled_whole_step",
    "compiled_generation_cloning",
    "compiled_no_cudagraphs",
)
_CLONING = "compiled_generation_cloning"
_FIRST_WITH_CLONING = Version("2.14")


@dataclass(frozen=True, slots=True)
class Mending:
    """What became of the variants that were tried after stock had failed; each tuple has the cheapest first."""

    mended: tuple[Variant, ...]
    failed: tuple[Variant, ...]
    inapplicable: tuple[Variant, ...]  # could not be tried on this target

    @property
    def cheapest(self) -> Variant | None:
        """The one to propose."""
        return self.mended[0] if self.mended else None

    @property
    def sentence(self) -> str:
        """What mends it and what that asks of production, or that nothing tried does."""
        if self.cheapest is None:
            tried = ", ".join(variant.name for variant in self.failed) or "none that applies"
            return f"No variant that was tried mends it: {tried}."
        text = f"{self.cheapest.name} mends it. It asks of production: {self.cheapest.production_change}."
        others = ", ".join(variant.name for variant in self.mended[1:])
        return f"{text} So does {others}." if others else text


def mitigations(torch: str | None = None) -> tuple[Variant, ...]:
    """The variants worth trying when stock fails, cheapest change first.

    torch's own cloning is one setting where ``torch`` (a version) has it already, and an upgrade elsewhere.
    """
    known = {variant.name: variant for variant in BUILT_IN}
    names = [name for name in _CHEAPEST_FIRST if name in known]
    if _has_cloning(torch) and _CLONING in names:
        names = [_CLONING, *(name for name in names if name != _CLONING)]
    return tuple(known[name] for name in names)


def mend(outcomes: Mapping[str, Outcome], torch: str | None = None) -> Mending:
    """Sort the variants that were tried, by name, into those that pass, that fail, and that cannot be tried here."""
    tried = [variant for variant in mitigations(torch) if variant.name in outcomes]
    return Mending(
        mended=tuple(variant for variant in tried if outcomes[variant.name] is Outcome.PASSED),
        failed=tuple(variant for variant in tried if _failed(outcomes[variant.name])),
        inapplicable=tuple(variant for variant in tried if not outcomes[variant.name].about_the_model),
    )


def _failed(outcome: Outcome) -> bool:
    return outcome.about_the_model and outcome is not Outcome.PASSED


def _has_cloning(torch: str | None) -> bool:
    try:
        return torch is not None and Version(torch).release >= _FIRST_WITH_CLONING.release
    except InvalidVersion:
        return False
