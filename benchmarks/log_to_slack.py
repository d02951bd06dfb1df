"""How long from a line written to a log until Slack has the message, through a real Airflow?

Airflow runs as ``make up`` runs it: api-server, scheduler, dag-processor and triggerer, SQLite, LocalExecutor, every
DAG on. Only ``kronos_log_scan`` is paused once all logs have been read, so that every figure is of the event-driven
path: trigger, asset event, run, task, scan, outbox, delivery, a Slack server on loopback. Each round writes a graph
reuse into a log of its own, which is an incident and a message of its own, after a pause of random length.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from benchmarks.support.machine import load, processor  # noqa: E402
from kronos_health.checks.context import open_context  # noqa: E402
from kronos_health.checks.delivering import deliver  # noqa: E402
from kronos_health.settings.loading import load_settings  # noqa: E402
from tests.support.running_airflow import Running, running_airflow  # noqa: E402
from tests.support.slack_server import CHANNEL, TOKEN, SlackServer, slack_server  # noqa: E402

AIM_SECONDS = 10.0
GIVE_UP_SECONDS = 300.0
REUSE = """\
{stamp} UTC | trade_stock_e2e.py:main:3043 ERROR | Kronos could not forecast {name}
Traceback (most recent call last):
  File "/srv/trading/src/models/kronos_wrapper.py", line 512, in predict_series
    forecast = predictor.predict_batch(frames, stamps)
RuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run.
"""
QUIET = "{stamp} UTC | trade_stock_e2e.py:main:3001 INFO | Kronos prediction completed in 4.1 s\n"


@dataclass(frozen=True, slots=True)
class Round:
    """One line's way. Moments are seconds since 1970."""

    written: float
    received: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.received - self.written


def settings_text(folder: Path, names: Sequence[str], slack: SlackServer) -> str:
    """Settings with one source per round and the loopback server as Slack."""
    sources = "".join(f'[sources.{name}]\npath = "{folder / f"{name}.log"}"\n' for name in names)
    return (
        f'state_dir = "var"\n[probe]\ndevice = "cpu"\n[targets.kronos]\nsize = "tiny"\n'
        f'[alerts]\nchannels = ["slack"]\n'
        f'[slack]\ntoken = "{TOKEN}"\nchannel = "{CHANNEL}"\nbase_url = "{slack.base_url}"\n{sources}'
    )


