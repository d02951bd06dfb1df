"""Candidates: resolve their names, make their environments and checkouts, and keep the disk within its budget."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.watching import KRONOS
from kronos_health.domain.candidates import LATEST, PRODUCTION, Candidate, CandidateError, parse_candidate
from kronos_health.domain.upstream import Unknown
from kronos_health.probe import candidates as recipes
from kronos_health.probe import kept, venvs
from kronos_health.probe.gpu import GpuUnavailable, NvmlGpu
from kronos_health.probe.interpreter import TargetProblem
from kronos_health.probe.kept import KeepingProblem, Kept, Making, MakingStopped, Removed
from kronos_health.probe.locks import HeldLock
from kronos_health.settings.models import Target
from kronos_health.upstream.releases import look_up_releases
from kronos_health.upstream.worktrees import NoWorktree, add_worktree, find_commit

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Site:
    """Where to run a probe: the target as the candidate has it, and the locks that keep what it uses."""

    target: Target
    locks: tuple[HeldLock, ...] = ()


def resolve(context: Context, names: Iterable[str], targets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The candidates to probe each of ``targets`` in, by canonical name, each once and in the order given.

    ``latest`` and branches become what they are now; one that cannot be looked up keeps its name, and its probe will
    say why. Raises :class:`CheckError` for a name that is none, or that fits none of the targets.
    """
    wanted: dict[str, Candidate] = {}
    for name in names:
        candidate = _parsed(name)
        wanted.setdefault(candidate.name, candidate)
    found: dict[str, tuple[str, ...]] = dict.fromkeys(targets, ())
    for candidate in wanted.values():
        unfit = {name: recipes.unfit_because(candidate, name, context.settings) for name in targets}
        if all(unfit.values()):
            raise CheckError(
                f"{candidate.name} cannot be tried: {'; '.join(reason for reason in unfit.values() if reason)}."
            )
        for target in (name for name in targets if not unfit[name]):
            name = settled(context, candidate.name, target)
            found[target] = tuple(dict.fromkeys((*found[target], name)))
    return found


def settled(context: Context, name: str, target: str) -> str:
    """``name`` with what may be something else tomorrow resolved; unchanged where that cannot be looked up now."""
    candidate = _parsed(name)
    try:
        return _resolved(context, candidate, target).name if candidate.moving else name
    except KeepingProblem:
        return name


@contextlib.contextmanager
def entered(
    context: Context, target: str, name: str, say: Say, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Site]:
    """The site of ``target`` in candidate ``name``, made if it is not there, kept from pruning while the block runs.

    Raises ``KeepingProblem`` (with one line for people) when it cannot be made, ``MakingStopped`` on request.
    """
    if name == PRODUCTION:
        with _own(context, target, Making(context.settings.candidates.make_deadline_seconds, say, should_stop)) as site:
            yield site
        return
    settings, candidate = context.settings, _parsed(name)
    reason = recipes.unfit_because(candidate, target, settings)
    if reason:
        raise kept.NotHere(f"{name} cannot be tried: {reason}")
    candidate = _resolved(context, candidate, target)
    making = Making(settings.candidates.make_deadline_seconds, say, should_stop)
    site = Site(settings.targets[target])
    with contextlib.ExitStack() as stack:
        if candidate.kronos is not None:
            tree, lock = stack.enter_context(_checkout(context, target, candidate.kronos, making))
            site = Site(recipes.on_checkout(site.target, tree), (lock,))
        if candidate.torch is not None:
            recipe = recipes.recipe_of(candidate, site.target, settings, _has_gpu(context))
            venv, lock = stack.enter_context(venvs.in_use(recipe, settings.state_dir, making))
            site = Site(_with_interpreter(site.target, venv.python), (*site.locks, lock))
        elif candidate.python is not None:
            site = Site(_with_interpreter(site.target, _existing(candidate)), site.locks)
        yield site


def prepare(context: Context, places: Iterable[tuple[str, str]], say: Say) -> tuple[str, ...]:
    """Make what (target, candidate) ``places`` need, before a GPU is waited for; returns why some cannot be made."""
    problems = []
    for target, name in dict.fromkeys(places):
        try:
            with entered(context, target, name, say):
                pass
        except (TargetProblem, MakingStopped) as problem:
            problems.append(str(problem))
    prune(context)
    return tuple(problems)


