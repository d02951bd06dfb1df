"""Which variant mends what a rehearsal found, the cheapest change to production first: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from kronos_health.domain.probes import Keeper, Outcome
from kronos_health.probe.variants import BUILT_IN, Variant

STOCK = "compiled"
_CLONING = "compiled_generation_cloning"
_FIRST_WITH_CLONING = Version("2.14")
_ANY = frozenset(Keeper)
_MARK = frozenset({Keeper.HANDOFF, Keeper.VARIABLE})  # within one step
_CLONE = frozenset({Keeper.HANDOFF, Keeper.ATTRIBUTE, Keeper.VARIABLE, Keeper.FORECAST})  # whatever is returned
_ROTARY = frozenset({Keeper.PARKED})
# What each can mend, by what production would have to change: one line, two places, its loop, another torch. Giving
# up the graphs comes last.
_CHEAPEST_FIRST = {
    "compiled_mark_step": _MARK,
    "compiled_clone": _CLONE,
    "compiled_static_rope": _ROTARY,
    "compiled_clone_mark_step": _CLONE,
    "compiled_static_rope_mark_step": _ROTARY | _MARK,
    "compiled_static_rope_clone": _ROTARY | _CLONE,
    "compiled_static_rope_clone_mark_step": _ROTARY | _CLONE,
    "compiled_whole_step": _ROTARY | _CLONE,
    _CLONING: _ANY,
    "compiled_no_cudagraphs": _ANY,
}


@dataclass(frozen=True, slots=True)
class Tried:
    """A variant that was rehearsed: how that ended, and what kept the output whose reading failed."""

    name: str
    outcome: Outcome
    cause: Keeper | None = None

    @property
    def applies(self) -> bool:
        """False when the variant could not be tried on this target."""
        return self.outcome.about_the_model


@dataclass(frozen=True, slots=True)
class Mending:
    """What became of the mitigated variants that were tried; each tuple has the cheapest first."""

    mended: tuple[Variant, ...]
    failed: tuple[Variant, ...]

    @property
    def cheapest(self) -> Variant | None:
        """The one to propose."""
        return self.mended[0] if self.mended else None

    @property
    def sentence(self) -> str:
        """What mends it and what that asks of production, or that nothing tried does."""
        if self.cheapest is None:
            tried = ", ".join(variant.name for variant in self.failed) or "none applies"
            return f"No variant that was tried mends it: {tried}."
        text = f"{self.cheapest.name} mends it. It asks of production: {self.cheapest.production_change}."
        others = ", ".join(variant.name for variant in self.mended[1:])
        return f"{text} So does {others}." if others else text


def next_to_try(tried: Sequence[Tried], torch: str | None = None) -> Variant | None:
    """The cheapest mitigated variant not tried yet that may mend every cause seen; ``None`` once one has passed.

    torch's own cloning is one setting where ``torch`` (a version) has it, and an upgrade elsewhere.
    """
    if any(one.outcome is Outcome.PASSED for one in tried):
        return None
    causes = {one.cause for one in tried if one.cause not in {None, Keeper.UNKNOWN}}
    names = {one.name for one in tried}
    no_rotary = any(_needs_rotary(one.name) and not one.applies for one in tried)
    for variant in _cheapest_first(torch):
        hopeless = causes - _CHEAPEST_FIRST[variant.name] or (no_rotary and _needs_rotary(variant.name))
        if variant.name not in names and not hopeless:
            return variant
    return None


def mend(tried: Iterable[Tried], torch: str | None = None) -> Mending:
    """Sort the mitigated variants that could be tried into those that pass and those that fail."""
    outcomes = {one.name: one.outcome for one in tried if one.applies}
    known = [variant for variant in _cheapest_first(torch) if variant.name in outcomes]
    return Mending(
        mended=tuple(variant for variant in known if outcomes[variant.name] is Outcome.PASSED),
        failed=tuple(variant for variant in known if outcomes[variant.name] is not Outcome.PASSED),
    )


def _cheapest_first(torch: str | None) -> list[Variant]:
    known = {variant.name: variant for variant in BUILT_IN}
    names = [name for name in _CHEAPEST_FIRST if name in known]
    if _has_cloning(torch):
        names.sort(key=lambda name: name != _CLONING)
    return [known[name] for name in names]


def _needs_rotary(name: str) -> bool:
    return name in _CHEAPEST_FIRST and Keeper.PARKED in _CHEAPEST_FIRST[name] and _CHEAPEST_FIRST[name] != _ANY


def _has_cloning(torch: str | None) -> bool:
    try:
        return torch is not None and Version(torch).release >= _FIRST_WITH_CLONING.release
    except InvalidVersion:
        return False
