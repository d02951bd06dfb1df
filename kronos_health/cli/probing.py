"""Commands that run models: probe, rehearse, and the original script's benchmark."""

from __future__ import annotations

import typer

from kronos_health.checks.context import Context
from kronos_health.checks.probing import CampaignSummary, ProbeRequest, probe, rehearsals
from kronos_health.cli.common import out, prepared_context
from kronos_health.cli.progress import ProbeProgress
from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.probes import Outcome, ProbeKind

Names = list[str]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("probe")(probe_command)
    app.command("rehearse")(rehearse_command)
    app.command("benchmark")(benchmark_command)
    app.command("variants")(variants_command)


def probe_command(
    target: Names = typer.Option([], "--target", "-t", help="target, may be repeated; default: [probe] targets"),
    variant: Names = typer.Option([], "--variant", "-v", help="variant, or all; may be repeated"),
    iterations: int = typer.Option(0, "--iterations", "-n", min=0, help="fresh processes per probe; 0: the settings'"),
    regime: Names = typer.Option([], "--regime", help="saturated or growing"),
    rehearse: bool | None = typer.Option(
        None, "--rehearse/--no-rehearse", help="also under the emulated lifetime rule"
    ),
    candidate: Names = typer.Option(
        [],
        "--candidate",
        help="also in another environment: torch=2.15.0, torch=latest, kronos=upstream/main, python=/path, or several "
        "of them joined by commas; may be repeated",
    ),
    production: bool = typer.Option(
        True, "--production/--no-production", help="in production's own environment, candidates or not"
    ),
) -> None:
    """Run probes and store what happened. Exit status 1 when a measured probe did not pass."""
    context = prepared_context()
    places = (*([PRODUCTION] if production or not candidate else []), *candidate)
    request = ProbeRequest(_some(target), _variants(variant), iterations or None, _some(regime), rehearse, places)
    summary = _run(context, request)
    _show(summary)
    measured = [record for record in summary.probes if record.kind is ProbeKind.MEASURED]
    raise typer.Exit(0 if all(record.outcome is Outcome.PASSED for record in measured) else 1)


def rehearse_command(
    target: Names = typer.Option([], "--target", "-t", help="target, may be repeated"),
    variant: Names = typer.Option([], "--variant", "-v", help="variant, or all; may be repeated"),
    iterations: int = typer.Option(1, "--iterations", "-n", min=1, help="fresh processes per rehearsal"),
    candidate: Names = typer.Option([], "--candidate", help="in this environment instead; may be repeated"),
) -> None:
    """Say what CUDA graphs would do, without a GPU. A rehearsal is never evidence. Exit status 1 when one fails."""
    context = prepared_context()
    places = tuple(candidate) or (PRODUCTION,)
    request = ProbeRequest(_some(target), _variants(variant), iterations, None, rehearse=True, candidates=places)
    summary = _run(context, request, only_rehearsals=True)
    _show(summary)
    raise typer.Exit(0 if all(record.outcome is Outcome.PASSED for record in summary.probes) else 1)


def benchmark_command(
    iterations: int = typer.Option(5, "--iterations", "-n", min=1, help="fresh processes per mode"),
    target: str = typer.Option("kronos", "--target", "-t", help="target"),
) -> None:
    """Eager against compiled, with the table and decision of the team's original script."""
    from kronos_health.history.tables import benchmark_table

    context = prepared_context()
    summary = _run(context, ProbeRequest((target,), ("eager", "compiled"), iterations))
    out.print(benchmark_table(summary.probes, summary.comparisons, context.settings.revisit))


def variants_command() -> None:
    """List the named ways to run a model, and what production would have to change for each."""
    from rich.table import Table

    from kronos_health.probe.variants import BUILT_IN

    table = Table("Variant", "What it is", "What production would change", header_style="bold")
    for variant in BUILT_IN:
        table.add_row(variant.name, variant.summary, variant.production_change)
    out.print(table)


def _run(context: Context, request: ProbeRequest, only_rehearsals: bool = False) -> CampaignSummary:
    with ProbeProgress(out) as progress:
        return probe(context, request, progress.show, on_done=None, choose=rehearsals if only_rehearsals else tuple)


def _show(summary: CampaignSummary) -> None:
    from kronos_health.history.tables import probe_table

    out.print(probe_table(summary.probes, summary.comparisons))
    for trial in summary.trials:
        out.print(f"{trial.target} with {trial.candidate}: {trial.verdict}. {trial.explanation}", markup=False)


def _some(names: Names) -> tuple[str, ...] | None:
    return tuple(names) or None


def _variants(names: Names) -> tuple[str, ...] | None:
    """``all`` stands for every named variant."""
    if "all" in names:
        from kronos_health.probe.variants import BUILT_IN

        return tuple(variant.name for variant in BUILT_IN)
    return _some(names)
