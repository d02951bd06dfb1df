"""Trials: order a probe of each release and revision that the upstream watch sees, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from kronos_health.alerts import recording
from kronos_health.checks.context import Context
from kronos_health.checks.observations import trials as observations
from kronos_health.checks.revisiting import history_of
from kronos_health.checks.watching import KRONOS
from kronos_health.domain.candidates import PRODUCTION, parse_candidate
from kronos_health.domain.probes import ProbeRecord, is_layer
from kronos_health.domain.revisit import News, Trial, TrialOrder, TrialResult
from kronos_health.probe.candidates import unfit_because
from kronos_health.probe.variants import BUILT_IN
from kronos_health.revisit.arms import EAGER
from kronos_health.revisit.trials import judge_trial, order_trials
from kronos_health.store import probe_history
from kronos_health.store import trials as store
from kronos_health.store.database import writing


def order(context: Context) -> tuple[TrialOrder, ...]:
    """The trials of news that are to start now, noted as ordered: asking again right away gives none.

    Nothing where ``candidates.automatic`` is off. Whoever asks has to start them.
    """
    settings = context.settings
    if not settings.candidates.automatic:
        return ()
    with writing(context.engine) as connection:
        news = store.release_news(connection, settings.upstream.torch_package)
        if settings.upstream.kronos_checkout:
            news += store.revision_news(connection, KRONOS)
        probes = _probed(context, connection, news)
        orders = order_trials(
            news, probes, store.attempts(connection), trial_variants(context), settings.candidates, context.now()
        )
        store.record_orders(connection, orders, context.now())
    return orders


def trial_variants(context: Context) -> tuple[str, ...]:
    """What is tried with news: as configured, else eager, stock, and every mitigation that keeps CUDA graphs."""
    configured = context.settings.candidates.variants
    mitigations = (one.name for one in BUILT_IN if one.claims_graphs and not is_layer(one.name))
    return configured or (EAGER, *mitigations)


def tell(context: Context, connection: Connection, probes: Iterable[ProbeRecord]) -> tuple[Trial, ...]:
    """What the candidates of a finished campaign have come to; a verdict that is new becomes a message.

    A trial that decides nothing is worth a message only where the checker ordered it: people see their own.
    """
    pairs = dict.fromkeys(
        (probe.target, probe.candidate)
        for probe in probes
        if probe.candidate != PRODUCTION and probe.variant != EAGER and probe.target in context.settings.targets
    )
    ordered = {attempt.candidate for attempt in store.attempts(connection)}
    trials = tuple(
        judge_trial(history_of(context, connection, target), candidate, context.settings.revisit, context.now())
        for target, candidate in pairs
    )
    silent = (TrialResult.NOT_TRIED, TrialResult.UNDECIDED)
    worth = [trial for trial in trials if trial.candidate in ordered or trial.result not in silent]
    recording.record(connection, [observations.of_trial(trial) for trial in worth], context.settings, context.now())
    return trials


def _probed(
    context: Context, connection: Connection, news: Iterable[News]
) -> dict[tuple[str, str], tuple[ProbeRecord, ...]]:
    """What was probed of each target that fits each candidate."""
    settings = context.settings
    return {
        (target, name): probe_history.recent_probes(connection, target, candidate=name)
        for name in dict.fromkeys(item.candidate for item in news)
        for target in settings.probe.targets
        if target in settings.targets and unfit_because(parse_candidate(name), target, settings) is None
    }
