"""Releases, revisions, drift and deployments are remembered, and only what is new is news."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from sqlalchemy import Engine, func, select

from kronos_health.domain.upstream import Deployment, Drift, DriftKind, ProductionState, Release, Revision, Unknown
from kronos_health.store import upstream
from kronos_health.store.database import reading, writing
from kronos_health.store.tables.upstream import settings_drift, upstream_commit, upstream_release

HOUR = timedelta(hours=1)
OLD, NEW = Release("torch", "2.13.0"), Release("torch", "2.14.0")
UNREACHABLE = Unknown("torch", "the index does not answer")
DRIFT = Drift("file .env.compile", "TOTO_DISABLE_COMPILE", "1", "0", DriftKind.WRONG_VALUE)
OTHER = Drift("process 12", "KRONOS_COMPILE", "not 1", "1", DriftKind.FORBIDDEN)


def _releases(engine: Engine, releases: list[Release], unknown: Unknown | None, now: datetime) -> list[str]:
    with writing(engine) as connection:
        return [release.version for release in upstream.record_releases(connection, "torch", releases, unknown, now)]


class DescribeReleases:
    def it_calls_nothing_news_that_was_there_when_the_watch_began(self, engine: Engine, now: datetime) -> None:
        assert _releases(engine, [OLD, NEW], None, now) == []

    def it_tells_a_new_release_once(self, engine: Engine, now: datetime) -> None:
        _releases(engine, [OLD], None, now)
        assert _releases(engine, [NEW, OLD], None, now + HOUR) == ["2.14.0"]
        assert _releases(engine, [NEW, OLD], None, now + 2 * HOUR) == []
        with reading(engine) as connection:
            rows = connection.execute(select(upstream_release).order_by(upstream_release.c.seen_at)).all()
        assert [(row.version, row.first_look, row.seen_at) for row in rows] == [
            ("2.13.0", True, now),
            ("2.14.0", False, now + HOUR),
        ]

    def it_does_not_begin_the_watch_with_a_list_known_to_be_incomplete(self, engine: Engine, now: datetime) -> None:
        assert _releases(engine, [NEW], UNREACHABLE, now) == []
        assert _releases(engine, [OLD, NEW], None, now + HOUR) == [], "the rest of the list was there before, too"

    def it_tells_news_of_a_partial_look_once_the_watch_has_begun(self, engine: Engine, now: datetime) -> None:
        _releases(engine, [OLD], None, now)
        assert _releases(engine, [NEW], UNREACHABLE, now + HOUR) == ["2.14.0"]


class DescribeLooks:
    def it_keeps_since_when_a_subject_is_unknown(self, engine: Engine, now: datetime) -> None:
        for hours, unknown in ((0, None), (1, UNREACHABLE), (2, replace(UNREACHABLE, reason="still not"))):
            with writing(engine) as connection:
                upstream.record_look(connection, "torch", unknown, now + hours * HOUR)
        with reading(engine) as connection:
            (look,) = upstream.looks(connection)
        assert (look.last_ok_at, look.unknown_since, look.reason) == (now, now + HOUR, "still not")

    def it_forgets_the_trouble_once_it_is_over(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            upstream.record_look(connection, "torch", UNREACHABLE, now)
            upstream.record_look(connection, "torch", None, now + HOUR)
            look = upstream.look(connection, "torch")
        assert look is not None
        assert (look.last_ok_at, look.unknown_since, look.reason) == (now + HOUR, None, None)

    def it_stores_utc_whatever_zone_the_time_comes_in(self, engine: Engine, now: datetime) -> None:
        elsewhere = now.astimezone(timezone(timedelta(hours=9)))
        with writing(engine) as connection:
            upstream.record_look(connection, "torch", None, elsewhere)
            upstream.record_look(connection, "torch", UNREACHABLE, elsewhere + HOUR)
            look = upstream.look(connection, "torch")
        assert look is not None
        assert (look.last_ok_at, look.unknown_since) == (now, now + HOUR)

    def it_has_room_for_a_subject_of_any_length(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            upstream.record_look(connection, "kronos origin/" + "x" * 100, UNREACHABLE, now)
            assert upstream.look(connection, "kronos origin/" + "x" * 100) is not None


def _revision(commit: str, ref: str = "origin/HEAD", contained: bool | None = False) -> Revision:
    return Revision("kronos", commit * 40, datetime.fromisoformat("2026-11-20T10:00:00+00:00"), "fix", ref, contained)


def _revisions(engine: Engine, found: list[Revision], now: datetime, *unknowns: Unknown) -> list[str]:
    with writing(engine) as connection:
        news = upstream.record_revisions(connection, "kronos", "origin/HEAD", found, unknowns, now)
    return [revision.commit[0] for revision in news]


class DescribeRevisions:
    def it_tells_a_new_commit_once_and_not_the_first(self, engine: Engine, now: datetime) -> None:
        assert _revisions(engine, [_revision("a", "HEAD", True), _revision("a")], now) == []
        assert _revisions(engine, [_revision("a", "HEAD", True), _revision("b")], now + HOUR) == ["b"]
        assert _revisions(engine, [_revision("a", "HEAD", True), _revision("b")], now + 2 * HOUR) == []

    def it_knows_the_current_commit_when_a_ref_goes_back(self, engine: Engine, now: datetime) -> None:
        for hours, commit in enumerate("aba"):
            _revisions(engine, [_revision(commit)], now + hours * HOUR)
        with reading(engine) as connection:
            latest = upstream.latest_revision(connection, "kronos", "origin/HEAD")
            assert connection.scalar(select(func.count()).select_from(upstream_commit)) == 2
        assert latest is not None
        assert latest.commit[0] == "a"

    def it_notes_which_half_could_not_be_told(self, engine: Engine, now: datetime) -> None:
        _revisions(engine, [_revision("a", "HEAD", True)], now, Unknown("kronos origin/HEAD", "no network"))
        with reading(engine) as connection:
            looks = {look.subject: look.unknown_since for look in upstream.looks(connection)}
        assert looks == {"kronos checkout": None, "kronos origin/HEAD": now}

    def it_fills_in_what_a_mere_listing_could_not_say(self, engine: Engine, now: datetime) -> None:
        _revisions(engine, [replace(_revision("a"), subject="", committed_at=None)], now)
        _revisions(engine, [_revision("a")], now + HOUR)
        _revisions(engine, [replace(_revision("a"), subject="", committed_at=None, contained=True)], now + 2 * HOUR)
        with reading(engine) as connection:
            assert upstream.latest_revision(connection, "kronos", "origin/HEAD") == _revision("a", contained=True)


class DescribeDrift:
    def it_opens_goes_on_and_clears(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            first = upstream.record_drift(connection, [DRIFT, OTHER], [], now)
            second = upstream.record_drift(connection, [DRIFT], [], now + HOUR)
            third = upstream.record_drift(connection, [], [], now + 2 * HOUR)
        assert (set(first.opened), first.still_open, first.cleared) == ({DRIFT, OTHER}, (), ())
        assert (second.opened, second.still_open, second.cleared) == ((), (DRIFT,), (OTHER,))
        assert (third.opened, third.still_open, third.cleared) == ((), (), (DRIFT,))

    def it_clears_nothing_that_it_could_not_read(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            upstream.record_drift(connection, [DRIFT, OTHER], [], now)
            for unknowns in (
                [Unknown("file .env.compile", "no such file"), Unknown("processes", "bad pattern")],
                [Unknown("file .env.compile: TOTO_DISABLE_COMPILE", "computed"), Unknown("process 12", "denied")],
            ):
                changes = upstream.record_drift(connection, [], unknowns, now + HOUR)
                assert set(changes.unseen) == {DRIFT, OTHER}
                assert (changes.opened, changes.still_open, changes.cleared) == ((), (), ())
            assert [drift for drift, _ in upstream.open_drifts(connection)] == [DRIFT, OTHER]

    def it_keeps_the_history_of_a_value_that_went_from_wrong_to_wrong(self, engine: Engine, now: datetime) -> None:
        worse = replace(DRIFT, actual="no")
        with writing(engine) as connection:
            upstream.record_drift(connection, [DRIFT], [], now)
            changes = upstream.record_drift(connection, [worse], [], now + HOUR)
            rows = connection.execute(select(settings_drift).order_by(settings_drift.c.seen_at)).all()
            assert upstream.open_drifts(connection) == ((worse, now + HOUR),)
        assert (changes.opened, changes.cleared) == ((worse,), ())
        assert [(row.actual, row.cleared_at) for row in rows] == [("0", now + HOUR), ("no", None)]

    def it_opens_once_when_recorded_twice(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            upstream.record_drift(connection, [DRIFT, DRIFT], [], now)
            assert upstream.record_drift(connection, [DRIFT], [], now).opened == ()
            assert connection.scalar(select(func.count()).select_from(settings_drift)) == 1


class DescribeDeployments:
    def it_remembers_what_production_ran(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            assert upstream.production_state(connection) == ProductionState(None, None)
            upstream.record_deployments(connection, [Deployment(now, "process", "abc", "began", first_look=True)])
            upstream.record_deployments(connection, [Deployment(now + HOUR, "revision", "def", "moved")])
            assert upstream.production_state(connection) == ProductionState("def", now)

    def it_takes_a_reported_revision_as_seen(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            upstream.record_deployments(connection, [Deployment(now, "reported", "abc", "by hand")])
            assert upstream.production_state(connection).revision == "abc"

    def it_counts_from_the_last_one_whose_time_is_known(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            upstream.record_deployments(connection, [Deployment(now, "revision", "abc", "began", first_look=True)])
            assert upstream.latest_deployment(connection) is None
            started = Deployment(now - HOUR, "process", "abc", "running", first_look=True)
            upstream.record_deployments(connection, [started])
            assert upstream.latest_deployment(connection) == started
