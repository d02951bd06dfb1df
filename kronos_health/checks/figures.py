"""Figures: hold those of a campaign's passing probes against their series, keep what is said, and tell of steps."""

from __future__ import annotations

from kronos_health.alerts import recording
from kronos_health.checks.context import Context
from kronos_health.checks.observations import figures as observations
from kronos_health.domain.figures import FigureSeries, FigureVerdict
from kronos_health.revisit.regression import judge
from kronos_health.store import figures as store
from kronos_health.store.database import reading, writing


def watch_figures(context: Context, campaign_id: str) -> dict[FigureSeries, FigureVerdict]:
    """The newest verdict of every series to which the campaign added.

    What has been said of a point is not said again: running it twice changes nothing. Points that no one has judged
    yet, of probes from before figures were watched or of a campaign that was killed, are judged now.
    """
    with reading(context.engine) as connection:
        series = store.series_of_campaign(connection, campaign_id)
    judged = {one: judge(points, one.figure, context.settings.regression) for one, points in series.items()}
    with writing(context.engine) as connection:
        now = context.now()
        store.record_verdicts(connection, judged, now)
        seen = [seen for one, verdicts in judged.items() for seen in observations.of_series(one, verdicts)]
        recording.record(connection, seen, context.settings, now)
    return {one: verdicts[-1] for one, verdicts in judged.items()}
