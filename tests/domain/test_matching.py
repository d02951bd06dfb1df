"""Matchers: which alerts are meant."""

from __future__ import annotations

import pytest

from kronos_health.domain.matching import Subject, all_hold, parse_matcher

REUSE = Subject("graph_reuse", "prod/eu", "critical")
BROKEN = Subject("compiled_broken", "kronos/compiled/saturated/cuda", "warning")
UNREADABLE = Subject("checker_unhealthy", "source/prod", "warning")


@pytest.mark.parametrize(
    ("written", "subject", "holds"),
    [
        ("kind=graph_reuse", REUSE, True),
        ("kind = graph_reuse ", REUSE, True),
        ("kind!=graph_reuse", REUSE, False),
        ("kind=graph", REUSE, False),
        ("kind=*_broken", BROKEN, True),
        ("key=kronos/?ompiled/*", BROKEN, True),
        ("key=kronos.compiled/saturated/cuda", BROKEN, False),  # a dot is a dot
        ("key=~kronos/(compiled|eager)/.*", BROKEN, True),
        ("key=~kronos", BROKEN, False),  # as a whole
        ("key!~kronos/.*", BROKEN, False),
        ("key!~toto/.*", BROKEN, True),
        ("severity=critical", REUSE, True),
        ("source=prod/eu", REUSE, True),
        ("source=prod", REUSE, True),  # a source is known by any beginning of the key: names may hold slashes
        ("source=eu", REUSE, False),
        ("source=prod", UNREADABLE, True),
        ("source=prod", BROKEN, False),  # it is about no source
        ("source!=prod", BROKEN, True),
        ("target=kronos", BROKEN, True),
        ("target=kronos", REUSE, False),
        ("alert=graph_reuse:prod/eu", REUSE, True),
        ("graph_reuse:prod/eu", REUSE, True),
        ("graph_reuse:prod", REUSE, False),
        ("key=a[b]", Subject("log_errors", "a[b]", "info"), True),
        ("key=a[b]*", Subject("log_errors", "a[b]c", "info"), True),
    ],
)
def it_holds_or_not(written: str, subject: Subject, holds: bool) -> None:
    matcher = parse_matcher(written)
    assert matcher.holds(subject) is holds
    assert parse_matcher(str(matcher)) == matcher


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("graph_reuse", "is no matcher"),
        ("", "is no matcher"),
        ("colour=red", "which no alert has. There are: alert, kind"),
        ("kind=", "names no printable value"),
        ("kind=a\nkey=b", "names no printable value"),
        ("key=~(", "holds no regular expression"),
        ("key=" + "x" * 400, "is too long"),
    ],
)
def it_says_what_is_wrong_with_one(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_matcher(written)


def it_asks_for_all_of_several() -> None:
    both = [parse_matcher("kind=graph_reuse"), parse_matcher("severity=warning")]
    assert not all_hold(both, REUSE)
    assert all_hold(both[:1], REUSE)
