"""Commands about what is looked for in logs: signatures list, test, propose."""

from __future__ import annotations

from pathlib import Path

import typer

from kronos_health.cli.common import context, errors, load, out

signatures = typer.Typer(help="What is looked for in logs: list, test, propose.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(signatures, name="signatures")


@signatures.command("list")
def list_command() -> None:
    """List the signatures in force: built-in, of logs.catalogue, of logs.patterns."""
    from kronos_health.checks.signatures import signatures as listed
    from kronos_health.history.signatures import signature_table

    out.print(signature_table(listed(load().settings)))


@signatures.command("test")
def try_command(file: Path = typer.Argument(help="a log, read whole; nothing is stored")) -> None:
    """Say in how many records of a file each signature is found. The catalogue in force is checked on the way."""
    from kronos_health.checks.signatures import tried
    from kronos_health.history.signatures import signature_table

    out.print(signature_table(tried(load().settings, file)))


@signatures.command("propose")
def propose_command(
    fingerprint: str = typer.Argument("", help="of a kind of unknown error, or how it begins; default: all kinds"),
    output: Path | None = typer.Option(None, "--output", "-o", help="catalogue file to add the entries to"),
    limit: int = typer.Option(20, "--limit", min=1, help="without a fingerprint: at most so many, most frequent first"),
) -> None:
    """Write ready catalogue entries for errors that no signature knows. Exit status 1: none could be made."""
    from kronos_health.checks.signatures import append, proposals

    found = proposals(context(), fingerprint or None, limit)
    for line in found.refused:
        errors.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if output is None:
        typer.echo(found.toml, nl=False)
    elif found.entries:
        append(output, found)
        out.print(f"{output}: {found.entries} added; name it in logs.catalogue to have them looked for", markup=False)
    raise typer.Exit(0 if found.entries else 1)
