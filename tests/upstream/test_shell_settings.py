"""A settings file is read as a shell reads it, without being run; a real shell is asked whether that is so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kronos_health.upstream.shell_settings import ShellSettings, Variable, parse_shell_settings
from kronos_health.upstream.shell_words import Unclosed


def _exported(text: str) -> dict[str, str]:
    variables = parse_shell_settings(text).variables
    return {name: variable.value for name, variable in variables.items() if variable.exported and variable.known}


@pytest.mark.parametrize(
    ("text", "exported"),
    [
        ("export A=1", {"A": "1"}),
        ("export A=1\nexport A=0\n", {"A": "0"}),
        ("export A='a b' B=\"c # d\" # comment", {"A": "a b", "B": "c # d"}),
        ("# export A=1\n#export B=1\nexport C=a#b", {"C": "a#b"}),
        ("export A=one\\\ntwo", {"A": "onetwo"}),
        ("export A=1; export B=2 && export C=3", {"A": "1", "B": "2"}),
        ("A=1\nexport A", {"A": "1"}),
        ("export A=1\nunset A", {}),
        ("export A=1\nexport -n A", {}),
        ("export A=1\nB=2", {"A": "1"}),
        ("set -a\nA=1\nset +a\nB=2", {"A": "1"}),
        ("set -o allexport\nA=1", {"A": "1"}),
        ("declare -x A=1", {"A": "1"}),
        ("export X=\nA=1 true", {"X": ""}),
        ("export A='it'\\''s' B=\"\\$HOME \\x\"", {"A": "it's", "B": "$HOME \\x"}),
        ("export A='line 1\nline 2'", {"A": "line 1\nline 2"}),
        ("export A=1\r\n", {"A": "1\r"}),
        ("export A=5$", {"A": "5$"}),
        ("", {}),
    ],
)
def it_sees_what_reaches_the_program(text: str, exported: dict[str, str]) -> None:
    assert _exported(text) == exported


def it_takes_a_file_without_any_export_for_one_whose_every_line_counts() -> None:
    assert _exported("A=1\nB='2'\n") == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    "text",
    [
        "export A=$B",
        'export A="${A:-1}"',
        "export A=$(nproc)",
        "export A=`cat file; echo 1`",
        'export A=1\nif [ -n "$X" ]; then\n  export A=0\nfi',
        'export A=1\n[ -n "$X" ] && export A=0',
        'export A=1\n[ -n "$X" ] ||\n  export A=0',
        "export A=1\ncase $X in\n  a) export A=0 ;;\nesac",
        "export A=1\nfor i in 1 2; do A=$i; done",
        "export A=1\nset_up() {\n  export A=0\n}",
        "export A=1\n(export A=0)",
        'export A=1\n[ -n "$X" ] && unset A',
        "export A=1\nA+=0",
    ],
)
def it_does_not_guess_what_only_a_run_could_tell(text: str) -> None:
    assert parse_shell_settings(text).variables["A"].known is False


def it_is_sure_again_after_a_conditional_part() -> None:
    assert _exported('if true; then export A=0; fi\nexport B=2\n[ -n "$X" ] && export C=1\nexport A=1') == {
        "A": "1",
        "B": "2",
    }


@pytest.mark.parametrize("line", ["source other.sh", ". ./other.sh", 'eval "$MORE"'])
def it_says_when_other_files_have_their_say(line: str) -> None:
    assert parse_shell_settings(f"export A=1\n{line}\n").runs_others is True
    assert parse_shell_settings("export A=1\n").runs_others is False


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("export A=1\nexport B='open\n", "the ' in line 2 is never closed"),
        ('export A="open\n', 'the " in line 1 is never closed'),
        ("\n\nexport A=$(open", "the ( in line 3 is never closed"),
        ("export A=`open", "the ` in line 1 is never closed"),
    ],
)
def it_refuses_what_a_shell_refuses(text: str, complaint: str) -> None:
    with pytest.raises(Unclosed, match=complaint.replace("(", r"\(")):
        parse_shell_settings(text)


_VALUES = st.text(st.sampled_from("ab1 #=;'\"\\$&|()\t"), max_size=6)


@st.composite
def _words(draw: st.DrawFn) -> str:
    value = draw(_VALUES)
    quoted = {
        "single": "'" + value.replace("'", "'\\''") + "'",
        "double": '"' + "".join(f"\\{c}" if c in '$`"\\' else c for c in value) + '"',
        "escaped": "".join(f"\\{c}" for c in value),
    }
    return draw(st.sampled_from(sorted(quoted.values())))


_STATEMENTS = st.one_of(
    st.builds("export {}={}".format, st.sampled_from("ABC"), _words()),
    st.builds("{}={}".format, st.sampled_from("ABC"), _words()),
    st.builds("export {}".format, st.sampled_from("ABC")),
    st.builds("unset {}".format, st.sampled_from("ABC")),
    st.builds("# {}".format, st.text(st.sampled_from("a'\"$("), max_size=5)),
    st.just("set -a"),
    st.just("set +a"),
    st.just(""),
)


@pytest.mark.skipif(shutil.which("sh") is None, reason="asks the real shell")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statements=st.lists(_STATEMENTS, max_size=8), joint=st.sampled_from(["\n", "\n\n", " \n\t"]))
def it_agrees_with_a_real_shell(statements: list[str], joint: str, tmp_path: Path) -> None:
    text = joint.join(["export Z=1", *statements, ""])
    file = tmp_path / "env"
    file.write_text(text)
    shell = subprocess.run(
        ["sh", "-c", f". {file} && env -0"], capture_output=True, check=True, env={"PATH": "/bin:/usr/bin"}
    )
    told = dict(line.split("=", 1) for line in shell.stdout.decode().split("\0") if line)
    # A name exported without a value is not in the environment yet, but its next value is: the parser does not follow.
    names = {name for name in "ABC" if f"export {name}" not in statements}
    assert {name: value for name, value in _exported(text).items() if name in names} == {
        name: value for name, value in told.items() if name in names
    }


@given(text=st.text(max_size=200))
def it_reads_or_refuses_any_text(text: str) -> None:
    try:
        found = parse_shell_settings(text)
    except Unclosed:
        return
    assert isinstance(found, ShellSettings)
    assert all(isinstance(variable, Variable) for variable in found.variables.values())
