"""News and ordered trials, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from kronos_health.domain.revisit import Attempt, News, TrialOrder
from kronos_health.domain.upstream import Release, Revision
from kronos_health.store import trials, upstream
from kronos_health.store.database import reading, writing

OLD, NEW, NEWEST = "a" * 40, "b" * 40, "c" * 40


def it_tells_releases_that_came_while_it_watched(engine: Engine, now: datetime) -> None:
    later = now + timedelta(hours=6)
    with writing(engine) as connection:
        upstream.record_releases(connection, "torch", [Release("torch", "2.14.1")], None, now)
        both = [Release("torch", "2.15.0"), Release("torch", "2.14.1")]
        upstream.record_releases(connection, "torch", both, None, later)
    with reading(engine) as connection:
        assert trials.release_news(connection, "torch") == (News("torch=2.15.0", later),)
        assert trials.release_news(connection, "jax") == ()


def it_tells_the_remotes_present_commit_unless_the_checkout_holds_it(engine: Engine, now: datetime) -> None:
    def see(commit: str, hours: int, contained: bool) -> tuple[News, ...]:
        at = now + timedelta(hours=hours)
        head = Revision("kronos", OLD, at, "old", "HEAD", True)
        remote = Revision("kronos", commit, at, "news", "upstream/main", contained)
        with writing(engine) as connection:
            upstream.record_revisions(connection, "kronos", "upstream/main", [head, remote], [], at)
            return trials.revision_news(connection, "kronos")

    assert see(OLD, 0, True) == (), "where the watch began"
    assert see(NEW, 6, False) == (News(f"kronos={NEW[:12]}", now + timedelta(hours=6)),)
    assert see(NEWEST, 12, False) == (News(f"kronos={NEWEST[:12]}", now + timedelta(hours=12)),)
    assert see(NEWEST, 18, True) == (), "production has it: its own probes say what it does"


def it_keeps_what_was_ordered_and_orders_no_attempt_twice(engine: Engine, now: datetime) -> None:
    order = TrialOrder("torch=2.15.0", ("kronos",), ("eager",), 1)
    with writing(engine) as connection:
        trials.record_orders(connection, [order], now)
    with reading(engine) as connection:
        assert trials.attempts(connection) == (Attempt("torch=2.15.0", 1, now),)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        trials.record_orders(connection, [order], now)
