"""What wants attention, in lines: what speaks against the deployment checks, other findings, open alerts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from kronos_health.domain.alerts import AlertKind
from kronos_health.domain.logs import Severity
from kronos_health.history import words
from kronos_health.history.facts import AlertFacts, DeploymentCheckFacts, FindingFacts
from kronos_health.history.verification import COUNTED, against
from kronos_health.settings.models import Bounds

FAILED = "prediction_failed"
_INFERENCE = "kronos_inference_ms"
_ABOUT_A_LOG = frozenset({
    AlertKind.GRAPH_REUSE, AlertKind.LOG_ERRORS, AlertKind.LOG_GAP, AlertKind.LOG_HISTORY,
    AlertKind.NEW_ERROR, AlertKind.NO_PREDICTIONS, AlertKind.PREDICTIONS_OUT_OF_BOUNDS,
})  # fmt: skip


def of_logs(checks: Iterable[DeploymentCheckFacts], findings: Iterable[FindingFacts], bounds: Bounds) -> Iterator[str]:
    """Every bad check, then whatever else of severity warning or above the logs hold that no check counts."""
    checks = tuple(checks)
    yield from (against(check, bounds) for check in checks if check.state == "bad")
    of_kronos = sum(check.bad for check in checks if check.number == 3)
    for found in findings:
        if found.severity == Severity.INFO or found.signature in COUNTED:
            continue
        last = f"last {words.stamp(found.last_at)}"
        if found.signature != FAILED:
            yield f"{found.signature} in {found.source}: {words.counted(found.findings, 'record')}, {last}"
    others = sum(found.findings for found in findings if found.signature == FAILED) - of_kronos
    if others > 0:
        yield f"failed predictions of other models: {others:,}"


def of_alerts(alerts: Iterable[AlertFacts]) -> Iterator[str]:
    """Open alerts as lines."""
    for alert in alerts:
        blind = f"; cannot be seen since {words.stamp(alert.unknown_since)}" if alert.unknown_since else ""
        yield f"{alert.title}: {alert.state} since {words.stamp(alert.since)}{blind}"


def watched(alerts: Iterable[AlertFacts], sources: Collection[str]) -> tuple[AlertFacts, ...]:
    """Open alerts of severity warning or above; those of logs that nobody watches any more cannot end, nor count."""
    return tuple(
        alert
        for alert in alerts
        if alert.severity != Severity.INFO and ((name := _log(alert)) is None or _names(name, sources) is not None)
    )


def about_logs(alerts: Iterable[AlertFacts]) -> tuple[AlertFacts, ...]:
    """The alerts that say something of a log."""
    return tuple(alert for alert in alerts if _log(alert) is not None)


def is_told(
    alert: AlertFacts,
    checks: Iterable[DeploymentCheckFacts],
    findings: Iterable[FindingFacts],
    sources: Collection[str],
) -> bool:
    """Whether the lines of :func:`of_logs` say it already."""
    log = _log(alert)
    source = _names(log, sources) if log is not None else None
    if log is None or source is None:
        return False
    if alert.kind == AlertKind.GRAPH_REUSE:
        signature = "graph_reuse"
    elif alert.kind == AlertKind.LOG_ERRORS:
        signature = log.removeprefix(f"{source}/")
    else:
        metric = log.removeprefix(f"{source}/")
        slow = any(check.number == 4 and check.state == "bad" for check in checks)
        return alert.kind == AlertKind.PREDICTIONS_OUT_OF_BOUNDS and metric == _INFERENCE and slow
    return any((found.source, found.signature) == (source, signature) for found in findings)


def _log(alert: AlertFacts) -> str | None:
    """The part of the key that begins with a log's name; ``None`` where the alert is about something else."""
    if alert.kind in _ABOUT_A_LOG:
        return alert.key
    if alert.kind == AlertKind.CHECKER_UNHEALTHY and alert.key.startswith(("source/", "lag/")):
        return alert.key.partition("/")[2]
    return None


def _names(key: str, sources: Collection[str]) -> str | None:
    """The log that ``key`` begins with; the longest, for a name may hold a slash."""
    found = [name for name in sources if key == name or key.startswith(f"{name}/")]
    return max(found, key=len, default=None)
