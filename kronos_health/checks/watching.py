"""Look around production: torch releases, Kronos revisions, settings drift, deployments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from kronos_health.alerts import recording
from kronos_health.checks import switching
from kronos_health.checks.context import Context
from kronos_health.checks.observations import upstream as observations
from kronos_health.checks.pulse import pulse
from kronos_health.domain.alerts import Observation
from kronos_health.domain.switch import Switch
from kronos_health.domain.upstream import Deployment, Drift, ProductionState, Release, Revision, Unknown
from kronos_health.history.words import counted
from kronos_health.revisit.switching import Expectations, expectations
from kronos_health.settings.models import Production, Target
from kronos_health.store import upstream as store
from kronos_health.store.database import writing
from kronos_health.upstream.deployments import detect_deployments
from kronos_health.upstream.processes import ProcessLook, production_processes
from kronos_health.upstream.production_settings import SettingsLook, file_drift, process_drift
from kronos_health.upstream.releases import ReleaseLook, look_up_releases
from kronos_health.upstream.revisions import RevisionLook, head_revision, look_up_revisions

KRONOS = "kronos"
_KRONOS_LOADERS = ("kronos", "kronos_checkout", "production_wrapper")
_PROCESSES = "running processes"


@dataclass(frozen=True, slots=True)
class WatchSummary:
    """What is new, all drift that stands, and what could not be looked up."""

    releases: tuple[Release, ...]
    revisions: tuple[Revision, ...]
    drifts: tuple[Drift, ...]
    deployments: tuple[Deployment, ...]
    unknowns: tuple[Unknown, ...]

    @property
    def unseen(self) -> tuple[Unknown, ...]:
        """Of the unknowns, those about production's own settings: a check that was not made, unlike no network."""
        return tuple(unknown for unknown in self.unknowns if _about_production(unknown))


@dataclass(frozen=True, slots=True)
class _Looks:
    """Everything seen outside, before anything is stored: looking may take a minute, storing must not wait for it."""

    releases: ReleaseLook
    revisions: RevisionLook
    settings: SettingsLook
    places: tuple[str, ...]
    production: ProductionState
    unknowns: tuple[Unknown, ...]


def watch(context: Context) -> WatchSummary:
    """Look at everything configured and store it in one transaction; what cannot be seen is unknown, never an error."""
    with pulse(context, "watch") as state:
        switching.settle(context)  # what a person applied by hand moves what is expected
        looks = _look(context)
        with writing(context.engine) as connection:
            summary = _store(context, connection, looks)
        if summary.drifts:
            state.attention(f"{counted(len(summary.drifts), 'setting')} not as the decision says")
        elif summary.unseen:
            state.attention("; ".join(f"{unknown.subject}: {unknown.reason}" for unknown in summary.unseen))
        return summary


def record_deployment(context: Context, note: str) -> Deployment:
    """Somebody says that production was deployed just now; the deployment checks count from here."""
    production = context.settings.production
    head = (
        head_revision(production.checkout, "production", context.settings.upstream.timeout_seconds)
        if (production.checkout)
        else None
    )
    revision = head.commit if isinstance(head, Revision) else None
    deployment = Deployment(context.now(), "reported", revision, note)
    with writing(context.engine) as connection:
        store.record_deployments(connection, [deployment])
    return deployment


def _look(context: Context) -> _Looks:
    upstream, production = context.settings.upstream, context.settings.production
    releases = look_up_releases(upstream.torch_package, upstream.torch_interpreter, upstream.timeout_seconds)
    revisions = RevisionLook(None, None, ())
    if upstream.kronos_checkout:
        revisions = look_up_revisions(upstream.kronos_checkout, KRONOS, upstream.kronos_ref, upstream.timeout_seconds)
    processes = production_processes(production.process) if production.process else ProcessLook(())
    settings, places = _look_at_settings(production, processes, switching.listed(context))
    revision, unknown = _production_revision(context)
    return _Looks(
        releases,
        revisions,
        settings,
        places,
        ProductionState(revision, processes.started_at),
        (*((releases.unknown,) if releases.unknown else ()), *revisions.unknowns, *settings.unknowns, *unknown),
    )


