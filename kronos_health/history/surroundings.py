"""What stands around the verdict on the status screen: logs, upstream, settings, alerts, delivery, checks.

What is well is said in one line together; only what is not gets lines of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from kronos_health.history import words
from kronos_health.history.columns import cut, one_line
from kronos_health.history.facts import AlertFacts, ChannelFacts, FindingFacts, SourceFacts, StatusView

_SEVERITY_STYLE = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
_LABEL_WIDTH = 9
_SHOWN_ALERTS = 4
_SHOWN_DRIFT = 3
_SHOWN_KINDS = 4


def surroundings(view: StatusView) -> Table:
    """A label for each part that has something to say, and the rest under "Well"."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=_LABEL_WIDTH, no_wrap=True, style="bold")
    table.add_column(ratio=1)
    well: list[str] = []
    for label, lines in (
        ("Logs", _logs(view, well)),
        ("Upstream", _upstream(view)),
        ("Settings", _drift(view, well)),
        ("Alerts", _alerts(view, well)),
        ("Delivery", _delivery(view, well)),
        ("Checks", _pulse(view, well)),
    ):
        for index, line in enumerate(lines):
            table.add_row(label if index == 0 else "", cut(line))
    if well:
        table.add_row("Well", Text(" · ".join(well), style="green"))
    return table


def _logs(view: StatusView, well: list[str]) -> Iterator[Text]:
    if not view.sources:
        yield Text("no log has been scanned: unknown", style="yellow")
    days = (view.at - view.findings_since).days
    clean = [source for source in view.sources if _is_clean(source)]
    for source in view.sources:
        if source not in clean:
            yield from _log(source, view, days)
    if clean:
        names = ", ".join(source.source for source in clean)
        oldest = min(source.last_scanned_at for source in clean if source.last_scanned_at)
        well.append(f"{names} read {words.ago(oldest, view.at)}, nothing of concern in {days} days")


def _is_clean(source: SourceFacts) -> bool:
    seen = source.last_scanned_at is not None and not source.problem and not source.lag_bytes and not source.gaps
    return seen and not source.earlier and not _serious(source)


def _serious(source: SourceFacts) -> list[FindingFacts]:
    return [found for found in source.findings if found.severity != "info"]


def _log(source: SourceFacts, view: StatusView, days: int) -> Iterator[Text]:
    doubtful = source.problem or source.last_scanned_at is None or source.lag_bytes or source.gaps
    yield Text.assemble(f"{source.source} ", (words.source_state(source, view.at), "yellow" if doubtful else ""))
    serious = _serious(source)
    if serious:
        yield _kinds(f"in {days} days", serious, view)
    elif source.earlier:
        yield _kinds(f"none in {days} days; before that", source.earlier, view)
    elif not source.problem and source.last_scanned_at:
        yield Text(f"  nothing of concern in {days} days", style="green")


def _kinds(when: str, findings: list[FindingFacts] | tuple[FindingFacts, ...], view: StatusView) -> Text:
    shown = [f"{found.signature} ×{found.findings:,}" for found in findings[:_SHOWN_KINDS]]
    more = len(findings) - len(shown)
    shown += [f"{words.counted(more, 'more kind')}"] if more else []
    last = max(found.last_at for found in findings)
    style = _SEVERITY_STYLE.get(findings[0].severity, "")  # the gravest comes first
    return one_line(f"  {when}, last {words.ago(last, view.at)}: ", (", ".join(shown), style))


def _upstream(view: StatusView) -> Iterator[Text]:
    known = [
        f"{release.package} {release.version}{', new ' + words.ago(release.seen_at, view.at) if release.news else ''}"
        for release in view.releases
    ]
    known += [f"{commit.repository} {commit.ref} {commit.revision[:10]}" for commit in view.commits]
    unknown = [look for look in view.looks if look.unknown_since and not look.of_settings]
    if known:
        yield Text(" · ".join(known))
    for look in unknown:
        yield Text(f"{look.subject} unknown since {words.stamp(look.unknown_since)}: {look.reason}", style="yellow")
    if not known and not unknown:
        yield Text("never looked at: unknown", style="yellow")