def listed(context: Context) -> tuple[Kept, ...]:
    """The environments and checkouts made so far, the last used first."""
    return kept.listed(context.settings.state_dir)


def prune(context: Context) -> tuple[Removed, ...]:
    """Remove what was not used for ``candidates.keep_days`` or is over ``candidates.budget_mb``; never one in use."""
    rules = context.settings.candidates
    return kept.prune(context.settings.state_dir, context.now(), rules.keep_days, rules.budget_mb)


def _parsed(name: str) -> Candidate:
    try:
        return parse_candidate(name)
    except CandidateError as error:
        raise CheckError(f"{error}.") from error


def _resolved(context: Context, candidate: Candidate, target: str) -> Candidate:
    """The candidate with nothing moving in it. Raises ``KeepingProblem`` when it cannot be looked up."""
    upstream = context.settings.upstream
    if candidate.torch == LATEST:
        look = look_up_releases(upstream.torch_package, upstream.torch_interpreter, upstream.timeout_seconds)
        if not look.releases:
            why = look.unknown.reason if look.unknown else "pip lists none"
            raise KeepingProblem(f"which {upstream.torch_package} is the latest is not known: {why}")
        candidate = candidate.with_torch(look.releases[0].version)
    checkout = recipes.checkout_of(context.settings.targets[target], context.settings)
    if candidate.kronos is not None and candidate.moving and checkout is not None:
        commit = find_commit(checkout, KRONOS, candidate.kronos, upstream.timeout_seconds)
        if isinstance(commit, Unknown):
            raise KeepingProblem(f"which commit {candidate.kronos} is, is not known: {commit.reason}")
        candidate = candidate.with_commit(commit)
    return candidate


@contextlib.contextmanager
def _own(context: Context, name: str, making: Making) -> Iterator[Site]:
    """Production's place: the target as configured, in the environment made for it where it has none of its own."""
    settings, target = context.settings, context.settings.targets[name]
    if not recipes.has_own_environment(target):
        yield Site(target)
        return
    recipe = recipes.own_recipe(target, _our_torch(settings.upstream.torch_package), settings, _has_gpu(context))
    with venvs.in_use(recipe, settings.state_dir, making) as (venv, lock):
        yield Site(_with_interpreter(target, venv.python), (lock,))


def _our_torch(package: str) -> str:
    """The torch that this program was tested with, without its build: pip's configuration says which build is had."""
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError as error:
        raise KeepingProblem(
            f"which {package} an environment is to have is not known: this one has none. Set targets.NAME.interpreter."
        ) from error


@contextlib.contextmanager
def _checkout(context: Context, target: str, commit: str, making: Making) -> Iterator[tuple[Path, HeldLock]]:
    source = recipes.checkout_of(context.settings.targets[target], context.settings)
    if source is None:
        raise KeepingProblem(f"the target {target} has no checkout")

    def lay_out(bench: kept.Bench) -> tuple[str, ...]:
        making.say(f"laying out revision {commit}")
        timeout = min(context.settings.upstream.timeout_seconds, bench.seconds_left())
        try:
            return (f"{source} at {add_worktree(source, commit, bench.folder / 'tree', timeout)}",)
        except NoWorktree as problem:
            raise KeepingProblem(f"revision {commit} of {source} cannot be laid out: {problem}") from problem

    content = [str(source.absolute()), commit]
    place = kept.Place.of(kept.CHECKOUTS, f"kronos={commit}", content, context.settings.state_dir, "tree/.git")
    with kept.in_use(place, lay_out, making) as (made, lock):
        yield made.folder / "tree", lock


def _with_interpreter(target: Target, python: Path) -> Target:
    return target.model_copy(update={"interpreter": python})


def _existing(candidate: Candidate) -> Path:
    path = Path(candidate.python or "")
    if not path.is_file():
        raise KeepingProblem(f"{candidate.name}: there is no such file. Name the python that has torch and the model.")
    return path


def _has_gpu(context: Context) -> bool:
    if context.settings.probe.device == "cpu":
        return False
    try:
        NvmlGpu.open(os.environ.get("CUDA_VISIBLE_DEVICES"))
    except GpuUnavailable:
        return False
    return True
