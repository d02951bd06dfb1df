"""When a hit wakes a scan: a table of moments."""

from __future__ import annotations

from kronos_health.logs.waking import AGAIN_SECONDS, Waking


def it_wakes_at_the_first_hit() -> None:
    waking = Waking(pause=3)
    assert waking.due(0, "1") == ()
    waking.hit(["b", "a"])
    assert waking.due(10, "1") == ("a", "b")
    assert waking.due(10.5, "2") == ()


def it_makes_one_wake_up_of_many_hits_and_forgets_none() -> None:
    waking, sent = Waking(pause=3), []
    for tenth in range(100):  # ten seconds of ten hits each
        waking.hit(["a"])
        if waking.due(tenth / 10, str(tenth)):
            sent.append(tenth / 10)
    assert sent == [0.0, 3.0, 6.0, 9.0]
    assert waking.due(12, "last") == ("a",)
    waking.answered({"a": "last"})
    assert waking.due(300, "none") == ()


def it_wakes_again_for_a_hit_during_a_scan() -> None:
    waking = Waking(pause=3)
    waking.hit(["a"])
    waking.due(0, "1")
    waking.hit(["a"])  # the scan that was woken may be past it
    waking.answered({"a": "1"})
    assert waking.due(1, "2") == ()
    assert waking.due(3, "2") == ("a",)
    waking.answered({"a": "1"})
    assert waking.unanswered


def it_repeats_what_nobody_answers_and_then_leaves_it_to_the_regular_scan() -> None:
    waking = Waking(pause=3)
    waking.hit(["a"])
    assert waking.due(0, "1") == ("a",)
    sent, now = [], 0.0
    while now < 2 * sum(AGAIN_SECONDS):
        now += 1
        if waking.due(now, "x"):
            sent.append(now)
    assert sent == [15.0, 75.0, 315.0]
    assert waking.tickets == {"a": "1"}
    assert not waking.unanswered


def it_stops_repeating_when_it_is_answered() -> None:
    waking = Waking(pause=3)
    waking.hit(["a", "b"])
    waking.due(0, "1")
    waking.answered({"a": "1", "b": "an older one", "unknown": "1"})
    assert waking.due(20, "2") == ("b",)
    assert waking.tickets == {"a": "1", "b": "1"}


def it_lets_logs_wait_for_themselves_only() -> None:
    waking = Waking(pause=3)
    waking.hit(["a"])
    waking.due(0, "1")
    waking.hit(["a", "b"])
    assert waking.due(1, "2") == ("b",)
    assert waking.due(3, "3") == ("a",)
