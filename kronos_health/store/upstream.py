"""Releases, revisions, drift and deployments as they were seen. Everything may be recorded twice without harm.

Functions take a connection inside :func:`kronos_health.store.database.writing` and never begin or commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Table, func, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kronos_health.domain.upstream import (
    Deployment,
    Drift,
    DriftChanges,
    DriftKind,
    Look,
    ProductionState,
    Release,
    Revision,
    Unknown,
)
from kronos_health.store.tables.upstream import (
    deployment,
    settings_drift,
    upstream_commit,
    upstream_look,
    upstream_release,
)
from kronos_health.store.types import UtcDateTime, new_id

HEAD = "HEAD"
_SUBJECT_LENGTH = 64
_OPEN_DRIFTS = (
    select(settings_drift)
    .where(settings_drift.c.cleared_at.is_(None))
    .order_by(settings_drift.c.seen_at, settings_drift.c.id)
)


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def record_look(connection: Connection, subject: str, unknown: Unknown | None, now: datetime) -> None:
    """``subject`` was looked up: well (``unknown`` is ``None``), or not; "unknown since" keeps its first time."""
    subject = subject[:_SUBJECT_LENGTH]
    values = {
        "last_ok_at": None if unknown else now,
        "unknown_since": now if unknown else None,
        "reason": unknown.reason if unknown else None,
    }
    since = func.coalesce(upstream_look.c.unknown_since, literal(now, UtcDateTime())) if unknown else None
    changes = {"unknown_since": since, "reason": values["reason"]} | ({} if unknown else {"last_ok_at": now})
    statement = _insert(connection, upstream_look).values(subject=subject, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=changes))


def looks(connection: Connection) -> tuple[Look, ...]:
    """Every subject that was ever looked up, by name."""
    rows = connection.execute(select(upstream_look).order_by(upstream_look.c.subject))
    return tuple(Look(row.subject, row.last_ok_at, row.unknown_since, row.reason) for row in rows)


def look(connection: Connection, subject: str) -> Look | None:
    """When ``subject`` was looked up; ``None`` if never."""
    query = select(upstream_look).where(upstream_look.c.subject == subject[:_SUBJECT_LENGTH])
    row = connection.execute(query).one_or_none()
    return Look(row.subject, row.last_ok_at, row.unknown_since, row.reason) if row else None


def record_releases(
    connection: Connection, package: str, releases: Sequence[Release], unknown: Unknown | None, now: datetime
) -> tuple[Release, ...]:
    """Store one look at ``package``'s releases and return the news among them, in the order given.

    Until a look has been complete once (``unknown`` is ``None``), what is found was there before the watch: no news.
    """
    earlier = look(connection, package)
    first_look = earlier is None or earlier.last_ok_at is None
    news = []
    for release in releases:
        statement = _insert(connection, upstream_release).values(
            id=new_id(), package=package, version=release.version, seen_at=now, first_look=first_look
        )
        statement = statement.on_conflict_do_nothing(index_elements=["package", "version"])
        if connection.execute(statement.returning(upstream_release.c.id)).first() and not first_look:
            news.append(release)
    record_look(connection, package, unknown, now)
    return tuple(news)


def record_revisions(
    connection: Connection,
    repository: str,
    ref: str,
    revisions: Iterable[Revision],
    unknowns: Iterable[Unknown],
    now: datetime,
) -> tuple[Revision, ...]:
    """Store one look at a checkout and its remote (``ref`` as configured) and return the news.

    The first commit ever seen of a ref is where the watch began, and no news.
    """
    news = [revision for revision in revisions if _record_revision(connection, revision, now)]
    failed = {unknown.subject: unknown for unknown in unknowns}
    for subject in (f"{repository} checkout", f"{repository} {ref}"):
        record_look(connection, subject, failed.get(subject), now)
    return tuple(news)


def _record_revision(connection: Connection, revision: Revision, now: datetime) -> bool:
    first_look = latest_revision(connection, revision.repository, revision.ref) is None
    place = {"repository": revision.repository, "ref": revision.ref, "commit": revision.commit}
    statement = _insert(connection, upstream_commit).values(
        id=new_id(), **place, subject=revision.subject, committed_at=revision.committed_at, seen_at=now,
        first_look=first_look, last_seen_at=now, contained=revision.contained,
    )  # fmt: skip
    statement = statement.on_conflict_do_nothing(index_elements=list(place))
    is_new = connection.execute(statement.returning(upstream_commit.c.id)).first() is not None
    if not is_new:
        known = [upstream_commit.c[name] == value for name, value in place.items()]
        changes: dict[str, object] = {"last_seen_at": now, "contained": revision.contained}
        if revision.committed_at is not None:  # it was only listed before, and has been fetched now
            changes |= {"subject": revision.subject, "committed_at": revision.committed_at}
        connection.execute(update(upstream_commit).where(*known).values(changes))
    return is_new and not first_look


def release_id(connection: Connection, release: Release) -> str:
    """The row of a stored release."""
    table = upstream_release.c
    query = select(table.id).where(table.package == release.package, table.version == release.version)
    return str(connection.execute(query).scalar_one())


def revision_id(connection: Connection, revision: Revision) -> str:
    """The row of a stored revision."""
    table = upstream_commit.c
    known = (table.repository == revision.repository, table.ref == revision.ref, table.commit == revision.commit)
    return str(connection.execute(select(table.id).where(*known)).scalar_one())


def latest_revision(connection: Connection, repository: str, ref: str) -> Revision | None:
    """The commit that ``ref`` was last seen at; ``None`` if it never was."""
    table = upstream_commit.c
    query = select(upstream_commit).where(table.repository == repository, table.ref == ref)
    row = connection.execute(query.order_by(table.last_seen_at.desc(), table.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return Revision(row.repository, row.commit, row.committed_at, row.subject, row.ref, row.contained)


def record_drift(
    connection: Connection, drifts: Iterable[Drift], unknowns: Iterable[Unknown], now: datetime
) -> DriftChanges:
    """Store what was seen of production's settings: drift begins, goes on, or is cleared because it was seen gone.

    What could not be read (``unknowns``, by the ``where`` of a drift, ``"where: key"``, or "processes" for all of
    them) clears nothing. Another wrong value in the same place is a new row, but neither cleared nor gone.
    """
    seen = {(drift.where, drift.key): drift for drift in drifts}
    subjects = {unknown.subject for unknown in unknowns}
    still, cleared, unseen = [], [], []
    for row in connection.execute(_OPEN_DRIFTS):
        earlier = _drift(row)
        current = seen.get((earlier.where, earlier.key))
        if current == earlier:
            still.append(earlier)
        elif current is None and _unreadable(earlier, subjects):
            unseen.append(earlier)
        else:
            connection.execute(update(settings_drift).where(settings_drift.c.id == row.id).values(cleared_at=now))
            cleared += [earlier] if current is None else []
    opened = [drift for drift in seen.values() if drift not in still and _open_drift(connection, drift, now)]
    return DriftChanges(tuple(opened), tuple(still), tuple(cleared), tuple(unseen))


def open_drifts(connection: Connection) -> tuple[tuple[Drift, datetime], ...]:
    """Drift that is not cleared, with the time it was first seen, oldest first."""
    return tuple((_drift(row), row.seen_at) for row in connection.execute(_OPEN_DRIFTS))


def _drift(row: Row[tuple[object, ...]]) -> Drift:
    return Drift(row.where, row.key, row.expected, row.actual, DriftKind(row.kind))


def open_drift_ids(connection: Connection) -> dict[tuple[str, str], str]:
    """The rows of drift that is not cleared, by place and variable."""
    return {(row.where, row.key): row.id for row in connection.execute(_OPEN_DRIFTS)}


def _unreadable(drift: Drift, subjects: set[str]) -> bool:
    all_processes = "processes" in subjects and drift.where.startswith("process ")
    return all_processes or drift.where in subjects or f"{drift.where}: {drift.key}" in subjects


def _open_drift(connection: Connection, drift: Drift, now: datetime) -> bool:
    statement = _insert(connection, settings_drift).values(
        id=new_id(), where=drift.where, key=drift.key, expected=drift.expected, actual=drift.actual,
        kind=drift.kind.value, seen_at=now,
    )  # fmt: skip
    table = settings_drift.c
    statement = statement.on_conflict_do_nothing(
        index_elements=["where", "key"], index_where=table.cleared_at.is_(None)
    )
    return connection.execute(statement.returning(table.id)).first() is not None


def record_deployments(connection: Connection, deployments: Iterable[Deployment]) -> tuple[str, ...]:
    """Store deployments as detected or reported and return their ids."""
    ids = []
    for found in deployments:
        ids.append(new_id())
        connection.execute(
            deployment.insert().values(
                id=ids[-1], deployed_at=found.deployed_at, origin=found.origin, revision=found.revision,
                note=found.note, first_look=found.first_look,
            )
        )  # fmt: skip
    return tuple(ids)


def production_state(connection: Connection) -> ProductionState:
    """What production ran when last seen, to compare with what it runs now."""
    table = deployment.c
    query = select(table.revision).where(table.revision.is_not(None)).order_by(table.id.desc()).limit(1)
    started = select(func.max(table.deployed_at)).where(table.origin == "process")
    return ProductionState(connection.scalar(query), connection.scalar(started))


def restart_after(connection: Connection, at: datetime, *, seen_by: Iterable[str]) -> datetime | None:
    """When production was first started anew after ``at``, by deployments of these origins; ``None``: not since."""
    table = deployment.c
    since = (table.deployed_at >= at, table.origin.in_(tuple(seen_by)))
    query = select(func.min(table.deployed_at)).where(*since)
    found: datetime | None = connection.scalar(query)
    return found


def latest_deployment(connection: Connection) -> Deployment | None:
    """The deployment that checks of production count from.

    The revision found when the watch began is not one: when it was deployed is not known.
    """
    table = deployment.c
    known = or_(table.first_look.is_(False), table.origin == "process")
    query = select(deployment).where(known).order_by(table.deployed_at.desc(), table.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Deployment(row.deployed_at, row.origin, row.revision, row.note, row.first_look) if row else None
