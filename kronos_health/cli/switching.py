"""Commands of the switch: what is proposed, and a person's answer to it."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import typer

from kronos_health.checks.errors import CheckError
from kronos_health.cli.common import context, out

if TYPE_CHECKING:
    from kronos_health.domain.switch import Switch

switch = typer.Typer(
    help="The switch of production's settings: propose, show, approve, reject, rollback.", invoke_without_command=True
)
_ID = typer.Argument("", help="the proposal's id, or its end; default: the one that waits")
_WHO = typer.Option("", "--who", help="who answers; default: the user of this machine")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(switch, name="switch")


@switch.callback()
def status_command(call: typer.Context) -> None:
    """Every proposal there was, and where it stands."""
    if call.invoked_subcommand is not None:
        return
    from kronos_health.checks.switching import listed

    opened = context()
    found = listed(opened)
    if not found:
        out.print("Nothing was proposed yet. It is, once `kronos-health status` says COMPILED.", markup=False)
    else:
        _list(found)
    if opened.settings.production.env_file is None:
        out.print("Nothing can be proposed: production.env_file is not set.", markup=False, style="yellow")


@switch.command("propose")
def propose_command() -> None:
    """Settle what is known, write what is approved, propose what is to be proposed. Exit status 1 when it cannot."""
    from kronos_health.checks.switching import advance

    done = advance(context())
    for moved in done.changed:
        _say(moved)
    for problem in done.problems:
        out.print(f"could not: {problem}", style="bold red", markup=False, highlight=False)
    if done.waiting is None and not done.changed:
        out.print("Nothing to propose.")
    raise typer.Exit(1 if done.problems else 0)


@switch.command("show")
def show_command(proposal: str = _ID) -> None:
    """The evidence and the diff of the proposal that waits, or of the one named, or of the last one."""
    from kronos_health.checks.observations.switch import outcome
    from kronos_health.checks.switching import listed, waiting

    found = [one for one in listed(context()) if one.switch_id.endswith(proposal)]
    chosen = (None if proposal else waiting(found)) or (found[-1] if found else None)
    if chosen is None:
        raise CheckError("there is no such proposal. See: kronos-health switch")
    for line in (f"{_title(chosen)} ({chosen.switch_id})", outcome(chosen), "", chosen.summary, "", chosen.diff):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@switch.command("approve")
def approve_command(
    proposal: str = _ID, who: str = _WHO, reason: str = typer.Option("", "--reason", help="why")
) -> None:
    """Approve: the file is written if [switch] enabled is on and the file is still what was shown; 1 when it is not."""
    _answer(True, proposal, who, reason)


@switch.command("reject")
def reject_command(
    proposal: str = _ID, who: str = _WHO, reason: str = typer.Option(..., "--reason", help="why; it is kept and shown")
) -> None:
    """Reject: it is not asked about again until the evidence changes."""
    _answer(False, proposal, who, reason)


@switch.command("rollback")
def rollback_command(who: str = _WHO, reason: str = typer.Option(..., "--reason", help="why")) -> None:
    """Take the change that is in force back, from its backup where the file was not edited since."""
    from kronos_health.checks.switching import roll_back

    done = roll_back(context(), who or getpass.getuser(), reason)
    _say(done)
    raise typer.Exit(_status(done))


def _answer(approve: bool, proposal: str, who: str, reason: str) -> None:
    from kronos_health.checks.switching import answer

    done = answer(context(), approve, who or getpass.getuser(), reason, proposal)
    _say(done)
    raise typer.Exit(_status(done))


def _status(done: Switch) -> int:
    from kronos_health.domain.switch import SwitchState

    undone = done.state is SwitchState.APPROVED and not done.by_hand
    return 1 if undone or done.state is SwitchState.WITHDRAWN else 0


def _say(moved: Switch) -> None:
    from kronos_health.checks.observations.switch import outcome

    out.print(f"{_title(moved)}: {outcome(moved)}", markup=False, highlight=False, soft_wrap=True)
    if moved.state.is_open:
        out.print(moved.diff, markup=False, highlight=False, soft_wrap=True)


def _title(one: Switch) -> str:
    return f"{one.target} back from {one.variant}" if one.is_way_back else f"{one.target} to {one.variant}"


def _list(found: tuple[Switch, ...]) -> None:
    from kronos_health.checks.observations.switch import outcome

    for one in found:
        state = one.state.value.replace("_", " ")
        line = f"{one.proposed_at:%Y-%m-%d %H:%M} UTC · {_title(one)} · {state} · {one.switch_id[-12:]}"
        out.print(f"{line}\n    {outcome(one)}", markup=False, highlight=False, soft_wrap=True)
