"""What does the harness cost? Eager Kronos under the supervisor against a bare script, on this machine's CPU.

1. **Latency inside.** A pair is one fresh iteration under the supervisor and one fresh process of
   ``support/bare_kronos.py``, one right after the other, which goes first changing from pair to pair. A run's figure is
   the median of its predictions but the first; bound: harness / bare at most 1.02 (median over pairs).
2. **Cost of a campaign.** ``kronos-health probe --iterations 10`` from the command line to its exit, with its database,
   against the bare script started ten times in a row. Bound on wall time: at most 1.15.

The bare script has the interpreter, the model code, seeds, windows, threads, environment (OMP_WAIT_POLICY included) and
priority (nice, SCHED_BATCH, a session of its own) of a probe's child, and nothing of its code. Both must forecast the
same values to the last bit, or nothing is compared. The processes of the first kind of pair are timed as a whole too,
for a finer look at the second bound.

Exit status 1 when a bound is broken beyond noise: when even the lower end of the median's interval (the sign test's,
95 %) lies above it. With fewer than five pairs nothing is decided. Processor time is printed beside wall time, since
what else the machine does hardly changes it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from benchmarks.support import machine
from benchmarks.support.paired import Ratios, Verdict, ratios
from kronos_health.domain.probes import EvaluationSpec, Outcome, ProbeSpec
from kronos_health.probe.environment import child_environment
from kronos_health.probe.supervisor import run_probe
from kronos_health.probe.variants import find_variant
from kronos_health.probe.workplace import workplace
from kronos_health.settings.models import Probe, Target

ROOT = Path(__file__).resolve().parents[1]
SERIES = ROOT / "examples/production/ETHUSD.csv"
BARE = ROOT / "benchmarks/support/bare_kronos.py"
LATENCY_BOUND, CAMPAIGN_BOUND = 1.02, 1.15
CAMPAIGN_ITERATIONS = 10
NICE = Probe().nice
One = TypeVar("One")
Other = TypeVar("Other")
_COMMAND = "import sys; from kronos_health.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the wall clock, and of all processors together (own and ended children's)."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Run:
    """One fresh process: milliseconds and value of each forecast, and what it all cost."""

    latencies_ms: tuple[float, ...]
    values: tuple[float | None, ...]
    cost: Cost

    @property
    def steady_ms(self) -> float:
        """Median of all but the first."""
        return statistics.median(self.latencies_ms[1:])


class Bench:
    """The two ways to run one model, in a folder of their own."""

    def __init__(self, folder: Path, size: str, predictions: int, threads: int | None) -> None:
        self.folder, self.size, self.predictions, self.threads = folder, size, predictions, threads

    def harness(self) -> Run:
        """One iteration of a probe; raises ``RuntimeError`` when it did not pass."""
        spec = ProbeSpec(
            "kronos", "eager", iterations=1, predictions=self.predictions, evaluation=EvaluationSpec(csv=str(SERIES))
        )
        probe = Probe(device="cpu", threads=self.threads, nice=NICE)
        target = Target(size=self.size)
        result, cost = costing(
            lambda: run_probe(spec, find_variant("eager"), target, probe, self.folder, lambda: datetime.now(UTC))
        )
        if result.outcome is not Outcome.PASSED:
            raise RuntimeError(f"the probe ended as {result.outcome}: {result.failure or result.skipped_reason}")
        made = result.iterations[0].predictions
        return Run(tuple(one.latency_ms for one in made), tuple(one.value for one in made), cost)

    def bare(self, iteration: int = 0, predictions: int | None = None) -> Run:
        """One process of the bare script."""
        words = ["--size", self.size, "--csv", str(SERIES), "--iteration", str(iteration)]
        words += ["--predictions", str(predictions or self.predictions), "--threads", str(self.threads or 0)]
        with workplace(self.folder) as (folders, _lock):
            environment = child_environment(os.environ, folders) | {"OMP_WAIT_POLICY": "PASSIVE"}
            done, cost = costing(
                lambda: subprocess.run(
                    [sys.executable, str(BARE), *words], env=environment, cwd=folders.scratch, check=True,
                    capture_output=True, text=True, start_new_session=True, preexec_fn=stand_back,
                )
            )  # fmt: skip
        said = json.loads(done.stdout)
        return Run(tuple(said["latencies_ms"]), tuple(said["values"]), cost)

    def campaign(self) -> Cost:
        """The whole command, to the end of its process."""
        lines = [f'state_dir = "{self.folder}"', "[probe]", 'device = "cpu"', f"predictions = {Probe().predictions}"]
        lines += [f"threads = {self.threads}"] if self.threads else []
        lines += [f'[probe.evaluation]\ncsv = "{SERIES}"', f'[targets.kronos]\nsize = "{self.size}"']
        settings = self.folder / "kronos_health.toml"
        settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
        words = ["probe", "--variant", "eager", "--no-rehearse", "--iterations", str(CAMPAIGN_ITERATIONS)]
        environment = os.environ | {"KRONOS_HEALTH_CONFIG": str(settings)}
        command = [sys.executable, "-c", _COMMAND, *words]
        return costing(
            lambda: subprocess.run(command, env=environment, cwd=self.folder, check=True, capture_output=True)
        )[1]

    def by_hand(self) -> Cost:
        """The bare script, as often as the campaign has iterations."""
        runs = [self.bare(index, Probe().predictions).cost for index in range(CAMPAIGN_ITERATIONS)]
        return Cost(sum(run.wall for run in runs), sum(run.cpu for run in runs))


def stand_back() -> None:
    """The priority of a probe's child: a measurement beside a busy machine would show it otherwise."""
    os.nice(NICE)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def costing(work: Callable[[], One]) -> tuple[One, Cost]:
    """What ``work`` returns, and what it took here and in the processes that ended meanwhile."""
    wall, cpu = time.monotonic(), processor_seconds()
    result = work()
    return result, Cost(time.monotonic() - wall, processor_seconds() - cpu)


