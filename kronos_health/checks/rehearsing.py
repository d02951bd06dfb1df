"""Rehearse: stock under the emulated CUDA graph rule and, where it breaks, which variant mends it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kronos_health.checks import candidates
from kronos_health.checks.context import Context, require_known, utc_now
from kronos_health.checks.errors import CheckError
from kronos_health.checks.probing import run_alone
from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.probes import Outcome, ProbeResult, ProbeSpec
from kronos_health.probe.mending import STOCK, Mending, Tried, mend, next_to_try
from kronos_health.probe.plan import rehearsal_spec
from kronos_health.probe.progress import ProgressListener
from kronos_health.probe.supervisor import run_probe as supervise
from kronos_health.probe.variants import UnknownVariant, Variant, expand, find_variant
from kronos_health.settings.models import Settings, Target

PASSES, FAILS, COULD_NOT = 0, 1, 2

Run = Callable[[ProbeSpec], ProbeResult]


@dataclass(frozen=True, slots=True)
class Factory:
    """A model of somebody else's project: ``module:function``, where it is found, and what the function is given."""

    reference: str
    paths: tuple[Path, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    interpreter: Path | None = None

    def target(self) -> Target:
        """As the settings would name it."""
        return Target(
            loader=self.reference,
            python_path=tuple(path.absolute() for path in self.paths),
            options=dict(self.options),
            interpreter=self.interpreter,
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """A variant, and how its rehearsal went; ``asked``: it was named, or is stock, and not only tried to mend that."""

    variant: Variant
    result: ProbeResult
    asked: bool

    @property
    def broke(self) -> bool:
        """The model was tried, and did not pass."""
        return self.result.outcome.about_the_model and self.result.outcome is not Outcome.PASSED

    @property
    def tried(self) -> Tried:
        """What choosing the next one takes."""
        cause = next((leak.keeper for leak in self.result.leaks if leak.read), None)
        return Tried(self.variant.name, self.result.outcome, cause)

    @property
    def reason(self) -> str:
        """Why it did not pass, in one line."""
        failure = self.result.failure
        text = self.result.skipped_reason or (failure.message if failure else "")
        return next(iter(text.strip().splitlines()), "")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One target's trials in the order they ran, and what mends it where stock broke."""

    target: str
    trials: tuple[Trial, ...]
    mending: Mending | None
    candidate: str = PRODUCTION

    @property
    def status(self) -> int:
        """``PASSES``, ``FAILS`` or ``COULD_NOT``: of what was asked for; a mitigation that fails changes nothing."""
        outcomes = [trial.result.outcome for trial in self.trials if trial.asked]
        if not outcomes or any(not outcome.about_the_model for outcome in outcomes):
            return COULD_NOT
        return PASSES if all(outcome is Outcome.PASSED for outcome in outcomes) else FAILS


def rehearse(
    context: Context,
    targets: Sequence[str] = (),
    variants: Sequence[str] = (),
    iterations: int = 1,
    on_progress: ProgressListener | None = None,
    named: Sequence[str] = (PRODUCTION,),
) -> tuple[Rehearsal, ...]:
    """Rehearse configured targets and store every rehearsal, as a campaign of its own: the next depends on the last.

    ``named`` are the candidates to rehearse them in. Raises :class:`CheckError` for an unknown name.
    """
    names = _targets(context.settings, targets)
    places = candidates.resolve(context, named, names)
    asked = _variants(variants)

    def run(spec: ProbeSpec) -> ProbeResult:
        return run_alone(context, spec, on_progress)

    done = tuple(
        replace(_rehearse(context.settings, name, asked, variants, iterations, run, place), candidate=place)
        for name in names
        for place in places[name]
    )
    candidates.prune(context)
    return done


def rehearse_only(
    settings: Settings,
    targets: Sequence[str] = (),
    variants: Sequence[str] = (),
    iterations: int = 1,
    on_progress: ProgressListener | None = None,
) -> tuple[Rehearsal, ...]:
    """As :func:`rehearse`, without a database: nothing is stored, and no file stays behind."""
    names = _targets(settings, targets)
    asked = _variants(variants)
    with tempfile.TemporaryDirectory(prefix="kronos-health-") as folder:

        def run(spec: ProbeSpec) -> ProbeResult:
            target, variant = settings.targets[spec.target], find_variant(spec.variant)
            return supervise(spec, variant, target, settings.probe, Path(folder), utc_now, on_progress=on_progress)

        return tuple(_rehearse(settings, name, asked, variants, iterations, run) for name in names)


def of_factory(factory: Factory) -> Settings:
    """Settings for a model that no settings file knows; the target is called as the factory is."""
    if factory.reference.count(":") != 1 or not all(factory.reference.split(":")):
        raise CheckError(f"--factory {factory.reference!r}: name a callable as module:function.")
    return Settings(targets={factory.reference: factory.target()})


def _rehearse(
    settings: Settings,
    target: str,
    asked: Sequence[Variant],
    named: Sequence[str],
    iterations: int,
    run: Run,
    place: str = PRODUCTION,
) -> Rehearsal:
    strict = "all" not in named  # a variant of a group that cannot be rehearsed does not count

    def trial(variant: Variant, wanted: bool) -> Trial:
        spec = replace(rehearsal_spec(settings, target, variant), iterations=iterations, candidate=place)
        result = run(spec)
        # Of "all" those that this target has no use for are no fault.
        return Trial(variant, result, wanted and (strict or variant.name == STOCK or result.outcome.about_the_model))

    trials = [trial(variant, True) for variant in asked]
    stock = next((one for one in trials if one.variant.name == STOCK), None)
    if stock is None or not stock.broke:
        return Rehearsal(target, tuple(trials), None)
    torch = stock.result.environment.torch if stock.result.environment else None
    if not named:
        while (variant := next_to_try([one.tried for one in trials], torch)) is not None:
            trials.append(trial(variant, False))
    mending = mend([one.tried for one in trials], torch)
    return Rehearsal(target, tuple(trials), mending if len(trials) > 1 else None)


def _targets(settings: Settings, names: Sequence[str]) -> list[str]:
    for name in names:
        require_known("target", name, settings.targets)
    known = [name for name in settings.probe.targets if name in settings.targets]
    return list(dict.fromkeys(names or known or settings.targets))


def _variants(names: Sequence[str]) -> tuple[Variant, ...]:
    """Stock unless named; ``all`` and ``ladder`` stand for their compiled ones: eager code has no graphs."""
    try:
        found = tuple(find_variant(name) for name in expand(names or (STOCK,)))
    except UnknownVariant as error:
        raise CheckError(str(error)) from error
    eager = [variant.name for variant in found if not variant.compiled]
    if eager and set(eager) & set(names):
        raise CheckError(f"{', '.join(eager)} compiles nothing: there is no graph to rehearse.")
    return tuple(variant for variant in found if variant.compiled)
