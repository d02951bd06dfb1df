"""The first check: the DAGs themselves, started one after the other over REST, and the verdict that comes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kronos_health.airflow_plugin.serving.rest import Airflow, AirflowAway, Run
from kronos_health.airflow_plugin.serving.state import Layout
from kronos_health.airflow_plugin.serving.terminal import Terminal, Waiting

NOTE = "first check of kronos-health up"
LEFT_OVER = "ended with the kronos-health up that ran it"

PROBE = "kronos_compile_probe"
# What is in one group does not wait for each other; the decision comes last, when everything has been looked at.
STEPS: tuple[tuple[str, dict[str, str]], ...] = (
    ("Looking upstream and into the logs", {"kronos_upstream_watch": "upstream", "kronos_log_scan": "logs"}),
    ("Probing", {PROBE: "probe"}),
    ("Weighing the criteria", {"kronos_revisit": "decision"}),
)
QUESTION = "kronos_switch"  # its runs wait for a person, without a process: they outlive an `up`
OTHERS = (
    "kronos_log_alarm",
    "kronos_alert_delivery",
    "kronos_digest",
    "kronos_doctor",
    "kronos_housekeeping",
    QUESTION,
)
DAG_IDS = (*(dag_id for _, dags in STEPS for dag_id in dags), *OTHERS)

FRESH = timedelta(hours=24)  # younger evidence is not probed again by a second start; the nightly DAG goes on
_POLL_SECONDS = 1.0
_SILENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class FirstCheck:
    """Drives the DAGs of the Airflow behind ``airflow``; ``alive`` raises when its processes are gone."""

    airflow: Airflow
    terminal: Terminal
    layout: Layout
    alive: Callable[[], None]

    def end_left_overs(self) -> None:
        """Close runs that an earlier ``up`` left running: their processes are gone, and only one may be active."""
        for run in self.airflow.unfinished(dag_id for dag_id in DAG_IDS if dag_id != QUESTION):
            if run.state == "running":
                self.airflow.fail(run, LEFT_OVER)

    def run(self) -> bool:
        """Run the steps; true when every run of them succeeded. Raises ``AirflowAway``."""
        fine = True
        for what, dags in STEPS:
            if PROBE in dags and (probed := self._fresh_evidence()):
                self.terminal.say(f"  ✓ Probed {probed}; the next probe is the nightly one, or by hand", "green")
                continue
            fine &= self._step(what, dags)
        return fine

    def verdict(self) -> list[str]:
        """The newest decision of every target, in its own words; not those that were only imported."""
        decisions = [target["decision"] for target in self.airflow.health_page()["targets"]]
        return [decision["sentence"] for decision in decisions if decision and not decision["imported"]]

    def _step(self, what: str, dags: dict[str, str]) -> bool:
        runs = [self._start(dag_id) for dag_id in dags]
        with self.terminal.waiting(what) as waiting:
            ended = self._wait(runs, dags, waiting)
        failed = [run for run in ended if run.state != "success"]
        for run in failed:
            self.terminal.say(f"    {run.dag_id} failed: {self._why(run)}", "bold red")
        return not failed

    def _start(self, dag_id: str) -> Run:
        """A run to wait for: the one its schedule has just started, else a new one."""
        running = self.airflow.unfinished([dag_id])
        return running[0] if running else self.airflow.trigger(dag_id, NOTE)

    def _wait(self, runs: Sequence[Run], names: dict[str, str], waiting: Waiting) -> list[Run]:
        answered = time.monotonic()
        while True:
            self.alive()
            try:
                runs = [run if run.over else self.airflow.run(run.dag_id, run.run_id) for run in runs]
                open_runs = [run for run in runs if not run.over]
                if not open_runs:
                    return list(runs)
                waiting("; ".join(self._doing(run, names[run.dag_id]) for run in open_runs))
                answered = time.monotonic()
            except AirflowAway:  # a machine with two cores can be slow to answer while it compiles
                if time.monotonic() - answered > _SILENCE_SECONDS:
                    raise
            time.sleep(_POLL_SECONDS)

    def _doing(self, run: Run, name: str) -> str:
        """What a run does now: its running tasks, and the newest line of the probe's own progress."""
        tasks = self.airflow.tasks(run)
        now = datetime.now(UTC)
        doing = [
            task.label + (f" since {(now - task.started_at).seconds} s" if task.started_at else "")
            for task in tasks
            if task.state == "running"
        ]
        if run.dag_id == PROBE and (line := last_progress(self._run_logs(run))):
            probes = [task for task in tasks if task.label.partition(" ")[0].rpartition(".")[2] == "probe"]
            done = sum(1 for task in probes if task.state in {"success", "failed"})
            return f"{done} of {len(probes)} probes done · {line}"
        return f"{name}: {', '.join(doing) or 'waiting for its turn'}"

    def _why(self, run: Run) -> str:
        failed = [task.label for task in self.airflow.tasks(run) if task.state == "failed"]
        return f"{', '.join(failed) or 'no task says why'}; see {self._run_logs(run)}"

    def _run_logs(self, run: Run) -> Path:
        return self.layout.logs / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"

    def _fresh_evidence(self) -> str | None:
        """When the newest finished measured probe ended, in words, if it is younger than :data:`FRESH`."""
        probes = [probe for target in self.airflow.health_page()["targets"] for probe in target["probes"]]
        moments = [
            _moment(probe) for probe in probes if probe["kind"] == "measured" and probe["outcome"] not in _NOTHING
        ]
        newest = max(moments, default=None)
        age = datetime.now(UTC) - newest if newest else FRESH
        return f"{age.total_seconds() / 3600:.1f} h ago" if age < FRESH else None


_NOTHING = {None, "skipped", "worker_error", "lost"}  # these say nothing of the model


def _moment(probe: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(probe["started_at"])


def last_progress(run_logs: Path) -> str | None:
    """The newest progress line in the logs of a run's probe tasks, which Airflow writes as JSON lines."""
    files = sorted(run_logs.glob("task_id=*probe/**/*.log"), key=lambda path: path.stat().st_mtime)
    if not files:
        return None
    for line in reversed(files[-1].read_bytes()[-8192:].splitlines()):
        try:
            event = str(json.loads(line)["event"])
        except (ValueError, KeyError, TypeError):
            continue
        if ": iteration " in event:
            return event
    return None