def processor_seconds() -> float:
    """Of this process and all its ended descendants."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def alternating(number: int, one: Callable[[], One], other: Callable[[], Other]) -> tuple[One, Other]:
    """Both, the first one first in every second pair: what drifts does not favour either."""
    if number % 2 == 0:
        return one(), other()
    second = other()
    return one(), second


def latencies(bench: Bench, pairs: int) -> tuple[Ratios, Ratios]:
    """Print a line per pair; the ratios of steady latencies, and of the processes' wall times."""
    print(f"{'pair':>4}  {'harness':>9} {'bare':>9}  ratio   {'process':>8} {'bare':>8}  ratio   cpu ratio")
    inside, around = [], []
    for number in range(pairs):
        harness, bare = alternating(number, bench.harness, bench.bare)
        if harness.values != bare.values:
            raise RuntimeError(f"the two do not forecast the same: {harness.values} and {bare.values}")
        inside.append(harness.steady_ms / bare.steady_ms)
        around.append(harness.cost.wall / bare.cost.wall)
        print(
            f"{number + 1:>4}  {harness.steady_ms:>6.1f} ms {bare.steady_ms:>6.1f} ms  {inside[-1]:.3f}   "
            f"{harness.cost.wall:>6.2f} s {bare.cost.wall:>6.2f} s  {around[-1]:.3f}   "
            f"{harness.cost.cpu / bare.cost.cpu:.3f}",
            flush=True,
        )
    return ratios(inside), ratios(around)


def campaigns(bench: Bench, pairs: int) -> tuple[Ratios, Ratios]:
    """Print a line per pair; the ratios of wall time and of processor time."""
    print(f"{'pair':>4}  {'campaign':>9} {'by hand':>9}  ratio   {'campaign':>9} {'by hand':>9}  cpu ratio")
    wall, cpu = [], []
    for number in range(pairs):
        ours, theirs = alternating(number, bench.campaign, bench.by_hand)
        wall.append(ours.wall / theirs.wall)
        cpu.append(ours.cpu / theirs.cpu)
        print(
            f"{number + 1:>4}  {ours.wall:>7.1f} s {theirs.wall:>7.1f} s  {wall[-1]:.3f}   "
            f"{ours.cpu:>7.1f} s {theirs.cpu:>7.1f} s  {cpu[-1]:.3f}",
            flush=True,
        )
    return ratios(wall), ratios(cpu)


def main() -> int:
    """Measure both bounds; 1 when one is broken beyond noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, help="pairs of one iteration and one bare process")
    parser.add_argument("--campaigns", type=int, default=5, help="pairs of a campaign and ten bare processes")
    parser.add_argument("--size", choices=("tiny", "mini"), default="mini")
    parser.add_argument("--predictions", type=int, default=12, help="in each process of a pair")
    parser.add_argument("--threads", type=int, default=None, help="of torch, in both; default: torch's own choice")
    asked = parser.parse_args()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="probe-overhead-") as folder:
        bench = Bench(Path(folder), asked.size, asked.predictions, asked.threads)
        print(f"Kronos-{asked.size} eager on {machine.processor()}, {machine.load()}")
        bench.harness(), bench.bare()  # files into memory, and the interpreter's one answer to the supervisor
        if asked.pairs:
            inside, around = latencies(bench, asked.pairs)
            print(f"latency inside the harness / bare: {inside.told(LATENCY_BOUND)}")
            print(f"one process / bare (no bound of its own): {around.told(CAMPAIGN_BOUND)}\n")
            verdicts.append(inside.verdict(LATENCY_BOUND))
        if asked.campaigns:
            wall, cpu = campaigns(bench, asked.campaigns)
            print(f"campaign of {CAMPAIGN_ITERATIONS} / by hand, wall time: {wall.told(CAMPAIGN_BOUND)}")
            print(f"campaign of {CAMPAIGN_ITERATIONS} / by hand, processor time: {cpu.told(CAMPAIGN_BOUND)}")
            verdicts.append(wall.verdict(CAMPAIGN_BOUND))
        print(f"At the end: {machine.load()}")
    return 1 if Verdict.BROKEN in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
