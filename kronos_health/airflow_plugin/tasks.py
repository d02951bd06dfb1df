"""What each task does: open the history, call one use case, say in the log what came of it, return a reference.

XCom carries ids and counts, never results: those are rows. Parameters that default to ``None`` are filled by Airflow
from the task's context.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kronos_health.airflow_plugin.settings import task_settings
from kronos_health.domain.candidates import PRODUCTION

if TYPE_CHECKING:
    from kronos_health.checks.context import Context

log = logging.getLogger(__name__)
_RUN_ID = re.compile(r"[^A-Za-z0-9_.~:+-]")  # what Airflow refuses in a run's id
Summary = dict[str, Any]


@contextmanager
def opened(dag_run: Any) -> Iterator[Context]:
    """A context of the use cases for the task of ``dag_run``.

    What trying again cannot mend (settings, schema, an unknown name) becomes ``AirflowFailException`` with its one
    line; a database that is away for a moment, or a probe that a process elsewhere may still hold, stays what it is, so
    that Airflow tries again.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from kronos_health.airflow_plugin.storage import open_storage
    from kronos_health.checks.campaigns import ProbeHeld
    from kronos_health.checks.context import Origin, open_context
    from kronos_health.checks.errors import CheckError
    from kronos_health.settings.errors import SettingsError
    from kronos_health.store.errors import CursorMoved, DatabaseUnreachable, StoreError, SwitchMoved

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it introduces itself at every look at the schema
    try:
        context = open_context(task_settings().settings, Origin("dag run", dag_run.dag_id, dag_run.run_id))
        context = replace(context, open_storage=open_storage)
        try:
            yield context
        finally:
            context.engine.dispose()
    except (DatabaseUnreachable, CursorMoved, SwitchMoved, ProbeHeld):
        raise
    except (SettingsError, StoreError, CheckError) as error:
        raise AirflowFailException(str(error)) from error


def begin(dag_run: Any = None) -> str:
    """Open a campaign and return its id; a cleared task goes on with the one its run has not finished."""
    from kronos_health.checks.asked_probes import begun
    from kronos_health.checks.probing import start_campaign

    with opened(dag_run) as context:
        begun(context, dag_run.run_id)
        return str(start_campaign(context))


def plan(
    targets: list[str], campaign_id: str, params: Mapping[str, Any] | None = None, dag_run: Any = None
) -> list[Summary]:
    """The probes to run on this worker: of the targets asked for in the form, those in ``targets``.

    They become the campaign's plan; planning again, in a cleared task, returns the same. What their candidates need is
    made here, before a GPU is waited for.
    """
    from kronos_health.airflow_plugin.specs import to_json
    from kronos_health.checks import candidates
    from kronos_health.checks.campaigns import planned
    from kronos_health.checks.probing import ProbeRequest, plan_probes

    asked = dict(params or {})
    with opened(dag_run) as context:
        chosen = asked.get("targets") or context.settings.probe.targets
        mine = tuple(name for name in chosen if name in targets)
        if not mine:
            log.info("None of the targets asked for (%s) belongs to this queue.", ", ".join(chosen))
            return []
        request = ProbeRequest(
            targets=mine,
            variants=tuple(asked.get("variants") or ()) or None,
            iterations=asked.get("iterations"),
            rehearse={"always": True, "never": False}.get(asked.get("rehearse", "")),
            candidates=_places(asked),
        )
        specs = planned(context, campaign_id, plan_probes(context, request))
        for problem in candidates.prepare(context, [(spec.target, spec.candidate) for spec in specs], log.info):
            log.warning("%s", problem)
    for spec in specs:
        log.info("%s %s, %s, %d iterations", spec.target, spec.variant, spec.kind.value, spec.iterations)
    return [to_json(spec) for spec in specs]


