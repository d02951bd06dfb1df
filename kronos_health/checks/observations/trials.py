"""Observations of trials: what a new release or revision came to."""

from __future__ import annotations

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.candidates import candidate_words
from kronos_health.domain.logs import Severity
from kronos_health.domain.revisit import Trial, TrialResult

_MENDED = (TrialResult.FIXED_BY_DEFAULT, TrialResult.FIXED_WITH_OPT_IN)


def of_trial(trial: Trial) -> Observation:
    """One message for each verdict about a candidate; the same verdict again is no news."""
    rehearsed = "; ".join(f"{name}: {value}" for name, value in trial.rehearsed)
    return Observation(
        kind=AlertKind.CANDIDATE_TRIED,
        key=f"{trial.target}/{trial.candidate}/{trial.verdict}",
        state=ObservationState.BAD,  # "bad" only in the sense of: tell somebody
        severity=Severity.INFO,
        title=f"Compiled {trial.target} with {candidate_words(trial.candidate)}: {trial.verdict}",
        summary=trial.explanation,
        next_step=_next_step(trial),
        facts=(
            Fact("Verdict", trial.verdict),
            Fact("Candidate", trial.candidate),
            *(Fact(name, value) for name, value in trial.variants),
            *((Fact("In production's environment", trial.in_production),) if trial.in_production else ()),
            *((Fact("Rehearsed, no evidence", rehearsed),) if rehearsed else ()),
        ),
        evidence=tuple(dict.fromkeys(f"{row.table}:{row.row_id}" for row in trial.evidence)),
    )


def _next_step(trial: Trial) -> str:
    again = ("probe", "--target", trial.target, "--variant", "all", "--candidate", trial.candidate, "--no-production")
    if trial.result in _MENDED:
        note = f"for more evidence; then update production to {candidate_words(trial.candidate)}"
        return command(*again, note=note)
    if trial.result is TrialResult.STILL_BROKEN:
        return command("status", note="nothing to do until torch or Kronos changes again")
    return command(*again, note="on a host with CUDA")
