"""Commands that run models: probe, and the original script's benchmark."""

from __future__ import annotations

import typer

from kronos_health.cli.common import out, prepared_context

Names = list[str]
_IGNORE = "run now, also in a window of [[probe.blackout]]"

_RESUME = typer.Option(False, "--resume", help="go on with the newest unfinished campaign, or with CAMPAIGN")
_CAMPAIGN = typer.Argument(
    "", help="with --resume: id of the campaign; see kronos-health query campaigns", show_default=False
)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("probe")(probe_command)
    app.command("ladder")(ladder_command)
    app.command("benchmark")(benchmark_command)
    app.command("variants")(variants_command)


def probe_command(
    target: Names = typer.Option([], "--target", "-t", help="target, may be repeated; default: those of the settings"),
    variant: Names = typer.Option([], "--variant", "-v", help="variant, all or ladder; may be repeated"),
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
    with_eager: bool = typer.Option(
        True, "--with-eager/--without-eager", help="compiled variants bring an eager arm along, to be compared with"
    ),
    resume: bool = _RESUME,
    campaign: str = _CAMPAIGN,
    ignore_blackout: bool = typer.Option(False, "--ignore-blackout", help=_IGNORE),
) -> None:
    """Run probes and store what happened. Exit status 1: a measured one did not pass; 2: one could not be made.

    One that needs a newer torch is skipped, and no failure.
    """
    from kronos_health.checks.probing import ProbeRequest
    from kronos_health.cli import campaigns
    from kronos_health.domain.candidates import PRODUCTION
    from kronos_health.domain.probes import ProbeKind

    asked = bool(target or variant or iterations or regime or rehearse is not None or not with_eager or candidate)
    _check_resume(resume, campaign, asked)
    context = prepared_context().ignoring_blackout() if ignore_blackout else prepared_context()
    places = (*([PRODUCTION] if production or not candidate else []), *candidate)
    chosen = (_some(target), _some(variant), iterations or None, _some(regime))
    request = ProbeRequest(*chosen, rehearse, with_eager, places)
    summary = campaigns.resume(context, campaign) if resume else campaigns.run(context, request)
    campaigns.show(summary)
    raise typer.Exit(campaigns.status_of(record for record in summary.probes if record.kind is ProbeKind.MEASURED))


def ladder_command(
    target: Names = typer.Option([], "--target", "-t", help="target, may be repeated; default: those of the settings"),
    iterations: int = typer.Option(1, "--iterations", "-n", min=1, help="fresh processes per layer"),
    regime: str = typer.Option("saturated", "--regime", help="saturated or growing"),
    ignore_blackout: bool = typer.Option(False, "--ignore-blackout", help=_IGNORE),
) -> None:
    """Name the first layer of the compiler that fails: Dynamo, AOTAutograd, Inductor or CUDA graphs.

    Where there is no CUDA, CUDA graphs are rehearsed. Exit status 1 unless every layer passes.
    """
    from kronos_health.checks.probing import ladder
    from kronos_health.cli import campaigns
    from kronos_health.cli.progress import ProbeProgress

    context = prepared_context().ignoring_blackout() if ignore_blackout else prepared_context()
    passes = True
    for name in target or context.settings.probe.targets:
        with ProbeProgress(out) as progress:
            summary, result = ladder(context, name, iterations, regime, progress.show)
        campaigns.show(summary)
        style = "green" if result.passes else "red"
        out.print(f"{name}: {result.sentence}", style=style, highlight=False, markup=False)
        passes = passes and result.passes
    raise typer.Exit(0 if passes else 1)


def benchmark_command(
    iterations: int = typer.Option(5, "--iterations", "-n", min=1, help="fresh processes per mode"),
    target: str = typer.Option("kronos", "--target", "-t", help="target"),
    ignore_blackout: bool = typer.Option(False, "--ignore-blackout", help=_IGNORE),
    resume: bool = _RESUME,
    campaign: str = _CAMPAIGN,
) -> None:
    """Eager against compiled, with the table and decision of the team's original script.

    Exit status 2 when one of them could not be measured; what they came to is the decision, not the status.
    """
    from kronos_health.checks.probing import ProbeRequest
    from kronos_health.cli import campaigns
    from kronos_health.history.tables import benchmark_table

    _check_resume(resume, campaign)
    context = prepared_context().ignoring_blackout() if ignore_blackout else prepared_context()
    request = ProbeRequest((target,), ("eager", "compiled"), iterations)
    summary = campaigns.resume(context, campaign) if resume else campaigns.run(context, request)
    out.print(benchmark_table(summary.probes, summary.comparisons, context.settings.revisit))
    unmeasured = campaigns.status_of(summary.probes) == campaigns.COULD_NOT
    raise typer.Exit(campaigns.COULD_NOT if unmeasured else 0)


def variants_command() -> None:
    """List the named ways to run a model, and what production would have to change for each."""
    from kronos_health.cli.tables import variants_list
    from kronos_health.domain.probes import is_layer
    from kronos_health.probe.variants import BUILT_IN, from_elsewhere

    elsewhere = from_elsewhere()
    ways = (*BUILT_IN, *elsewhere.variants)
    out.print(variants_list(way for way in ways if not is_layer(way.name)))
    out.print("\nLayers of the compiler, for kronos-health ladder:\n", style="dim")
    out.print(variants_list(way for way in ways if is_layer(way.name)))
    for problem in elsewhere.problems:
        out.print(f"not usable: {problem}", style="yellow", highlight=False, markup=False)


def _check_resume(resume: bool, campaign: str, asked: bool = False) -> None:
    if campaign and not resume:
        raise typer.BadParameter(
            f"{campaign!r} is taken for a campaign to go on with: add --resume", param_hint="CAMPAIGN"
        )
    if resume and asked:
        raise typer.BadParameter(
            "a campaign goes on by its stored plan: leave out the other options", param_hint="--resume"
        )


def _some(names: Names) -> tuple[str, ...] | None:
    return tuple(names) or None