def _places(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Production's environment, unless only candidates are wanted, and the candidates."""
    chosen = tuple(asked.get("candidates") or ())
    return (*((PRODUCTION,) if asked.get("production", True) or not chosen else ()), *chosen)


def finish(campaign_id: str, dag_run: Any = None) -> str:
    """Close the campaign and compare its probes."""
    from kronos_health.checks.asked_probes import ended
    from kronos_health.checks.probing import finish_campaign

    with opened(dag_run) as context:
        done = finish_campaign(context, campaign_id)
        ended(context, dag_run.run_id, done)
    for probe in done.probes:
        outcome = probe.outcome.value if probe.outcome else "not finished"
        log.info(
            "%s %s (%s): %s, %d of %d",
            probe.target,
            probe.variant,
            probe.kind.value,
            outcome,
            probe.passed,
            probe.requested,
        )
    for comparison in done.comparisons:
        log.info("Beside eager: accuracy %s, %s", comparison.accuracy.value, comparison.accuracy_reason)
    for trial in done.trials:
        log.info("%s with %s: %s. %s", trial.target, trial.candidate, trial.verdict, trial.explanation)
    return campaign_id


def scan(source: str, dag_run: Any = None) -> Summary:
    """Scan one source from where the last scan stopped."""
    from kronos_health.checks.scanning import scan as scan_source

    with opened(dag_run) as context:
        done = scan_source(context, source)
    if done.problem:
        log.warning("%s could not be read: %s", source, done.problem)
    log.info("%s: %d lines, %d bytes read", source, done.counts.lines, done.counts.bytes)
    for signature, count in sorted(done.findings_by_signature.items()):
        log.info("%s: %s ×%d", source, signature, count)
    found = sum(done.findings_by_signature.values())
    return {"source": source, "scan_id": done.scan_id, "findings": found, "news": bool(done.serious or done.gaps)}


def answer_hits(
    sources: list[str],
    hits: str,
    dag_run: Any = None,
    triggering_asset_events: Any = None,
    asset_state_store: Any = None,
) -> Summary:
    """Scan the logs that the follower woke for, and send what follows, all in this one task: starts cost seconds.

    ``hits`` names the asset that it updates. Events are wake-ups only, some of a burst are dropped: the tickets of its
    last calls stand in the asset's state, where the ones answered are written beside them. A run by hand scans all
    ``sources``. Skipped, which wakes nobody, when nothing new was found.
    """
    from airflow.sdk import Asset
    from airflow.sdk.exceptions import AirflowSkipException

    from kronos_health.airflow_plugin.triggers import Calls
    from kronos_health.checks.following import answer

    calls = Calls.read(asset_state_store, Asset(hits), triggering_asset_events)
    names = calls.open(sources) if triggering_asset_events else tuple(sources)
    if not names:
        raise AirflowSkipException("an earlier run has answered already")
    with opened(dag_run) as context:
        done = answer(context, names)
    for one in done.scans:
        found = ", ".join(f"{name} ×{count}" for name, count in sorted(one.findings_by_signature.items()))
        log.info("%s: %s", one.source, one.problem or found or "nothing of what was looked for")
    sent = sum(delivery.sent for delivery in done.deliveries)
    log.info("%d messages sent, %d waiting", sent, done.deliveries[-1].waiting)
    calls.answer(names)
    if not done.news:
        raise AirflowSkipException("nothing new: nobody is woken")
    return {"sources": list(names), "sent": sent}


def watch(dag_run: Any = None) -> Summary:
    """Look for new torch releases, Kronos revisions, drift of production's settings, and deployments."""
    from kronos_health.checks.watching import watch as watch_upstream

    with opened(dag_run) as context:
        seen = watch_upstream(context)
    counts = {kind: len(getattr(seen, kind)) for kind in ("releases", "revisions", "drifts", "deployments", "unknowns")}
    for unknown in seen.unknowns:
        log.warning("%s is unknown: %s", unknown.subject, unknown.reason)
    log.info("New: %s", ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return {**counts, "news": any(counts[kind] for kind in ("releases", "revisions", "drifts", "deployments"))}


def order_trials(dag_run: Any = None) -> list[Summary]:
    """The trials of news to start now, each as the arguments of the task that starts it."""
    from kronos_health.checks.trials import order

    with opened(dag_run) as context:
        orders = order(context)
    for one in orders:
        log.info("%s is tried (attempt %d): %s", one.candidate, one.attempt, ", ".join(one.variants))
    return [
        {
            "trigger_run_id": f"trial__{_RUN_ID.sub('-', one.candidate)}__{one.attempt}",
            "conf": {
                "targets": list(one.targets),
                "variants": list(one.variants),
                "candidates": [one.candidate],
                "production": False,
            },
        }
        for one in orders
    ]


def order_asked(dag_run: Any = None) -> list[Summary]:
    """The probes that people asked for and nobody has taken, each as the arguments of the task that starts it."""
    from kronos_health.checks.asked_probes import RUN_PREFIX, waiting

    with opened(dag_run) as context:
        found = waiting(context)
    for asked in found:
        log.info("%s asked for a probe of %s", asked.who, asked.target or "the targets in the settings")
    return [
        {
            "trigger_run_id": f"{RUN_PREFIX}{asked.id}",
            "conf": {"targets": [asked.target] if asked.target else []},
        }
        for asked in found
    ]


def announce(seen: Iterable[Any]) -> None:
    """Succeed, and so update the asset, when there is news in ``seen``; otherwise be skipped, which wakes nobody."""
    from airflow.sdk.exceptions import AirflowSkipException

    if not any(summary.get("news") for summary in _flat(seen)):
        raise AirflowSkipException("nothing new: nobody is woken")


def _flat(seen: Any) -> Iterator[Summary]:
    """Summaries out of lists of lists; a task that failed or was skipped left none."""
    if isinstance(seen, Mapping):
        yield dict(seen)
    elif seen is not None:
        for inner in seen:
            yield from _flat(inner)


def revisit(dag_run: Any = None) -> Summary:
    """Weigh the four criteria of every target anew, from the database; news is a proposal that waits for a person."""
    from kronos_health.checks.revisiting import revisit as decide
    from kronos_health.checks.switching import listed, waiting

    with opened(dag_run) as context:
        decisions = decide(context)
        proposed = waiting(listed(context)) is not None
    for decision in decisions:
        log.info("%s", decision.sentence)
    return {"decisions": [f"{decision.target}: {decision.mode.value}" for decision in decisions], "news": proposed}


def ask(dag_run: Any = None) -> Summary:
    """The proposal that this run asks a person about; skipped, with all that follows, where none waits."""
    from airflow.sdk.exceptions import AirflowSkipException

    from kronos_health.checks.observations.switch import of_proposal
    from kronos_health.checks.switch_file import by_hand_because
    from kronos_health.checks.switch_words import question
    from kronos_health.checks.switching import claim

    with opened(dag_run) as context:
        proposal = claim(context, dag_run.run_id, insist=dag_run.run_type == "manual")
        if proposal is None:
            raise AirflowSkipException("no proposal waits for an answer, or another run asks about it")
        body = question(proposal, context.settings, by_hand_because(context.settings, proposal))
    return {"switch_id": proposal.switch_id, "subject": of_proposal(proposal).title, "body": body}


def take_answer(asked: Mapping[str, Any], given: Mapping[str, Any], dag_run: Any = None) -> str:
    """Store the person's answer and act on it; what became of the proposal. Trying again repeats nothing."""
    from kronos_health.checks.observations.switch import outcome
    from kronos_health.checks.switching import answer, release

    chosen = given["chosen_options"]
    if chosen not in (["Approve"], ["Reject"]):
        log.info("Nobody answered yet: the next run asks again.")
        with opened(dag_run) as context:
            release(context, dag_run.run_id)
        return "not answered"
    who = given.get("responded_by_user") or {}
    reason = str((given.get("params_input") or {}).get("reason") or "").strip()
    with opened(dag_run) as context:
        done = answer(
            context,
            chosen == ["Approve"],
            str(who.get("name") or who.get("id") or "somebody in Airflow"),
            reason or ("" if chosen == ["Approve"] else "no reason given in Airflow"),
            asked["switch_id"],
        )
        said = outcome(done)
    log.info("%s", said)
    return done.state.value


def deliver(dag_run: Any = None) -> Summary:
    """Send the messages that are due; what cannot be sent now stays in the outbox."""
    from kronos_health.checks.delivering import deliver as send

    with opened(dag_run) as context:
        done = send(context)
    for channel in done.disabled_channels:
        log.warning("The channel %s is refused and disabled; its messages are kept.", channel)
    log.info("%d sent, %d failed, %d waiting, %d given up", done.sent, done.failed, done.waiting, done.dead)
    return {"sent": done.sent, "failed": done.failed, "waiting": done.waiting, "dead": done.dead}


def digest(dag_run: Any = None) -> None:
    """Write the weekly digest into the outbox."""
    from kronos_health.checks.digesting import digest as summarise

    with opened(dag_run) as context:
        summarise(context)


def housekeep(dag_run: Any = None) -> None:
    """Remove rows past their retention and close probes whose process is gone."""
    from kronos_health.checks.housekeeping import housekeep as tidy

    with opened(dag_run) as context:
        done = tidy(context)
    log.info("%d lost probes closed, %d runs never ended", len(done.lost_probes), len(done.stuck_checks))
    log.info("Removed %s, and %d messages", done.forgotten, done.forgotten_messages)
    for removed in done.removed_candidates:
        log.info("Removed %s (%.0f MB): %s", removed.name, removed.size_mb, removed.reason)


def doctor() -> Summary:
    """Look at the checker itself, raise alerts, ping the heartbeat address; fails where the checker cannot work.

    Without :func:`opened`: a database that is away is what this one is to find, and to say outside.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from kronos_health.airflow_plugin.asking import ask_airflow
    from kronos_health.checks import doctor as checkups
    from kronos_health.settings.errors import SettingsError

    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        loaded = task_settings()
    except SettingsError as error:
        raise AirflowFailException(str(error)) from error
    settings = loaded.settings

    def ask() -> checkups.AirflowFigures:
        return ask_airflow(settings.state_dir, loaded.path, settings.doctor.airflow_timeout_seconds)

    checkup = checkups.tell(settings, ask, loaded.origins)
    for line in checkup.lines:
        level = logging.INFO if line.standing in {"ok", "not asked"} else logging.WARNING
        log.log(level, "%s: %s: %s%s", line.standing.value, line.subject, line.what, _next(line.next_step))
    log.info("%s", checkup.sentence)
    if any(line.subject in {"database", "schema"} and line.standing == "failed" for line in checkup.lines):
        raise AirflowFailException(checkup.first_concern)
    return {"exit_status": checkup.exit_status, "sentence": checkup.sentence}


def _next(step: str) -> str:
    return f". Next: {step}" if step else ""


def report_failures(ti: Any = None) -> None:
    """Fail, naming the tasks that failed."""
    from airflow.sdk.exceptions import AirflowFailException

    states: Mapping[str, Any] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    failed = sorted(task_id for task_id, state in states.items() if str(state) in {"failed", "upstream_failed"})
    raise AirflowFailException(
        f"the checker, not the model, failed in: {', '.join(failed) or 'a task of this run'}. Its log says why."
    )
