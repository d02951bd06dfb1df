"""A watched log in a folder, and a store in memory that takes what a scan commits as strictly as the real one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kronos_health.domain.logs import Finding, Gap, Generation, Sample, ScanResult, Tally
from kronos_health.logs.catalogue import Catalogue, built_in
from kronos_health.logs.scanner import Clocks, scan_source
from kronos_health.settings.models import Logs, Source

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REUSE = "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run."
ADVICE = (
    "To prevent overwriting, clone the tensor outside of torch.compile() or call "
    "torch.compiler.cudagraph_mark_step_begin() before each model invocation."
)


THEN = datetime(2025, 10, 30, 9, 8, 9, tzinfo=UTC)


def line(message: str, level: str = "INFO", at: datetime = THEN) -> str:
    """A line as the watched program writes it: three clocks and a coloured level."""
    clocks = f"{at:%Y-%m-%d %H:%M:%S} UTC | 2025-10-30 05:08:09 EDT | 2025-10-30 22:08:09 NZDT"
    return f"{clocks} | trade_stock_e2e.py:main:3043 \x1b[31m{level}\x1b[0m | {message}\n"


def reuse(name: str, at: datetime = THEN) -> str:
    """A whole event of graph reuse: the program's line, a traceback with carets, torch's message over several lines."""
    return line(f"Kronos could not forecast {name}", "ERROR", at) + (
        "Traceback (most recent call last):\n"
        '  File "/srv/trading/src/models/kronos_wrapper.py", line 512, in predict_series\n'
        "    forecast = predictor.predict_batch(frames, stamps)\n"
        "               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        f'RuntimeError: {REUSE} Stack trace: File "/srv/trading/model/kronos.py", line 276, in decode_s1\n'
        "    x = self.norm(x)\n"
        '  File "/srv/trading/model/module.py", line 261, in forward\n'
        f"    return output * self.weight. {ADVICE}\n"
    )


@dataclass
class Memory:
    """Keeps what scans commit, and refuses what the database would refuse."""

    generations: dict[str, Generation] = field(default_factory=dict)
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    samples: list[tuple[str, Sample]] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def apply(self, result: ScanResult) -> None:
        assert set(self.generations) == set(result.known)
        for generation in result.generations:
            if generation.id in result.previous:
                assert self.generations[generation.id].version == result.previous[generation.id]
            else:
                assert generation.id not in self.generations
            self.generations[generation.id] = generation
        self.findings += result.findings
        places = [(identifier, item.start_offset, item.signature) for identifier, item in self.findings]
        assert len(set(places)) == len(places)
        self.samples += result.samples
        self.tallies += result.tallies
        self.gaps += result.gaps


class Watched:
    """A log called ``trade.log`` in ``folder``, as its program and its rotation treat it, and the scans of it."""

    def __init__(self, folder: Path, **logs: object) -> None:
        self.folder, self.path = folder, folder / "trade.log"
        # Without waiting for quiet, the last record of a log has ended as soon as its last line has.
        self.logs = Logs.model_validate({"idle_seconds": 0, **logs})
        self.source = Source(path=str(self.path))
        self.memory = Memory()
        self.now = NOW

    def write(self, text: str | bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def rename(self, name: str = "trade.log.1") -> None:
        self.path.rename(self.folder / name)

    def scan(self, catalogue: Catalogue | None = None, **options: object) -> ScanResult:
        """One scan whose result is kept."""
        self.now += timedelta(minutes=5)
        known = tuple(self.memory.generations.values())
        result = scan_source(
            "trade", self.source, self.logs, catalogue or built_in(), known, self.now, host="here", **options
        )  # type: ignore[arg-type]
        self.memory.apply(result)
        return result

    def busy_scan(self) -> ScanResult:
        """A scan while the program is writing: the last record may still go on."""
        self.logs = self.logs.model_copy(update={"idle_seconds": 1000.0})
        result = self.scan(clocks=Clocks(sleep=self._touch))
        self.logs = self.logs.model_copy(update={"idle_seconds": 0.0})
        return result

    def _touch(self, _seconds: float) -> None:
        for path in self.folder.iterdir():
            os.utime(path)

    def found(self, signature: str = "graph_reuse") -> list[str]:
        """First lines of the stored findings of one signature, in the order they were stored."""
        found = [item for _, item in self.memory.findings if item.signature == signature]
        return [item.record.split("\n", 1)[0].rsplit(" ", 1)[-1] for item in found]

    def wait_for(self, done: Callable[[], bool], scans: int = 20) -> None:
        """Scan until ``done``."""
        for _ in range(scans):
            if done():
                return
            self.scan()
        raise AssertionError("never done")