def _look_at_settings(
    production: Production, processes: ProcessLook, switches: tuple[Switch, ...]
) -> tuple[SettingsLook, tuple[str, ...]]:
    """Drift from the decision, as the approved changes of production's settings have moved it."""
    base = Expectations(production.expected, production.forbidden)
    drifts: tuple[Drift, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    places: list[str] = []
    if production.env_file:
        wanted = expectations(base, switches)
        found = file_drift(production.env_file, wanted.expected, wanted.forbidden)
        drifts, unknowns = found.drifts, found.unknowns
        places.append(f"file {production.env_file.name}")
    if production.process:
        for look, wanted in _by_expectations(processes, base, switches):
            found = process_drift(look, wanted.expected, wanted.forbidden)
            drifts, unknowns = (*drifts, *found.drifts), (*unknowns, *found.unknowns)
        places += [f"process {process.pid}" for process in processes.processes]
    return SettingsLook(drifts, unknowns), tuple(places)


def _by_expectations(
    processes: ProcessLook, base: Expectations, switches: tuple[Switch, ...]
) -> Iterator[tuple[ProcessLook, Expectations]]:
    """Each process with what it is held to; a look that found none as it is."""
    if not processes.processes:
        yield processes, base
    for process in processes.processes:
        yield ProcessLook((process,), processes.unknown), expectations(base, switches, process.started_at)


def _production_revision(context: Context) -> tuple[str | None, tuple[Unknown, ...]]:
    checkout = context.settings.production.checkout
    if checkout is None:
        return None, ()
    head = head_revision(checkout, "production", context.settings.upstream.timeout_seconds)
    return (head.commit, ()) if isinstance(head, Revision) else (None, (head,))


def _store(context: Context, connection: Connection, looks: _Looks) -> WatchSummary:
    now, upstream = context.now(), context.settings.upstream
    package = upstream.torch_package
    releases = store.record_releases(connection, package, looks.releases.releases, looks.releases.unknown, now)
    revisions: tuple[Revision, ...] = ()
    if upstream.kronos_checkout:
        seen = [revision for revision in (looks.revisions.head, looks.revisions.remote) if revision]
        revisions = store.record_revisions(connection, KRONOS, upstream.kronos_ref, seen, looks.revisions.unknowns, now)
    changes = store.record_drift(connection, looks.settings.drifts, looks.settings.unknowns, now)
    for place in looks.places:
        store.record_look(connection, place, _unknown_of(place, looks.settings.unknowns), now)
    deployments = detect_deployments(store.production_state(connection), looks.production, now)
    store.record_deployments(connection, deployments)
    news = [
        *_news(context, connection, releases, revisions, looks),
        *_drift(looks, changes.cleared, store.open_drift_ids(connection)),
        *_settings(context, looks),
    ]
    recording.record(connection, news, context.settings, now)
    drifts = (*changes.opened, *changes.still_open, *changes.unseen)
    return WatchSummary(releases, revisions, drifts, deployments, looks.unknowns)


def _unknown_of(place: str, unknowns: tuple[Unknown, ...]) -> Unknown | None:
    return next((item for item in unknowns if item.subject == place or item.subject.startswith(f"{place}: ")), None)


def is_kronos(target: Target) -> bool:
    """Whether the watched Kronos checkout carries this target's code."""
    return target.loader in _KRONOS_LOADERS


def _news(
    context: Context,
    connection: Connection,
    releases: tuple[Release, ...],
    revisions: tuple[Revision, ...],
    looks: _Looks,
) -> Iterator[Observation]:
    settings = context.settings
    targets = settings.probe.targets
    carried = [name for name in targets if name in settings.targets and is_kronos(settings.targets[name])]
    checked_out = looks.revisions.head.commit if looks.revisions.head else None
    for release in releases:
        yield observations.of_release(release, targets, store.release_id(connection, release))
    for revision in revisions:
        yield observations.of_revision(revision, checked_out, carried, store.revision_id(connection, revision))


def _drift(looks: _Looks, cleared: tuple[Drift, ...], row_ids: dict[tuple[str, str], str]) -> tuple[Observation, ...]:
    """Places that were looked at, and those whose drift went with them (a process that ended)."""
    places = {*looks.places, *(drift.where for drift in cleared)}
    unreadable = {place: unknown.reason for place in places if (unknown := _unknown_of(place, looks.settings.unknowns))}
    return tuple(observations.of_drift(places, looks.settings.drifts, unreadable, row_ids))


def _settings(context: Context, looks: _Looks) -> Iterator[Observation]:
    """Per place, whether it could be read; processes together, since one that ended is never looked at again."""
    unseen = [unknown for unknown in looks.settings.unknowns if _about_production(unknown)]
    places = [place for place in looks.places if place.startswith("file ")]
    if context.settings.production.process:
        places.append(_PROCESSES)
    for place in places:
        mine = [unknown for unknown in unseen if unknown.subject.startswith("file ") == (place != _PROCESSES)]
        yield observations.of_settings(place, [f"{unknown.subject}: {unknown.reason}" for unknown in mine])


def _about_production(unknown: Unknown) -> bool:
    return unknown.subject.startswith(("file ", "process"))
