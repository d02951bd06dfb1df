"""An edit of ``.env.compile`` changes what was asked for and nothing else, as bash itself reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.upstream.shell_edit import CannotEdit, edited, values_of
from kronos_health.upstream.shell_settings import parse_shell_settings

EXAMPLE = (Path(__file__).parents[2] / "examples" / "production" / ".env.compile").read_text(encoding="utf-8")
ON = {"KRONOS_COMPILE": "1"}


def sourced(text: str, *names: str) -> dict[str, str | None]:
    """What a program started after ``source`` sees, by a real bash with an empty environment."""
    program = 'source /dev/stdin && for name in "$@"; do printenv "$name" || echo -; done'
    done = subprocess.run(
        ["bash", "--norc", "-c", program, "bash", *names],
        input=text.encode(),
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    lines = done.stdout.decode().splitlines()
    return {name: None if line == "-" else line for name, line in zip(names, lines, strict=True)}


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    pairs = zip(before.split("\n"), after.split("\n"), strict=True)
    return [(old, new) for old, new in pairs if old != new]


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ("export A=0\nexport B=x\n", {"A": "1"}, "export A=1\nexport B=x\n"),
        ("export A='0' # why\n", {"A": "1"}, "export A='1' # why\n"),
        ('export A="0"\n', {"A": "1"}, 'export A="1"\n'),
        ("export A=0 B=2\n", {"A": "1"}, "export A=1 B=2\n"),
        ("A=0\nexport A\n", {"A": "1"}, "A=1\nexport A\n"),
        ("export A=5\nexport A=0\n", {"A": "1"}, "export A=5\nexport A=1\n"),
        ("set -a\nA=0\nset +a\n", {"A": "1"}, "set -a\nA=1\nset +a\n"),
        ("declare -x A=0\n", {"A": "1"}, "declare -x A=1\n"),
        ("export B=2\n", {"A": "1"}, "export B=2\nexport A=1\n"),
        ("export B=2", {"A": "1"}, "export B=2\nexport A=1\n"),
        ("", {"A": "1"}, "export A=1\n"),
        ("# export A=1\nexport B=2\n", {"A": "1"}, "export A=1\nexport B=2\n"),
        ("export B=2\n#A=0\n", {"A": "1"}, "export B=2\nexport A=1\n"),
        ("# about A=1 and more\nexport B=2\n", {"A": "1"}, "# about A=1 and more\nexport B=2\nexport A=1\n"),
        ("A=0\nexport B=2\n", {"A": "1"}, "A=0\nexport B=2\nexport A=1\n"),  # set, but not exported
        ("export A=0\nunset A\nexport B=2\n", {"A": "1"}, "export A=0\nunset A\nexport B=2\nexport A=1\n"),
        ("A=0\nB=2\n", {"A": "1"}, "A=1\nB=2\n"),  # for --env-file: nothing is exported
        ("B=2\n", {"A": "1"}, "B=2\nA=1\n"),
        ("export A=1\nexport B=2\n", {"A": None}, "# export A=1\nexport B=2\n"),
        ("  export A=1 # on\n", {"A": None}, "#   export A=1 # on\n"),
        ("export B=2\n", {"A": None}, "export B=2\n"),
        ("export A=0\r\nexport B=x\r\n", {"A": "1"}, "export A=1 #\r\nexport B=x\r\n"),
        ("export B=x\r\n", {"A": "1"}, "export B=x\r\nexport A=1 #\r\n"),
        ("# export A=1\r\nexport B=x\r\n", {"A": "1"}, "export A=1 #\r\nexport B=x\r\n"),
        ("\ufeffexport B=x\n", {"A": "1"}, "\ufeffexport B=x\nexport A=1\n"),
    ],
)
def it_changes_the_line_that_counts_and_keeps_everything_else(
    before: str, changes: dict[str, str | None], after: str
) -> None:
    assert edited(before, changes) == after
    if "export" in before and "\ufeff" not in before:
        assert sourced(after, *changes) == changes


def it_changes_one_line_of_the_file_that_production_has_and_leads_back_to_the_byte() -> None:
    after = edited(EXAMPLE, ON)
    assert changed_lines(EXAMPLE, after) == [("# export KRONOS_COMPILE=1", "export KRONOS_COMPILE=1")]
    assert sourced(after, "KRONOS_COMPILE", "TOTO_DISABLE_COMPILE") == {
        "KRONOS_COMPILE": "1",
        "TOTO_DISABLE_COMPILE": "1",
    }
    assert edited(after, {"KRONOS_COMPILE": None}) == EXAMPLE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("if [ -n x ]; then export A=0; fi\nsource other\n", "sources other files"),
        ("export B='2\n", "a shell would refuse the file"),
        ("A=0\r\nB=1\r\n", "carriage returns"),
    ],
)
def it_refuses_what_only_a_person_can_change(text: str, why: str) -> None:
    with pytest.raises(CannotEdit, match=why):
        edited(text, {"A": "1"})


def it_refuses_to_unset_what_shares_a_line() -> None:
    with pytest.raises(CannotEdit, match="shares a line"):
        edited("export A=0 B=1\n", {"A": None})


@pytest.mark.parametrize("value", ["a b", "$HOME", "`id`", "'", "x;id", ""])
def it_writes_only_plain_words(value: str) -> None:
    with pytest.raises(CannotEdit, match="not a plain word"):
        edited(EXAMPLE, {"A": value})


def it_reads_values_as_the_program_gets_them() -> None:
    text = "export A=1\nB=2\nexport C=$(date)\n"
    assert values_of(text, {"A": None, "B": None, "D": None}) == {"A": "1", "B": None, "D": None}
    with pytest.raises(CannotEdit, match="depends on running"):
        values_of(text, {"C": None})


NAMES = st.sampled_from(["A", "B", "KRONOS_COMPILE", "TOTO_DISABLE_COMPILE", "ADD_LATEST"])
PLAIN = st.sampled_from(["0", "1", "max-autotune", "a.b/c:d", "true"])
LINES = st.one_of(
    st.builds("export {}={}".format, NAMES, PLAIN),
    st.builds("export {}='{}'".format, NAMES, PLAIN),
    st.builds('export {}="{}" # note'.format, NAMES, PLAIN),
    st.builds("  {}={}".format, NAMES, PLAIN),
    st.builds("# export {}={}".format, NAMES, PLAIN),
    st.builds("#{}={} is not it".format, NAMES, PLAIN),
    st.builds("export {}={} X=5".format, NAMES, PLAIN),
    st.builds("unset {}".format, NAMES),
    st.just(""),
    st.just("# a comment with an = and a 'quote"),
    st.just("set -a"),
    st.just("set +a"),
    st.just("export LAST=1 \\\n  MORE=2"),
)
FILES = st.builds(
    lambda lines, end, final: end.join(["export FIRST=1", *lines]) + (end if final else ""),
    st.lists(LINES, max_size=8),
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.booleans(),
)


@given(text=FILES, name=NAMES, value=st.one_of(PLAIN, st.none()))
def it_leaves_the_values_asked_for_and_every_other_variable_alone(text: str, name: str, value: str | None) -> None:
    try:
        after = edited(text, {name: value})
    except CannotEdit:
        return
    before_values, after_values = (parse_shell_settings(one).variables for one in (text, after))
    assert values_of(after, {name: None}) == {name: value}
    assert {key: item for key, item in before_values.items() if key != name} == {
        key: item for key, item in after_values.items() if key != name
    }
    assert edited(after, {name: value}) == after, "doing it again changes nothing"
    assert after.count("\n") - text.count("\n") in (0, 1, 2)


@pytest.mark.slow
@given(text=FILES, name=NAMES, value=PLAIN)
def it_agrees_with_bash(text: str, name: str, value: str) -> None:
    try:
        after = edited(text, {name: value})
    except CannotEdit:
        return
    assert sourced(after, name) == {name: value}
