"""Check: one pass over everything, and one sentence with an exit status.

0: production follows the decision, its logs are clean, evidence is fresh. 1: something wants attention: drift, a check
of the logs that went wrong, any other finding of severity warning or above since the deployment, an open alert of that
severity. 2: something could not be checked, logs of which nothing was read since the deployment among it. EAGER is no
ill health; Kronos that did not run is none (it runs when forced or when Toto is unavailable); missing CUDA evidence is
stated on every pass, and alone is no reason for 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kronos_health.alerts.heartbeat import Pings
from kronos_health.checks import attention
from kronos_health.checks.baseline import import_shipped
from kronos_health.checks.context import Context
from kronos_health.checks.delivering import deliver
from kronos_health.checks.probing import ProbeRequest, last_probe_at, probe
from kronos_health.checks.revisiting import revisit
from kronos_health.checks.scanning import scan
from kronos_health.checks.verifying import Verification, verify
from kronos_health.checks.watching import watch
from kronos_health.domain.alerts import AlertKind
from kronos_health.domain.probes import ProbeKind
from kronos_health.domain.revisit import Decision
from kronos_health.history.facts import AlertFacts
from kronos_health.history.words import counted, stamp
from kronos_health.probe.progress import ProgressListener

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict of one pass. ``notes`` are worth knowing and no reason for concern."""

    decisions: tuple[Decision, ...]
    attention: tuple[str, ...]
    could_not: tuple[str, ...]
    notes: tuple[str, ...] = ()
    settings_seen: bool = True  # production's settings are watched at all
    unanswered: int = 0  # deployment checks that the logs do not answer
    admissible: bool = True  # fresh evidence of every target was measured on CUDA

    @property
    def exit_status(self) -> int:
        """2 before 1: a check that could not look must not be taken for one that found something."""
        return 2 if self.could_not else 1 if self.attention else 0

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        said = " ".join(decision.sentence for decision in self.decisions) or "No decision could be weighed."
        state = {
            0: self._well,
            1: f"{len(self.attention)} {'thing wants' if len(self.attention) == 1 else 'things want'} attention.",
            2: f"{len(self.could_not)} {'thing' if len(self.could_not) == 1 else 'things'} could not be checked.",
        }[self.exit_status]
        return f"{said} {state}"

    @property
    def _well(self) -> str:
        """Only what was seen to be so."""
        follows = "Production follows the decision" if self.settings_seen else "Production's settings are not watched"
        logs = "its logs are clean"
        if self.unanswered:
            logs = f"its logs show nothing wrong, but do not answer {self.unanswered} of the 4 checks"
        evidence = "the evidence is fresh" if self.admissible else "the evidence is fresh, but CPU only: not admissible"
        return f"{follows}, {logs}, and {evidence}."


@dataclass
class _Found:
    attention: list[str] = field(default_factory=list)
    could_not: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    drifting: set[str] = field(default_factory=set)  # places whose drift is told
    unread: set[str] = field(default_factory=set)  # logs whose problem is told
    unanswered: int = 0


def check(context: Context, on_progress: ProgressListener | None = None, say: Say = lambda _line: None) -> Health:
    """Watch, scan, probe where evidence is stale, weigh, tell. ``say`` is told what is being done."""
    pings = Pings(context.settings.heartbeat, "check")
    pings.start()
    found = _Found()
    import_shipped(context)
    say("Looking upstream and at production's settings …")
    _watch(context, found)
    for name in sorted(context.settings.sources):
        say(f"Scanning {name} …")
        _scan(context, name, found)
    _probe(context, on_progress, say, found)
    decisions = revisit(context)
    _verify(context, found)
    say("Delivering messages …")
    _deliver(context, found)
    health = _health(context, decisions, found)
    refused = pings.end(health.exit_status != 2, health.sentence)
    return replace(health, notes=(*health.notes, refused)) if refused else health


def _health(context: Context, decisions: tuple[Decision, ...], found: _Found) -> Health:
    stale_after = timedelta(days=context.settings.revisit.stale_after_days)
    without = [item for item in decisions if _is_stale(item.evidence_at, stale_after, context)]
    found.notes += [_without_evidence(item) for item in without]
    production = context.settings.production
    return Health(
        decisions=decisions,
        attention=tuple(found.attention),
        could_not=tuple(found.could_not),
        notes=tuple(found.notes),
        settings_seen=bool(production.env_file or production.process),
        unanswered=found.unanswered,
        admissible=not without,
    )


