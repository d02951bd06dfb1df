"""Every engine finds the same texts in the same places; which one is in force is the settings' choice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.logs import engines
from kronos_health.logs.engines import AhoCorasick, Plain, engine, in_force
from kronos_health.logs.errors import LogProblem
from kronos_health.logs.report import scan_file
from kronos_health.settings.models import Logs
from tests.logs.support import Watched, line, reuse

NEEDLES = st.lists(st.binary(min_size=1, max_size=6), min_size=0, max_size=40) | st.lists(
    st.text("abAB", min_size=1, max_size=5).map(str.encode), min_size=1, max_size=12
)
ENCODINGS = st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "latin-1"])


@pytest.fixture
def without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_ahocorasick", lambda: None)


def found(texts: set[bytes], block: bytes) -> list[int]:
    """What both engines say, which is one thing."""
    one, other = (kind(texts).find(memoryview(block)).tolist() for kind in (AhoCorasick, Plain))
    assert one == other
    return list(one)


def leftmost(texts: set[bytes], block: bytes) -> list[int]:
    """The definition, word by word."""
    places, at = [], 0
    while at < len(block):
        here = max((text for text in texts if block.startswith(text, at)), key=len, default=None)
        if here is None:
            at += 1
            continue
        places.append(at)
        at += len(here)
    return places


@given(NEEDLES, st.binary(max_size=300) | st.text("abAB ", max_size=300).map(str.encode))
def it_agrees_on_anything(needles: list[bytes], block: bytes) -> None:
    assert found(set(needles), block) == leftmost(set(needles), block)


@given(
    st.lists(st.sampled_from(["Kronos", "ronos", "Kro", "MaxDiff", "redict", "ict", "rror"]), min_size=1),
    st.lists(st.sampled_from(["Kronos ", "MaxDiffMaxDiff", "predicted", "error", "é", "\n", "fine ", "Kro"])),
    ENCODINGS,
)
def it_agrees_in_any_encoding(needles: list[str], words: list[str], encoding: str) -> None:
    texts = {needle.encode(encoding) for needle in needles}
    block = "".join(words).encode(encoding)
    assert found(texts, block) == leftmost(texts, block)


def it_agrees_on_many_hits_and_at_the_edges_of_a_block() -> None:
    block = b"".join(
        b"Kronos prediction %d\n" % n if n % 5 == 0 else b"nothing to see in %d\n" % n for n in range(9000)
    )
    texts = {b"Kronos", b"prediction", b"9\n"}
    hits = found(texts, block)
    assert len(hits) == 2 * 1800 + 900
    assert found({b"Kronos", b"see"}, b"Kronos and see") == [0, 11]
    assert found({b"Kronos"}, b"onos Kron") == []
    assert found(set(), b"anything") == []


def it_takes_the_fast_engine_where_there_is_one() -> None:
    assert in_force("auto") == in_force("ahocorasick") == "ahocorasick"
    assert in_force("plain") == engine({b"x"}, "plain").name == "plain"


@pytest.mark.usefixtures("without_the_wheel")
def it_falls_back_where_the_wheel_is_missing(watched: Watched) -> None:
    assert engine({b"x"}).name == "plain"
    watched.write(line("fine") + reuse("one") + line("fine"))
    result = watched.scan()
    assert watched.found() == ["one"]
    assert any("ahocorasick_rs is missing" in note for note in result.notes)


@pytest.mark.usefixtures("without_the_wheel")
def it_says_that_the_engine_asked_for_is_missing(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("x\n")
    with pytest.raises(LogProblem, match=r'logs\.engine is "ahocorasick", whose wheel is missing\. Install it'):
        scan_file(tmp_path / "x.log", logs=Logs(engine="ahocorasick"))


def it_is_quiet_about_the_engine_that_was_asked_for(watched: Watched) -> None:
    watched.logs = watched.logs.model_copy(update={"engine": "plain"})
    watched.write(line("fine") + reuse("one") + line("fine"))
    assert watched.scan().notes == ()
    assert watched.found() == ["one"]
