"""Commands for the whole: up, check, status, and each use case by itself."""

from __future__ import annotations

import typer

from kronos_health.cli.common import context, load, out, prepared_context


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for name, command in {
        "up": up_command,
        "check": check_command,
        "status": status_command,
        "watch": watch_command,
        "revisit": revisit_command,
        "deliver": deliver_command,
        "digest": digest_command,
        "housekeeping": housekeeping_command,
        "deployed": deployed_command,
    }.items():
        app.command(name)(command)


def up_command(
    port: int = typer.Option(8080, "--port", min=1, max=65535, help="of the page; the next free one if it is taken"),
    host: str = typer.Option("127.0.0.1", "--host", help="address the page listens on"),
) -> None:
    """Start Airflow on SQLite with every DAG on, run a first check through the DAGs, and keep serving until Ctrl-C."""
    from kronos_health.airflow_plugin.standalone import serve

    loaded = load()
    raise typer.Exit(serve(loaded.path, port=port, host=host, console=out))


def check_command() -> None:
    """One pass without the page: watch, scan, probe where evidence is stale, decide, tell. Exit status 0, 1 or 2."""
    from kronos_health.checks.health import check
    from kronos_health.cli.progress import ProbeProgress
    from kronos_health.history.screen import render_status
    from kronos_health.history.status import build_status
    from kronos_health.store.database import reading

    opened = prepared_context()
    with ProbeProgress(out) as progress:
        health = check(opened, progress.show, lambda line: out.print(line, markup=False, highlight=False, style="dim"))
    with reading(opened.engine) as connection:
        out.print(render_status(build_status(connection, opened.now(), opened.settings.probe.targets)))
    for line in health.could_not:
        out.print(f"could not check: {line}", style="bold red", markup=False, highlight=False)
    for line in health.attention:
        out.print(f"attention: {line}", style="bold yellow", markup=False, highlight=False)
    for line in health.notes:
        out.print(f"note: {line}", style="dim", markup=False, highlight=False)
    out.print(f"{health.sentence} (status {health.exit_status})", style="bold", markup=False, highlight=False)
    raise typer.Exit(health.exit_status)


def status_command() -> None:
    """The verdict, the four criteria, the evidence and the state of everything, on one screen."""
    from kronos_health.history.screen import render_status
    from kronos_health.history.status import build_status
    from kronos_health.store.database import reading

    opened = context()
    with reading(opened.engine) as connection:
        out.print(render_status(build_status(connection, opened.now(), opened.settings.probe.targets)))


def watch_command() -> None:
    """Look for new torch releases, Kronos revisions, settings drift and deployments.

    Exit status 1 on drift, 2 where production's own settings could not be read; no network is neither.
    """
    from kronos_health.checks.watching import watch
    from kronos_health.cli.tables import watch_table

    summary = watch(context())
    out.print(watch_table(summary))
    raise typer.Exit(2 if summary.unseen else 1 if summary.drifts else 0)


def revisit_command(
    target: list[str] = typer.Option([], "--target", "-t", help="target, may be repeated"),
) -> None:
    """Weigh the four criteria anew and store the decision."""
    from kronos_health.checks.revisiting import revisit

    for decision in revisit(context(), tuple(target) or None):
        out.print(decision.sentence, style="bold", markup=False, highlight=False)
        out.print(decision.reason, markup=False, highlight=False)
        out.print(f"Next: {decision.next_step}", style="cyan", markup=False, highlight=False)


def deliver_command(
    wait: float = typer.Option(30.0, "--wait", min=0, help="seconds to wait for rate limits before leaving the rest"),
) -> None:
    """Send the messages that are due. Exit status 1 when a channel is refused or a message was given up."""
    from kronos_health.checks.delivering import deliver
    from kronos_health.cli.tables import delivery_lines

    summary = deliver(context(), patience_seconds=wait)
    for line in delivery_lines(summary):
        out.print(line, markup=False, highlight=False)
    raise typer.Exit(1 if summary.disabled_channels or summary.dead else 0)


def digest_command() -> None:
    """Queue this week's digest: still watching, and what was seen."""
    from kronos_health.checks.digesting import digest

    digest(context())
    out.print("The digest of this week is queued; kronos-health deliver sends it.")


def housekeeping_command() -> None:
    """Close probes whose checker died, tell of stuck runs, forget rows past their retention."""
    from kronos_health.checks.housekeeping import housekeep

    done = housekeep(context())
    removed = done.forgotten
    out.print(
        f"{len(done.lost_probes)} lost probes closed, {len(done.stuck_checks)} runs never ended; removed "
        f"{removed.findings} findings, {removed.samples} samples, {removed.scans} scans, "
        f"{removed.heartbeats} heartbeats, {done.forgotten_messages} messages."
    )


def deployed_command(note: str = typer.Argument("reported by hand", help="what was deployed")) -> None:
    """Say that production was deployed just now: the deployment checks count from here."""
    from kronos_health.checks.watching import record_deployment

    deployment = record_deployment(context(), note)
    at = f"{deployment.deployed_at:%Y-%m-%d %H:%M:%S} UTC"
    out.print(f"Deployment recorded at {at}{f', revision {deployment.revision[:12]}' if deployment.revision else ''}.")
    out.print("Next: kronos-health scan, then kronos-health verify", style="cyan")
