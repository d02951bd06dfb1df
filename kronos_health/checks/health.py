"""Check: one pass over everything, and one sentence with an exit status.

0: production follows the decision, its logs are clean, evidence is fresh. 1: something wants attention. 2: something
could not be checked. EAGER is no ill health; missing CUDA evidence is stated, and alone is no reason for 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kronos_health.alerts.heartbeat import ping
from kronos_health.checks.baseline import import_shipped
from kronos_health.checks.context import Context
from kronos_health.checks.delivering import deliver
from kronos_health.checks.probing import ProbeRequest, last_probe_at, probe
from kronos_health.checks.revisiting import revisit
from kronos_health.checks.scanning import scan
from kronos_health.checks.verifying import verify
from kronos_health.checks.watching import watch
from kronos_health.domain.probes import ProbeKind
from kronos_health.domain.revisit import Decision
from kronos_health.probe.progress import ProgressListener

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict of one pass. ``notes`` are worth knowing and no reason for concern."""

    decisions: tuple[Decision, ...]
    attention: tuple[str, ...]
    could_not: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """2 before 1: a check that could not look must not be taken for one that found something."""
        return 2 if self.could_not else 1 if self.attention else 0

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        said = " ".join(decision.sentence for decision in self.decisions) or "No decision could be weighed."
        state = {
            0: "Production follows the decision, its logs are clean and the evidence is fresh.",
            1: f"{len(self.attention)} {'thing wants' if len(self.attention) == 1 else 'things want'} attention.",
            2: f"{len(self.could_not)} {'thing' if len(self.could_not) == 1 else 'things'} could not be checked.",
        }[self.exit_status]
        return f"{said} {state}"


@dataclass
class _Found:
    attention: list[str] = field(default_factory=list)
    could_not: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check(context: Context, on_progress: ProgressListener | None = None, say: Say = lambda _line: None) -> Health:
    """Watch, scan, probe where evidence is stale, weigh, tell. ``say`` is told what is being done."""
    ping(context.settings.heartbeat, "start")
    found = _Found()
    import_shipped(context)
    say("Looking upstream and at production's settings …")
    _watch(context, found)
    for name in sorted(context.settings.sources):
        say(f"Scanning {name} …")
        _scan(context, name, found)
    _verify(context, found)
    _probe(context, on_progress, say, found)
    decisions = revisit(context)
    say("Delivering messages …")
    _deliver(context, found)
    health = Health(decisions, tuple(found.attention), tuple(found.could_not), tuple(found.notes))
    refused = ping(context.settings.heartbeat, "fail" if health.exit_status == 2 else "success", health.sentence)
    if refused:
        health = Health(decisions, health.attention, health.could_not, (*health.notes, refused))
    return health


def _watch(context: Context, found: _Found) -> None:
    seen = watch(context)
    for drift in seen.drifts:
        actual = "is not set" if drift.actual is None else f"is {drift.actual}"
        found.attention.append(f"{drift.key} in {drift.where} {actual}; the decision says {drift.expected}")
    # No network is plain "unknown": said, and no failure. Production's own settings unseen are a check not made.
    for unknown in seen.unknowns:
        (found.could_not if unknown in seen.unseen else found.notes).append(f"{unknown.subject}: {unknown.reason}")
    found.notes += [f"{release.package} {release.version} is out and not yet probed" for release in seen.releases]


def _scan(context: Context, name: str, found: _Found) -> None:
    done = scan(context, name)
    if done.problem:
        found.could_not.append(f"the log {name}: {done.problem}")
    if done.gaps:
        found.attention.append(f"{done.gaps} parts of {name} vanished before they were read")


def _verify(context: Context, found: _Found) -> None:
    if not context.settings.sources:
        found.could_not.append("no log is configured: add a [sources.NAME] table")
        return
    for answer in verify(context).checks:
        if answer.state == "bad":
            found.attention.append(f"{answer.check_name}: {answer.bad:,} against, of {answer.count:,} records")
        elif answer.state == "unknown":
            found.notes.append(f"{answer.check_name}: the logs do not say")


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
    devices = {record.environment.device for record in campaign.probes if record.environment}
    if devices == {"cpu"}:
        found.notes.append("no CUDA here: what was measured on the CPU is shown, and not admissible as evidence")
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
        found.attention.append(f"{delivered.dead} messages were given up; see kronos-health alerts")
