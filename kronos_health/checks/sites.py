"""Running one probe where its candidate says: what cannot be made there is an outcome like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from kronos_health.checks import candidates
from kronos_health.checks.context import Context
from kronos_health.domain.campaigns import Measured
from kronos_health.domain.probes import Failure, Outcome, ProbeRecord, ProbeResult, ProbeSpec
from kronos_health.probe.kept import KeepingProblem, MakingStopped, NotHere
from kronos_health.probe.progress import Progress, ProgressListener
from kronos_health.probe.supervisor import IterationListener, run_probe
from kronos_health.probe.variants import find_variant
from kronos_health.store import probe_history
from kronos_health.store.database import reading

TRIED_AGAIN_AFTER = timedelta(hours=1)  # a campaign that is resumed later tries again to make what failed


def run_on_site(
    context: Context,
    campaign_id: str,
    spec: ProbeSpec,
    keep: IterationListener,
    on_progress: ProgressListener | None,
    should_stop: Callable[[], bool],
    earlier: Measured,
) -> ProbeResult:
    """Supervise the probe in its candidate's environment, or say why that is not there."""
    started_at, settings = context.now(), context.settings

    def say(text: str) -> None:
        if on_progress is not None:
            on_progress(Progress.of_preparation(spec, text))

    try:
        with _site(context, campaign_id, spec, say, should_stop) as site:
            return run_probe(
                spec,
                find_variant(spec.variant),
                site.target,
                settings.probe,
                settings.state_dir,
                context.clock,
                on_progress=on_progress,
                on_iteration=keep,
                should_stop=should_stop,
                holding=site.locks,
                earlier=earlier,
            )
    except MakingStopped:
        outcome, failure, reason = Outcome.SKIPPED, None, "stopped on request while its environment was made"
    except NotHere as problem:
        outcome, failure, reason = Outcome.SKIPPED, Failure(NotHere.__name__, str(problem)), str(problem)
    except KeepingProblem as problem:
        outcome, failure, reason = Outcome.WORKER_ERROR, Failure(KeepingProblem.__name__, str(problem)), None
    return ProbeResult(spec, outcome, started_at, context.now(), None, (), failure, skipped_reason=reason)


@contextmanager
def _site(
    context: Context, campaign_id: str, spec: ProbeSpec, say: Callable[[str], None], should_stop: Callable[[], bool]
) -> Iterator[candidates.Site]:
    with reading(context.engine) as connection:
        earlier = probe_history.probes_of_campaign(connection, campaign_id)
    _refuse_again(spec, [record for record in earlier if context.now() - record.started_at < TRIED_AGAIN_AFTER])
    with candidates.entered(context, spec.target, spec.candidate, say, should_stop) as site:
        yield site


def _refuse_again(spec: ProbeSpec, earlier: Iterable[ProbeRecord]) -> None:
    """What could not be made for one variant is not tried again for the next: pip may take an hour to fail."""
    for record in earlier:
        if (record.target, record.candidate) == (spec.target, spec.candidate) and record.failure is not None:
            if record.failure.error_class == NotHere.__name__:
                raise NotHere(record.failure.message)
            if record.failure.error_class == KeepingProblem.__name__:
                raise KeepingProblem(record.failure.message)
