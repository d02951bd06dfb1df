"""Every next step that a message, a signature or a decision names is a command that exists, and does what it says."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import TransitionKind
from kronos_health.logs.catalogue import load_catalogue
from kronos_health.probe import baseline
from kronos_health.settings.command import own_command, spelled
from kronos_health.settings.models import Settings
from tests.alerts.samples import every_message
from tests.support.steps import refused

MESSAGES = every_message()


@pytest.mark.parametrize("name", MESSAGES)
def it_is_a_command_in_every_message(name: str) -> None:
    assert refused(MESSAGES[name].next_step) is None


@pytest.mark.parametrize("signature", load_catalogue().signatures, ids=lambda one: one.name)
def it_is_a_command_for_every_signature(signature: object) -> None:
    assert refused(signature.next_step) is None  # type: ignore[attr-defined]


def it_is_a_command_of_the_imported_decisions() -> None:
    decisions = baseline.shipped().decisions
    assert {refused(one.next_step) for one in decisions} == {None}
    # Each probes the target it is about: without one, only those of [probe] targets would be.
    assert all(f"--target {one.target}" in one.next_step for one in decisions)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("pip install torch==2.15.0 in the target's environment, then: kronos-health probe", "unexpected EOF"),
        ("pip install torch==2.15.0  # in a new environment", "it begins with pip"),
        ("set the variables in .env.compile", "it begins with set"),
        ("Restart the program (kronos-health status)", "syntax error"),
        ("kronos-health housekeep", "No such command"),
        ("kronos-health probe --varient all", "No such option"),
        ("kronos-health query findings_by_signature --param signature=x", "takes no signature"),
        ("# nothing to do", "only a comment"),
    ],
)
def it_would_notice_one_that_is_none(step: str, why: str) -> None:
    assert why in (refused(step) or "")


def it_tells_nobody_to_act_on_what_is_over() -> None:
    over = [one for one in MESSAGES.values() if one.transition is TransitionKind.RESOLVED]
    assert over
    assert all("nothing to do" in one.next_step or "report" in one.next_step for one in over)


def it_proves_every_message_with_rows_and_says_since_when() -> None:
    without = [name for name, one in MESSAGES.items() if not one.evidence or one.since is None]
    assert without == []


def it_quotes_what_a_shell_would_take_apart() -> None:
    step = command("scan", "--source", "a b; rm -rf $HOME", note="two\nlines")
    assert refused(step) is None
    assert shlex.split(step, comments=True)[-1] == "a b; rm -rf $HOME"
    assert step.endswith("  # two lines")


class DescribeTheProgram:
    def it_is_the_bare_name_where_the_path_leads_to_it(self, tmp_path: Path) -> None:
        script = tmp_path / "kronos-health"
        script.touch()
        assert own_command(str(script), find=lambda _name: str(script)) == "kronos-health"
        assert own_command("/usr/bin/airflow", find=lambda _name: None) == "kronos-health"

    def it_is_what_was_typed_where_it_is_not_on_the_path(self) -> None:
        assert own_command(".venv/bin/kronos-health", find=lambda _name: None) == ".venv/bin/kronos-health"
        assert own_command(".venv/bin/kronos-health", find=lambda _n: "/usr/bin/kronos-health").startswith(".venv")

    def it_stands_in_every_command_of_a_step_and_nowhere_else(self) -> None:
        settings = Settings(command=".venv/bin/kronos-health")
        step = "kronos-health watch  # of /srv/kronos-health logs; then: kronos-health verify"
        assert spelled(step, settings) == (
            ".venv/bin/kronos-health watch  # of /srv/kronos-health logs; then: .venv/bin/kronos-health verify"
        )
