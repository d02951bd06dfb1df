"""A probe's progress on the terminal: a bar per iteration and what the child does now; plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from kronos_health.domain.probes import Outcome
from kronos_health.probe.progress import Phase
from kronos_health.probe.progress import Progress as Snapshot

_MARKS = {Outcome.PASSED: "[green]✓[/]"}


class ProbeProgress:
    """A context manager whose :meth:`show` takes the supervisor's snapshots.

    On a terminal one bar stands for each probe; where output is piped, a line is written for each ended iteration and
    each change of phase, so that a log stays readable.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal and sys.stdout.isatty()
        self._bars: dict[tuple[str, ...], TaskID] = {}
        self._last: tuple[object, ...] = ()
        self._progress = Progress(
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[marks]}"),
            TextColumn("{task.fields[doing]}", style="dim", markup=False),
            console=console,
        )

    def __enter__(self) -> ProbeProgress:
        if self._live:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._progress.stop()

    def show(self, now: Snapshot) -> None:
        """Draw one snapshot."""
        if self._live:
            self._draw(now)
        else:
            self._write(now)

    def _write(self, now: Snapshot) -> None:
        moment = (now.arm, now.regime, now.iteration, now.phase, now.detail, now.outcome)
        if moment != self._last and (now.phase is not Phase.ENDED or now.outcome is not None):
            self._last = moment
            self._console.print(now.line, highlight=False, markup=False)

    def _draw(self, now: Snapshot) -> None:
        key = (now.arm, now.regime.value)
        bar = self._bars.get(key)
        if bar is None:
            bar = self._progress.add_task("", total=now.iterations, name=now.arm, marks="", doing="")
            self._bars[key] = bar
        ended = now.iteration if now.outcome is not None else now.iteration - 1
        marks = str(self._progress.tasks[self._progress.task_ids.index(bar)].fields["marks"])
        if now.outcome is not None:
            marks += _MARKS.get(now.outcome, "[red]✗[/]")
        doing = "" if now.outcome is not None and ended == now.iterations else now.line.split(", ", 1)[-1]
        self._progress.update(bar, completed=ended, marks=marks, doing=doing)