def _without_evidence(decision: Decision) -> str:
    if decision.evidence_at is None:
        return f"no CUDA evidence for {decision.target}: what a CPU measures is shown, and not admissible"
    return f"the newest CUDA evidence for {decision.target} is of {decision.evidence_at:%Y-%m-%d}: too old to count"


def _watch(context: Context, found: _Found) -> None:
    seen = watch(context)
    for drift in seen.drifts:
        actual = "is not set" if drift.actual is None else f"is {drift.actual}"
        found.attention.append(f"{drift.key} in {drift.where} {actual}; the decision says {drift.expected}")
        found.drifting.add(drift.where)
    # No network is plain "unknown": said, and no failure. Production's own settings unseen are a check not made.
    for unknown in seen.unknowns:
        (found.could_not if unknown in seen.unseen else found.notes).append(f"{unknown.subject}: {unknown.reason}")
    found.notes += [f"{release.package} {release.version} is out and not yet probed" for release in seen.releases]


def _scan(context: Context, name: str, found: _Found) -> None:
    done = scan(context, name)
    if done.problem:
        found.could_not.append(f"the log {name}: {done.problem}")
        found.unread.add(name)
    if done.gaps:
        found.attention.append(f"{counted(done.gaps, 'part')} of {name} vanished unread")


def _verify(context: Context, found: _Found) -> None:
    if not context.settings.sources:
        found.could_not.append("no log is configured: add a [sources.NAME] table")
        return
    bounds, sources = context.settings.bounds, context.settings.sources
    verification = verify(context)
    checks, findings = verification.checks, verification.findings
    found.attention += attention.of_logs(checks, findings, bounds)
    found.unanswered = len(verification.unknown)
    _unanswered(verification, found)
    untold = [
        alert
        for alert in verification.alerts
        if not attention.is_told(alert, checks, findings, sources) and not _is_told(alert, found)
    ]
    found.attention += attention.of_alerts(untold)


def _unanswered(verification: Verification, found: _Found) -> None:
    """Kronos runs only when forced or Toto is unavailable: that it says nothing is no failure. Unread logs are one."""
    for answer in verification.unknown:
        if answer.number > 2:
            found.notes.append(f"{answer.check_name}: the logs do not say")
    unread = [answer for answer in verification.unknown if answer.number <= 2]
    if unread and not found.unread:
        since = f" since the deployment of {stamp(unread[0].since)}" if unread[0].since else ""
        parts = [part.source for part in unread[0].by_source if part.state == "unknown"]
        which = f"of {', '.join(parts)} " if parts else ""
        found.could_not.append(f"the logs: nothing new {which}was there to read{since}")


def _is_told(alert: AlertFacts, found: _Found) -> bool:
    """Whether this pass has said it already: drift that stands, a log that cannot be read."""
    if alert.kind == AlertKind.SETTINGS_DRIFT:
        return alert.key in found.drifting
    return alert.kind == AlertKind.CHECKER_UNHEALTHY and alert.key.removeprefix("source/") in found.unread


def _probe(context: Context, on_progress: ProgressListener | None, say: Say, found: _Found) -> None:
    stale_after = timedelta(days=context.settings.revisit.stale_after_days)
    targets = tuple(
        name for name in context.settings.probe.targets if _is_stale(last_probe_at(context, name), stale_after, context)
    )
    if not targets:
        say("The evidence is fresh: nothing is probed.")
        return
    say(f"Probing {', '.join(targets)}: a fresh process per iteration, each loading and compiling anew …")
    campaign = probe(context, ProbeRequest(targets=targets), on_progress)
    for record in campaign.probes:
        if record.outcome is None or record.outcome.about_the_model:
            continue
        why = record.skipped_reason or (record.failure.message if record.failure else "no reason given")
        found.could_not.append(f"the probe of {record.target} {record.variant}: {record.outcome.value}, {why}")
    eager = [record for record in campaign.probes if record.variant == "eager" and record.kind is ProbeKind.MEASURED]
    found.attention += [
        f"{record.target} does not run eager: {record.outcome.value}"
        for record in eager
        if record.outcome and record.outcome.about_the_model and record.passed < record.requested
    ]


def _is_stale(at: datetime | None, stale_after: timedelta, context: Context) -> bool:
    return at is None or context.now() - at > stale_after


def _deliver(context: Context, found: _Found) -> None:
    delivered = deliver(context)
    found.attention += [f"the channel {name} is refused; its messages are kept" for name in delivered.disabled_channels]
    if delivered.dead:
        given_up = f"{counted(delivered.dead, 'message')} {'was' if delivered.dead == 1 else 'were'} given up"
        found.attention.append(f"{given_up}; see kronos-health alerts")
