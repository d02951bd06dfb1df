"""From an overwritten output to what keeps it: the diagnosis that a failed rehearsal gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .failures import Frame, frame_in_stack
from .graph_pool import PoolOutput
from .keepers import attributes_of

MOST_LEAKS = 20


@dataclass(frozen=True)
class Refusal:
    """A read that failed. ``reader`` is the compiled callable that read, ``None`` for eager code; ``argument`` the
    parameter it came through; ``variable`` where eager code had it; ``place`` the line."""

    output: PoolOutput
    reader: str | None
    argument: str | None
    variable: str | None
    place: Frame | None


@dataclass(frozen=True)
class Leak:
    """An output of a graph that outlived it.

    ``keeper`` is ``parked`` (the compiled code itself put it on the target; ``kept_by`` is the path), ``attribute``
    (other code put there what the compiled code returned), ``handoff`` (``kept_by`` is the parameter of the compiled
    callable ``reader``), ``variable`` (of a function of the target), ``forecast`` (what ``predict`` returned) or
    ``unknown``. ``read`` says that reading it failed, or that it was found changed; the others are held in
    the same way and would be next.
    """

    read: bool
    producer: str
    output: int
    shape: str
    frame: Frame | None
    keeper: str
    kept_by: str
    reader: str | None
    read_at: Frame | None

    def fields(self) -> dict[str, Any]:
        """As the event tells it."""
        return asdict(self)


def describe(
    refusal: Refusal | None,
    changed: Sequence[PoolOutput],
    taken: Iterable[PoolOutput],
    target: Any,
    names: Sequence[str],
) -> list[Leak]:
    """What was read or changed first, then what attributes hold besides; at most :data:`MOST_LEAKS`."""
    read = [refusal.output] if refusal else list(changed)
    others = [output for output in taken if all(output.key != one.key for one in read)]
    attributes = attributes_of(target, {output.key for output in (*read, *others)})
    leaks = []
    for output in (*read, *others):
        is_read = output in read
        if not is_read and output.key not in attributes:
            continue  # only passing through: a variable that nobody may look at again
        keeper, kept_by = _keeper(output, attributes, refusal if is_read else None)
        leaks.append(
            Leak(
                read=is_read,
                producer=names[output.function] if output.function < len(names) else "",
                output=output.index,
                shape=output.shape,
                frame=frame_in_stack(output.stack),
                keeper=keeper,
                kept_by=kept_by,
                reader=refusal.reader if refusal and is_read else None,
                read_at=refusal.place if refusal and is_read else None,
            )
        )
    return leaks[:MOST_LEAKS]


def _keeper(output: PoolOutput, attributes: dict[int, str], refusal: Refusal | None) -> tuple[str, str]:
    if output.key in attributes:
        return "attribute" if output.returned else "parked", attributes[output.key]
    if refusal is None:
        return "forecast", "the forecast that predict() returned"
    if refusal.argument is not None:
        return "handoff", refusal.argument
    if refusal.variable is not None:
        return "variable", refusal.variable
    if refusal.reader is None and refusal.place is None:  # only the worker itself looked, as whoever gets a forecast
        return "forecast", "the forecast that predict() returned"
    return "unknown", ""
