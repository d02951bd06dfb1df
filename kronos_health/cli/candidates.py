"""Commands about the environments and checkouts that candidates are tried in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from kronos_health.cli.common import context, out

if TYPE_CHECKING:
    from datetime import datetime

    from kronos_health.checks.context import Context
    from kronos_health.probe.kept import Kept

candidates = typer.Typer(help="Environments made to try targets in: list, prune.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(candidates, name="candidates")


@candidates.callback()
def list_command(call: typer.Context) -> None:
    """List the environments and checkouts made so far, with size, age and last use; or prune them."""
    if call.invoked_subcommand is None:
        _list(context())


@candidates.command("prune")
def prune_command() -> None:
    """Remove what was not used for [candidates] keep_days, then the longest unused above budget_mb."""
    from kronos_health.checks.candidates import listed, prune

    opened = context()
    for removed in prune(opened):
        out.print(f"{removed.name}: removed ({removed.size_mb:,.0f} MB), {removed.reason}", markup=False)
    left = listed(opened)
    out.print(f"{len(left)} kept, {sum(kept.size_mb for kept in left):,.0f} MB.")


def _list(opened: Context) -> None:
    from rich.table import Table
    from rich.text import Text

    from kronos_health.checks.candidates import listed

    found = listed(opened)
    if not found:
        out.print(
            "No candidate was made yet. One is made by: kronos-health probe --candidate torch=latest", markup=False
        )
        return
    table = Table("Candidate", "Size", "Made", "Last used", "Holds", "Folder", header_style="bold", box=None)
    for kept in found:
        table.add_row(*(Text(cell) for cell in _cells(kept, opened.now())))
    out.print(table)
    rules, total = opened.settings.candidates, sum(kept.size_mb for kept in found)
    out.print(f"{total:,.0f} of {rules.budget_mb:,.0f} MB; kept for {rules.keep_days:g} days after the last use.")


def _cells(kept: Kept, now: datetime) -> tuple[str, ...]:
    from kronos_health.history.words import ago

    return (
        kept.name,
        f"{kept.size_mb:,.0f} MB",
        ago(kept.made_at, now),
        ago(kept.used_at, now),
        ", ".join(kept.holds),
        str(kept.folder),
    )