def _drift(view: StatusView, well: list[str]) -> Iterator[Text]:
    for drift in view.drift[:_SHOWN_DRIFT]:
        actual = "is missing" if drift.actual is None else f"is {drift.actual}"
        text = f"{drift.place}: {drift.key} {actual}, expected {drift.expected}, {words.age(drift.seen_at, view.at)}"
        yield Text(text, style="red")
    more = len(view.drift) - _SHOWN_DRIFT
    if more > 0:
        yield Text(f"and {more} more")
    looks = [look for look in view.looks if look.of_settings]
    unknown = [look for look in looks if look.unknown_since]
    for look in unknown:
        yield Text(f"{look.subject} unknown since {words.stamp(look.unknown_since)}: {look.reason}", style="yellow")
    if not looks and not view.drift:
        yield Text("not looked at: unknown", style="yellow")
    elif not unknown and not view.drift:
        well.append("settings follow the decision")


def _alerts(view: StatusView, well: list[str]) -> Iterator[Text]:
    for alert in view.alerts[:_SHOWN_ALERTS]:
        yield _alert(alert, view)
    more = len(view.alerts) - _SHOWN_ALERTS
    if more > 0:
        yield Text(f"and {more} more: kronos-health query open_alerts")
    if not view.alerts:
        well.append("no alert is open")


def _alert(alert: AlertFacts, view: StatusView) -> Text:
    """What it is comes last: where the line ends early, since when and how often still stand."""
    frozen = ", cannot be seen now" if alert.unknown_since else ""
    quiet = "".join(f", {why}" for why in words.quietly(alert))
    state = f"{alert.state} {words.age(alert.since, view.at)}, ×{alert.occurrences:,}{frozen}{quiet}: "
    return one_line(state, (alert.title, _SEVERITY_STYLE.get(alert.severity, "")))


def _delivery(view: StatusView, well: list[str]) -> Iterator[Text]:
    if not view.channels:
        yield Text("nothing sent yet")
    for channel in view.channels:
        line, is_well = _channel(channel, view)
        if is_well:
            well.append(line)
        else:
            yield Text(line, style="red" if channel.dead or channel.disabled_at else "yellow")


def _channel(channel: ChannelFacts, view: StatusView) -> tuple[str, bool]:
    parts = [f"{channel.sent:,} sent"]
    if channel.waiting:
        parts.append(f"{channel.waiting:,} waiting for {words.age(channel.oldest_waiting_at, view.at)}")
    if channel.unknown:
        parts.append(f"{channel.unknown:,} being looked up")
    if channel.dead:
        parts.append(f"{channel.dead:,} given up")
    if channel.disabled_at:
        parts.append(f"OFF: {channel.disabled_reason}")
    return f"{channel.channel}: {', '.join(parts)}", len(parts) == 1


def _pulse(view: StatusView, well: list[str]) -> Iterator[Text]:
    """Every subject of a check counts for itself: one log that is read does not speak for those that are not."""
    if not view.pulse:
        yield Text("none has run yet")
        return
    fine = [pulse for pulse in view.pulse if pulse.verdict == "ok"]
    for pulse in view.pulse:
        if pulse.verdict == "ok":
            continue
        name = f"{pulse.check_name} {pulse.subject}" if pulse.subject else pulse.check_name
        verdict = pulse.verdict or "not finished"
        why = f": {pulse.message}" if pulse.message else ""
        yield one_line(f"{name} {words.ago(pulse.started_at, view.at)} ", (verdict, "yellow"), why)
    if fine:
        newest = max(pulse.started_at for pulse in fine)
        well.append(f"{words.counted(len(fine), 'check')} ok, the last {words.ago(newest, view.at)}")