def append(path: Path, template: str) -> float:
    """Write one record; returns when it was written."""
    with path.open("a", encoding="utf-8") as log:
        log.write(template.format(stamp=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}", name=path.stem))
    return time.time()


def received(slack: SlackServer, name: str) -> float | None:
    """When Slack got the message about ``name``."""
    times = [float(one["ts"]) for one in list(slack.messages) if f" in {name}" in one["text"]]
    return times[0] if times else None


def measure(folder: Path, names: Sequence[str], slack: SlackServer, running: Running, gap: float) -> list[Round]:
    """All rounds, one after the other."""
    chance, rounds = random.Random(20251030), []
    for number, name in enumerate(names, start=1):
        time.sleep(chance.uniform(0.5, 2 * gap))
        running.require()
        written = append(folder / f"{name}.log", REUSE)
        while (at := received(slack, name)) is None:
            if time.time() - written > GIVE_UP_SECONDS:
                raise SystemExit(f"{name}: no message within {GIVE_UP_SECONDS:.0f} s; logs: {running.layout.logs}")
            time.sleep(0.02)
        rounds.append(Round(written, at))
        if number % 10 == 0 or number == len(names):
            print(f"{number:>4} rounds, last {rounds[-1].seconds:.2f} s, {load()}", flush=True)
    return rounds


def read_all(running: Running, config: Path) -> None:
    """Have every log read once, through the DAG: history, which pages nobody. It is also what ``up`` does first.

    Airflow's api-server takes its time over the first task that it ever hears of.
    """
    running.pause("kronos_log_scan")
    run = running.airflow.trigger("kronos_log_alarm", "by the benchmark")
    running.wait_for(lambda: running.airflow.run(run.dag_id, run.run_id).over, 900, 1.0)
    running.wait_for(lambda: "Following" in running.triggerer_log(), 300)
    context = open_context(load_settings(config).settings)
    while deliver(context, patience_seconds=60).waiting:
        running.require()
    context.engine.dispose()


STAGES = ("line → asset event", "→ run queued", "→ task queued", "→ task runs", "→ message", "task runs in all")


def stages(running: Running, rounds: Sequence[Round]) -> dict[str, list[float]]:
    """Seconds of each stage of each round, from Airflow's own record of its runs."""
    rows = running.ask(
        "select max(e.timestamp), r.queued_at, t.queued_dttm, t.start_date, t.end_date from dag_run r "
        "join task_instance t on t.dag_id = r.dag_id and t.run_id = r.run_id "
        "join dagrun_asset_event l on l.dag_run_id = r.id join asset_event e on e.id = l.event_id "
        "where r.dag_id = 'kronos_log_alarm' and t.end_date is not null group by r.id order by r.id"
    )
    runs = [[_seconds(moment) for moment in row] for row in rows]
    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for one in rounds:
        run = next((run for run in runs if run[0] > one.written), None)
        if run is None or run[3] > one.received:
            continue  # a run that was woken before found it
        moments = [one.written, *run[:4], one.received]
        for stage, begun, ended in zip(STAGES, moments, moments[1:], strict=False):
            found[stage].append(ended - begun)
        found[STAGES[-1]].append(run[4] - run[3])
    return found


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of ``values`` does not exceed."""
    return sorted(values)[max(0, -int(-len(values) * share // 1) - 1)]


def report(rounds: Sequence[Round], running: Running, slack: SlackServer, history: Path) -> int:
    """Print what was measured; 1 when the aim is missed or anything was told or stored more than once."""
    seconds = [one.seconds for one in rounds]
    p50, p95 = quantile(seconds, 0.5), quantile(seconds, 0.95)
    print(f"\nline written → message received, {len(seconds)} rounds")
    print(f"  p50 {p50:.2f} s   p95 {p95:.2f} s   fastest {min(seconds):.2f} s   slowest {max(seconds):.2f} s")
    print("  where the seconds go, median and p95:")
    for stage, values in stages(running, rounds).items():
        if values:
            print(f"    {stage:<20} {statistics.median(values):>6.2f} {quantile(values, 0.95):>6.2f}")
    with sqlite3.connect(history) as connection:
        (stored,) = connection.execute("select count(*) from finding where signature = 'graph_reuse'").fetchone()
    told = sum("overwritten by a subsequent run" in one["text"] for one in slack.messages)
    print(f"  stored findings {stored}, messages {told}, breaches of Slack's rules {len(slack.problems)}")
    kept = p95 <= AIM_SECONDS and stored == told == len(rounds)
    print(f"  aim: p95 ≤ {AIM_SECONDS:.0f} s, each once: {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


def main() -> int:
    """Start everything, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--gap", type=float, default=3.0, help="mean seconds between a message and the next line")
    parser.add_argument("--state", type=Path, help="empty folder to keep everything in; default: a temporary one")
    asked = parser.parse_args()
    names = [f"log_{number:03}" for number in range(1, asked.rounds + 1)]
    print(f"{processor()}, Python {sys.version.split()[0]}, apache-airflow {version('apache-airflow')}, {load()}")
    with tempfile.TemporaryDirectory(prefix="kh-bench-") as where, slack_server() as slack:
        folder = asked.state.resolve() if asked.state else Path(where)
        config = folder / "kronos_health.toml"
        config.write_text(settings_text(folder, names, slack), encoding="utf-8")
        for name in names:
            append(folder / f"{name}.log", QUIET)
        with running_airflow(config, folder / "var") as running:
            read_all(running, config)
            print(f"Airflow runs, {len(names)} logs have been read once, {load()}", flush=True)
            rounds = measure(folder, names, slack, running, asked.gap)
            time.sleep(5)  # the last run writes its end
            return report(rounds, running, slack, folder / "var" / "kronos_health.db")


if __name__ == "__main__":
    raise SystemExit(main())
