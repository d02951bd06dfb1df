"""What the commands that probe have in common: begin or go on, show, and the exit status."""

from __future__ import annotations

from collections.abc import Iterable

from kronos_health.checks.campaigns import to_resume, unfinished
from kronos_health.checks.context import Context
from kronos_health.checks.probing import CampaignSummary, ProbeRequest, probe
from kronos_health.checks.probing import resume as resume_campaign
from kronos_health.cli.common import errors, out
from kronos_health.cli.progress import ProbeProgress
from kronos_health.domain.probes import Outcome, ProbeRecord
from kronos_health.history.tables import probe_table

ATTENTION, COULD_NOT = 1, 2


def resume(context: Context, campaign: str) -> CampaignSummary:
    """Go on with a campaign; without an id, with the newest unfinished one."""
    standing = to_resume(context, campaign or None)
    out.print(f"Going on with {standing.line}.", highlight=False, markup=False)
    with ProbeProgress(out) as progress:
        return resume_campaign(context, standing, progress.show)


def status_of(probes: Iterable[ProbeRecord]) -> int:
    """2 before 1: a probe that could not be made must not be taken for one that found something."""
    outcomes = [record.outcome for record in probes if not record.unsupported]
    if any(outcome is None or not outcome.about_the_model for outcome in outcomes):
        return COULD_NOT
    return 0 if all(outcome is Outcome.PASSED for outcome in outcomes) else ATTENTION


def _tell_of_unfinished(context: Context) -> None:
    standing = unfinished(context)
    if standing is not None and standing.held_by:
        errors.print(
            f"{standing.line} runs now ({standing.held_by}); this starts another.", style="yellow", markup=False
        )
    elif standing is not None:
        errors.print(
            f"{standing.line} was not finished: --resume goes on with it; this starts a new one.",
            style="yellow",
            markup=False,
        )


def run(context: Context, request: ProbeRequest) -> CampaignSummary:
    """Begin a campaign, saying so where another was not finished."""
    _tell_of_unfinished(context)
    with ProbeProgress(out) as progress:
        return probe(context, request, progress.show)


def show(summary: CampaignSummary) -> None:
    """Print its probes, comparisons and trials."""
    out.print(probe_table(summary.probes, summary.comparisons))
    for trial in summary.trials:
        out.print(f"{trial.target} with {trial.candidate}: {trial.verdict}. {trial.explanation}", markup=False)
