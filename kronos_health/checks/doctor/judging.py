"""What the figures of the checker mean: one line each, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from kronos_health.checks.doctor.diagnosis import Checkup, Diagnosis, Standing
from kronos_health.checks.doctor.figures import (
    AirflowFigures,
    ChannelFigures,
    ClockFigures,
    DatabaseFigures,
    DiskFigures,
    Figures,
    LogFigures,
    ProbeFigures,
    RunFigures,
)
from kronos_health.checks.listener_health import Health
from kronos_health.checks.observations.commands import command
from kronos_health.history import words
from kronos_health.settings.models import Doctor, Settings

_MEGABYTE = 1_000_000
_FAILED_SHARE = 0.1  # of the free space asked for: below that the next write may fail
_NAMED = 3


def judge(figures: Figures, settings: Settings) -> Checkup:
    """Every line, in the order in which things rest on each other."""
    limits, now = settings.doctor, figures.at
    return Checkup(
        (
            *_database(figures.database, limits),
            *_schema(figures.database),
            *_disks(figures.disks, limits),
            *_logs(figures.logs, limits, now),
            *_runs(figures.runs, now),
            *_probes(figures.probes, now),
            *_channels(figures.channels, settings, now),
            *_listener(figures.listener),
            *_clock(figures.clock, limits),
            *_airflow(figures.airflow),
            *_settings(figures),
            _heartbeat(settings),
        )
    )


def _database(found: DatabaseFigures, limits: Doctor) -> Iterator[Diagnosis]:
    again = command("db", "check")
    if found.unreachable:
        yield Diagnosis("database", Standing.FAILED, found.unreachable, again)
        return
    if found.schema is None:
        return  # not there yet, or empty: the line about the schema says so
    yield Diagnosis("database", Standing.OK, f"{found.address} can be reached")
    if found.unwritable:
        note = f"after giving this user the right to write to {found.address}, and room"
        yield Diagnosis(
            "database", Standing.FAILED, f"it cannot be written: {found.unwritable}", command("doctor", note=note)
        )
    elif found.unwritable is not None:
        yield Diagnosis("database", Standing.OK, "it can be written")
    if found.damage is None:
        what = f"its integrity is not known: looking took longer than {limits.timeout_seconds:g} s"
        yield Diagnosis(
            "database", Standing.UNKNOWN, what, command("doctor", note="with a longer doctor.timeout_seconds")
        )
    elif found.damage:
        note = "after restoring a backup; stop everything that writes first"
        yield Diagnosis(
            "database", Standing.FAILED, f"it is damaged: {found.damage}", command("db", "check", note=note)
        )
    else:
        yield Diagnosis("database", Standing.OK, "a quick look found no damage")


def _schema(found: DatabaseFigures) -> Iterator[Diagnosis]:
    if found.unreachable:
        return
    if not found.schema_known:
        what = f"schema {found.schema} was made by a newer program, this one knows {found.head}"
        step = command("db", "current", note="after installing the newer program here too")
        yield Diagnosis("schema", Standing.FAILED, what, step)
    elif found.schema is None:
        yield Diagnosis("schema", Standing.FAILED, "the database is not there yet, or empty", command("db", "upgrade"))
    elif found.schema != found.head:
        what = f"schema {found.schema}, this program needs {found.head}"
        yield Diagnosis("schema", Standing.FAILED, what, command("db", "upgrade"))
    else:
        yield Diagnosis("schema", Standing.OK, f"at {found.head}, as this program needs")


def _disks(disks: tuple[DiskFigures, ...], limits: Doctor) -> Iterator[Diagnosis]:
    for disk in disks:
        if disk.free_mb is None:
            step = command("config", "check", note=f"{disk.places}: {disk.path}")
            yield Diagnosis("disk", Standing.UNKNOWN, f"{disk.places}, {disk.path}: {disk.problem}", step)
            continue
        what = f"{disk.free_mb:,.0f} MB free for {disk.places} ({disk.path})"
        if disk.free_mb >= limits.min_free_mb:
            yield Diagnosis("disk", Standing.OK, what)
            continue
        short = disk.free_mb < limits.min_free_mb * _FAILED_SHARE
        step = command("housekeeping", note=f"forgets what is past its retention; make room on the disk of {disk.path}")
        what += f"; at least {limits.min_free_mb:,.0f} MB are wanted"
        yield Diagnosis("disk", Standing.FAILED if short else Standing.ATTENTION, what, step)


def _logs(logs: tuple[LogFigures, ...] | None, limits: Doctor, now: datetime) -> Iterator[Diagnosis]:
    if logs is None:
        yield _not_known("logs", "how far they were read")
        return
    if not logs:
        yield Diagnosis("logs", Standing.NOT_ASKED, "no log is configured: add a [sources.NAME] table")
    for log in logs:
        yield _log(log, limits, now)


def _log(log: LogFigures, limits: Doctor, now: datetime) -> Diagnosis:
    step = command("scan", "--source", log.source)
    if log.last_scanned_at is None and not log.problem:
        return Diagnosis("logs", Standing.ATTENTION, f"{log.source} was never read", step)
    if log.problem:
        return Diagnosis(
            "logs", Standing.FAILED, f"{log.source} cannot be read: {log.problem}", step, told_elsewhere=True
        )
    read = f"{log.source} was read {words.ago(log.last_scanned_at, now)}"
    if log.last_scanned_at and now - log.last_scanned_at > timedelta(minutes=limits.scan_age_minutes):
        what = f"{read}, at most {limits.scan_age_minutes:g} min are allowed: nothing scans it"
        return Diagnosis("logs", Standing.ATTENTION, what, step)
    if log.lag_bytes > limits.max_lag_mb * _MEGABYTE:
        what = f"{read}, and {words.size(log.lag_bytes)} are left to read"
        return Diagnosis("logs", Standing.ATTENTION, what, step)
    left = f", {words.size(log.lag_bytes)} left" if log.lag_bytes else " to its end"
    return Diagnosis("logs", Standing.OK, read + left)


def _runs(runs: tuple[RunFigures, ...] | None, now: datetime) -> Iterator[Diagnosis]:
    if runs is None:
        yield _not_known("runs", "whether one is stuck")
        return
    if not runs:
        yield Diagnosis("runs", Standing.OK, "no run of a check is stuck")
    for run in runs:
        what = (
            f"{run.check} {run.subject}".strip()
            + f" began {words.ago(run.started_at, now)} and never ended, and none after it did"
        )
        step = command("query", "check_pulse", note="then end the process that hangs, or run the check again")
        yield Diagnosis("runs", Standing.ATTENTION, what, step, told_elsewhere=True)


def _probes(probes: tuple[ProbeFigures, ...] | None, now: datetime) -> Iterator[Diagnosis]:
    if probes is None:
        yield _not_known("probes", "whether one was lost")
        return
    if not probes:
        yield Diagnosis("probes", Standing.OK, "every probe has an outcome or is running")
        return
    first = probes[0]
    others = f", and {words.counted(len(probes) - 1, 'other')}" if len(probes) > 1 else ""
    what = (
        f"the probe of {first.target} {first.variant} that began {words.ago(first.started_at, now)}{others} "
        "has no outcome, and nobody works on it"
    )
    yield Diagnosis("probes", Standing.ATTENTION, what, command("housekeeping", note="closes them as lost"))


def _channels(channels: tuple[ChannelFigures, ...] | None, settings: Settings, now: datetime) -> Iterator[Diagnosis]:
    if channels is None:
        yield _not_known("channels", "whether messages arrive")
        return
    for channel in channels:
        yield from _channel(channel, settings, now)


def _channel(channel: ChannelFigures, settings: Settings, now: datetime) -> Iterator[Diagnosis]:
    name, well = channel.name, True
    longest = timedelta(minutes=settings.alerts.overdue_minutes)
    if channel.refused_at:
        well = False
        reason = channel.refused.rstrip(". ") or "it does not say why"
        what = f"{name} is refused since {words.stamp(channel.refused_at)}: {reason}"
        step = command("channel", "enable", name, note="after mending the reason; its messages are kept till then")
        yield Diagnosis("channels", Standing.ATTENTION, what, step, told_elsewhere=True)
    elif channel.oldest_waiting_at and now - channel.oldest_waiting_at > longest:
        well = False
        what = (
            f"{words.counted(channel.waiting, 'message')} to {name} on the way, "
            f"the oldest queued {words.ago(channel.oldest_waiting_at, now)}"
        )
        yield Diagnosis("channels", Standing.ATTENTION, what, command("deliver", note="says what holds them up"))
    if channel.given_up:
        well = False
        what = f"{words.counted(channel.given_up, 'message')} to {name} given up in {settings.doctor.dead_days:g} days"
        yield Diagnosis("channels", Standing.ATTENTION, what, command("query", "undelivered_messages"))
    if well:
        waiting = f", {words.counted(channel.waiting, 'message')} on the way" if channel.waiting else ""
        yield Diagnosis("channels", Standing.OK, f"{name} takes messages{waiting}")


def _listener(found: Health | None) -> Iterator[Diagnosis]:
    if found is None:
        return
    what = f"Slack's buttons: {found.sentence.rstrip('.').partition(': kronos-health')[0]}"
    if found.ok:
        yield Diagnosis("listener", Standing.OK, what)
    else:
        yield Diagnosis("listener", Standing.ATTENTION, what, command("slack-listen", note="or start its service"))


def _clock(found: ClockFigures, limits: Doctor) -> Iterator[Diagnosis]:
    step = command("doctor", note="after setting the clock; timedatectl says whether it follows a time server")
    for whose, ahead in (("the database's", found.ahead_of_database), ("the web address's", found.ahead_of_web)):
        if ahead is None:
            continue
        off = abs(ahead) > limits.clock_skew_seconds
        how = f"{_seconds(ahead)} {'ahead of' if ahead > 0 else 'behind'}" if off else "with"
        yield Diagnosis(
            "clock",
            Standing.ATTENTION if off else Standing.OK,
            f"this machine's goes {how} {whose}",
            step if off else "",
        )
    if found.web_problem:
        what = f"doctor.clock_url gave no time: {found.web_problem}"
        yield Diagnosis("clock", Standing.UNKNOWN, what, command("config", "check", note="doctor.clock_url"))
    elif found.ahead_of_web is None:
        yield Diagnosis("clock", Standing.NOT_ASKED, "no doctor.clock_url to hold it against")
    if found.newest_run_ahead is not None and found.newest_run_ahead > limits.clock_skew_seconds:
        what = f"the newest recorded run began {_seconds(found.newest_run_ahead)} in the future: the clock was set back"
        yield Diagnosis("clock", Standing.ATTENTION, what, step)


def _seconds(amount: float) -> str:
    return f"{abs(amount):,.0f} s"


def _airflow(found: AirflowFigures) -> Iterator[Diagnosis]:
    again = command("doctor", note="where Airflow's scheduler runs")
    if found.not_asked:
        yield Diagnosis("dags", Standing.NOT_ASKED, found.not_asked)
        return
    if found.problem:
        yield Diagnosis("dags", Standing.UNKNOWN, f"Airflow gave no answer: {found.problem}", again)
        return
    for file, error in found.unparsed:
        step = command("config", "check", note=f"a DAG file reads the settings; mend {file}")
        yield Diagnosis("dags", Standing.FAILED, f"{file} cannot be parsed: {error}", step)
    for dag_id in found.paused:
        step = command("doctor", note=f"after: airflow dags unpause {dag_id}")
        yield Diagnosis("dags", Standing.ATTENTION, f"{dag_id} is paused", step)
    missing = [dag_id for dag_id in found.expected if dag_id not in found.known]
    if missing and not found.unparsed:
        step = command("doctor", note="after pointing Airflow's dags_folder at this project's dags")
        yield Diagnosis("dags", Standing.ATTENTION, f"Airflow does not know {', '.join(missing)}", step)
    if not (found.unparsed or found.paused or missing):
        yield Diagnosis("dags", Standing.OK, f"all {len(found.known)} are parsed and on")


def _settings(figures: Figures) -> Iterator[Diagnosis]:
    problems = [problem for problem in figures.problems if not problem.key.startswith("database.")]
    for problem in problems:
        standing = Standing.FAILED if problem.is_error else Standing.ATTENTION
        yield Diagnosis("settings", standing, problem.line, command("config", "check"))
    if not problems:
        yield Diagnosis("settings", Standing.OK, "paths, interpreters, catalogue and variants can be used")


def _heartbeat(settings: Settings) -> Diagnosis:
    if settings.heartbeat.url.get_secret_value():
        return Diagnosis("heartbeat", Standing.OK, "an address is set; kronos-health doctor --tell pings it")
    return Diagnosis(
        "heartbeat", Standing.NOT_ASKED, "no heartbeat.url is set: nobody outside notices when the checker stops"
    )


def _not_known(subject: str, what: str) -> Diagnosis:
    return Diagnosis(
        subject, Standing.UNKNOWN, f"{what} is not known: the database cannot be asked", command("db", "check")
    )
