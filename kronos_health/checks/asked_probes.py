"""Probes that people ask for: asked once, taken by one, told when they are done.

Whoever may measure takes them: Airflow's ``kronos_compile_probe``, started by ``kronos_alert_delivery``, or a listener
that was started with ``--run-probes`` where no Airflow is. Both show the same compare-and-set, and the probe itself
asks for the GPU's lock as every probe does: two never run at once because of a button.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.probing import CampaignSummary, ProbeRequest, probe
from kronos_health.domain.conversation import AskedProbe
from kronos_health.store import asked_probes as store
from kronos_health.store.database import reading, writing

RUN_PREFIX = "asked__"  # of the DAG run that measures one
_GONE_AFTER = timedelta(hours=24)


def ask_for_probe(
    context: Context, request_id: str, who: str, via: str, target: str | None = None, at: datetime | None = None
) -> tuple[AskedProbe, bool]:
    """Ask for a probe of ``target``, or of those in the settings; the request that stands, and whether it is this one.

    ``request_id`` makes it idempotent. One that waits or runs for the same target already stands for this one too.
    """
    wanted = target if target in context.settings.targets else None
    asked = AskedProbe(request_id, at or context.now(), who, via, wanted)
    with writing(context.engine) as connection:
        standing = store.ask(connection, asked)
    return standing, standing.id == request_id


def run_waiting(context: Context) -> tuple[AskedProbe, ...]:
    """Measure, in this process and one after another, what was asked for and nobody has taken; what came of each."""
    done = []
    by = f"{socket.gethostname()[:120]}, process {os.getpid()}"
    with reading(context.engine) as connection:
        found = store.waiting(connection)
    for asked in found:
        with writing(context.engine) as connection:
            if not store.take(connection, asked.id, by, context.now()):
                continue
        _measure(context, asked)
        with reading(context.engine) as connection:
            done.append(store.by_id(connection, asked.id) or asked)
    return tuple(done)


def _measure(context: Context, asked: AskedProbe) -> None:
    campaign_id = None
    try:
        summary = probe(context, ProbeRequest(targets=(asked.target,) if asked.target else None))
        campaign_id, outcome = summary.campaign_id, in_words(summary)
    except CheckError as error:
        outcome = f"could not be made: {error}"
    except BaseException:  # Ctrl-C or SIGTERM: what was measured is stored, and people may ask again
        _finish(context, asked, "was interrupted; ask again, or: kronos-health probe --resume", campaign_id)
        raise
    _finish(context, asked, outcome, campaign_id)


def _finish(context: Context, asked: AskedProbe, outcome: str, campaign_id: str | None) -> None:
    with writing(context.engine) as connection:
        store.finish(connection, asked.id, outcome, context.now(), campaign_id)


def in_words(summary: CampaignSummary) -> str:
    """What a campaign came to, e.g. ``kronos eager: passed, 5 of 5; kronos compiled: graph_reuse, 0 of 5``."""
    parts = [
        f"{record.target} {record.variant}{' (rehearsed)' if record.kind.value == 'rehearsed' else ''}: "
        f"{record.outcome.value if record.outcome else 'not finished'}, {record.passed} of {record.requested}"
        for record in summary.probes
    ]
    return "; ".join(parts) or "nothing was to be measured"


# --- by Airflow -----------------------------------------------------------------------------------------------------


def waiting(context: Context) -> tuple[AskedProbe, ...]:
    """What nobody has taken yet. Those whose taker is gone are closed, so that people can ask again."""
    now = context.now()
    with writing(context.engine) as connection:
        store.give_up(connection, now - _GONE_AFTER, now)
        return store.waiting(connection)


def begun(context: Context, run_id: str | None) -> None:
    """A DAG run begins: where it was started for a request, it takes that.

    Raises ``CheckError`` when somebody else measures it.
    """
    request_id = _request_of(run_id)
    if request_id is None:
        return
    with writing(context.engine) as connection:
        asked = store.by_id(connection, request_id)
        if asked is None or asked.finished_at:
            return
        if not store.take(connection, request_id, f"DAG run {run_id}"[:200], context.now()):
            raise CheckError(f"the probe that {asked.who} asked for is measured by {asked.taken_by} already.")


def ended(context: Context, run_id: str | None, summary: CampaignSummary) -> None:
    """A DAG run is done: where it was started for a request, say what came of it."""
    request_id = _request_of(run_id)
    if request_id is None:
        return
    with writing(context.engine) as connection:
        store.finish(connection, request_id, in_words(summary), context.now(), summary.campaign_id)


def _request_of(run_id: str | None) -> str | None:
    return run_id.removeprefix(RUN_PREFIX) if run_id and run_id.startswith(RUN_PREFIX) else None
