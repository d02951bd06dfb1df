"""Which probes a request comes to: a pure function of the settings, the request and where each target would run."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product

from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.probes import EvaluationSpec, ProbeKind, ProbeSpec, Regime
from kronos_health.probe.ladder import RUNGS
from kronos_health.probe.variants import UnknownVariant, Variant, expand, find_variant
from kronos_health.settings.models import Settings

_REHEARSED_ROWS = 64
EAGER = "eager"


class PlanError(Exception):
    """A request for a target, variant or regime that does not exist; the text names it and what there is."""


def plan(
    settings: Settings,
    device_of_target: Callable[[str], str | None],
    *,
    candidates: Mapping[str, Sequence[str]] | None = None,
    targets: Sequence[str] | None = None,
    variants: Sequence[str] | None = None,
    iterations: int | None = None,
    regimes: Sequence[str] | None = None,
    rehearse: bool | None = None,
    with_eager: bool = True,
) -> tuple[ProbeSpec, ...]:
    """The probes to run, in order: per target and candidate eager first, then the other variants, then the rehearsals.

    ``candidates`` names the environments of each target (default: production's only). ``None`` means what the settings
    say. ``device_of_target`` gives ``cpu``, ``cuda``, or ``None`` for a target whose interpreter cannot be asked: its
    measured probes are planned, and will say so. Compiled variants are rehearsed too where they would run on the CPU
    (``probe.rehearse``), or as ``rehearse`` says. Compiled variants bring an eager arm along, without which nothing
    could be said of their accuracy, unless ``with_eager`` is false. Raises :class:`PlanError`.
    """
    chosen = _known_targets(settings, targets or settings.probe.targets)
    ways = _known_variants(variants or settings.probe.variants, with_eager)
    windows = [_regime(name) for name in dict.fromkeys(regimes or settings.probe.regimes)]
    specs: list[ProbeSpec] = []
    for target in chosen:
        rehearses = _rehearses(settings, rehearse, device_of_target(target))
        measured = iterations or settings.probe.iterations
        rehearsed = iterations or settings.probe.rehearsal_iterations
        for candidate in (candidates or {}).get(target, (PRODUCTION,)):
            for variant, regime in product(ways, windows):
                specs.append(_spec(settings, target, variant, regime, ProbeKind.MEASURED, measured, candidate))
            for variant, regime in product((way for way in ways if way.compiled and rehearses), windows):
                specs.append(_spec(settings, target, variant, regime, ProbeKind.REHEARSED, rehearsed, candidate))
    return tuple(specs)


def plan_ladder(
    settings: Settings,
    device_of_target: Callable[[str], str | None],
    *,
    target: str,
    iterations: int = 1,
    regime: str | None = None,
) -> tuple[ProbeSpec, ...]:
    """The rungs of the layer ladder, from the model itself up. Raises :class:`PlanError`.

    Where there is no CUDA, the rungs that use CUDA graphs are rehearsed: measured there, they would say nothing.
    """
    (name,) = _known_targets(settings, [target])
    window = _regime(regime or Regime.SATURATED)
    on_cpu = device_of_target(name) == "cpu"
    return tuple(
        _spec(
            settings,
            name,
            way,
            window,
            ProbeKind.REHEARSED if on_cpu and way.claims_graphs else ProbeKind.MEASURED,
            iterations,
        )
        for way in (find_variant(rung.variant) for rung in RUNGS)
    )


def evaluation_of(settings: Settings) -> EvaluationSpec:
    """The series and window that probes forecast, from ``[probe.evaluation]``."""
    wanted = settings.probe.evaluation
    return EvaluationSpec(
        csv=str(wanted.csv) if wanted.csv else None,
        rows=wanted.rows,
        synthetic_seed=wanted.synthetic_seed,
        lookback=wanted.lookback,
        pred_len=wanted.pred_len,
        sample_count=wanted.sample_count,
        max_context=wanted.max_context,
    )


def rehearsal_spec(settings: Settings, target: str, variant: Variant, regime: Regime = Regime.SATURATED) -> ProbeSpec:
    """One rehearsal as the settings have it."""
    return _spec(settings, target, variant, regime, ProbeKind.REHEARSED, settings.probe.rehearsal_iterations)


def smaller(evaluation: EvaluationSpec) -> EvaluationSpec:
    """The shapes of a rehearsal: whether outputs outlive their graphs depends neither on the window nor on the batch.

    A batch of more than one stays one: torch makes other code for a single row.
    """
    return replace(
        evaluation,
        lookback=min(evaluation.lookback, _REHEARSED_ROWS),
        max_context=min(evaluation.max_context, _REHEARSED_ROWS),
        sample_count=min(evaluation.sample_count, 2),
    )


def _spec(
    settings: Settings,
    target: str,
    variant: Variant,
    regime: Regime,
    kind: ProbeKind,
    iterations: int,
    candidate: str = PRODUCTION,
) -> ProbeSpec:
    return ProbeSpec(
        target=target,
        variant=variant.name,
        candidate=candidate,
        kind=kind,
        regime=regime,
        iterations=iterations,
        predictions=settings.probe.predictions,
        seed=settings.probe.seed,
        accuracy_windows=settings.probe.accuracy_windows,
        evaluation=smaller(evaluation_of(settings)) if kind is ProbeKind.REHEARSED else evaluation_of(settings),
        warmups=settings.probe.warmups if variant.compiled else (),
    )


def _rehearses(settings: Settings, asked: bool | None, device: str | None) -> bool:
    if asked is not None:
        return asked
    return settings.probe.rehearse == "always" or (settings.probe.rehearse == "auto" and device == "cpu")


def _known_targets(settings: Settings, names: Iterable[str]) -> list[str]:
    for name in names:
        if name not in settings.targets:
            listed = ", ".join(sorted(settings.targets))
            raise PlanError(f"there is no target {name!r}.{_near(name, settings.targets)} Configured: {listed}.")
    return list(dict.fromkeys(names))


def _known_variants(names: Iterable[str], with_eager: bool) -> list[Variant]:
    """The variants by name, eager first: what the others are compared with must not run on a warmer machine."""
    try:
        ways = [find_variant(name) for name in expand(names)]
    except UnknownVariant as error:
        raise PlanError(str(error)) from error
    if with_eager and ways and all(way.compiled for way in ways):
        ways.append(find_variant(EAGER))
    return sorted(ways, key=lambda way: way.compiled)


def _regime(name: str) -> Regime:
    try:
        return Regime(name)
    except ValueError:
        known = ", ".join(regime.value for regime in Regime)
        raise PlanError(f"there is no window regime {name!r}.{_near(name, Regime)} There are: {known}.") from None


def _near(name: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, [str(item) for item in known], n=1)
    return f" Did you mean {matches[0]}?" if matches else ""
