"""A rehearsal's diagnosis in words, the same on every face: what leaks, who keeps it, what kind of change ends it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from kronos_health.domain.probes import Frame, Keeper, Leak

_NUMBER = re.compile(r"\[\d+\]")
_NAMED = 4  # so many others are named, the rest counted


def brief(leaks: Sequence[Leak]) -> str:
    """One line: the output that was read and what keeps it, then what else is kept beyond its graph."""
    if not leaks:
        return ""
    first, *others = leaks
    also = _also(other for other in others if other.kept_by != first.kept_by)
    return f"output {first.output} of {first.producer}, {_kept(first)}{also}"


def story(leaks: Sequence[Leak]) -> tuple[str, ...]:
    """Some sentences: where the output was made, what keeps it, where it was read, and what else would be next."""
    if not leaks:
        return ()
    first, *others = leaks
    made = f"{first.producer} made output {first.output} ({first.shape}){_at(first.frame)}."
    sentences = [made, f"It was {_kept(first)}{_read(first)}."]
    also = _also(other for other in others if other.kept_by != first.kept_by)
    return (*sentences, f"{also.removeprefix('; ').capitalize()}.") if also else tuple(sentences)


def advice(leaks: Iterable[Leak]) -> tuple[str, ...]:
    """What would end each cause, whatever the target is; one sentence per kind of keeper."""
    said: dict[str, None] = {}
    for leak in leaks:
        said[_advice(leak)] = None
    return tuple(text for text in said if text)


def _kept(leak: Leak) -> str:
    reader = leak.reader or "other code"
    return {
        Keeper.PARKED: f"parked as {leak.kept_by}",
        Keeper.ATTRIBUTE: f"kept as {leak.kept_by}",
        Keeper.HANDOFF: f"handed to {reader} as {leak.kept_by}",
        Keeper.VARIABLE: f"kept in the variable {leak.kept_by}",
        Keeper.FORECAST: f"kept by whoever has {leak.kept_by}",
        Keeper.UNKNOWN: "kept where this search does not reach",
    }[leak.keeper]


def _read(leak: Leak) -> str:
    if not leak.read:
        return ""
    by = leak.reader or "code that is not compiled"
    if leak.keeper is Keeper.HANDOFF:
        return f", in a new generation,{_at(leak.read_at)}" if leak.read_at else ", in a new generation"
    return f", and {by} read it after a later run{_at(leak.read_at)}"


def _at(frame: Frame | None) -> str:
    if frame is None:
        return ""
    place = "/".join(frame.file.split("/")[-2:])
    return f" at `{frame.code or frame.function}` ({place}:{frame.line})"


def _also(others: Iterable[Leak]) -> str:
    """``; also kept: model.layers[*].cos_cached (4)``: layers alike are one entry."""
    alike = Counter(_NUMBER.sub("[*]", leak.kept_by) for leak in others if leak.kept_by)
    if not alike:
        return ""
    named = [f"{name} ({count})" if count > 1 else name for name, count in list(alike.items())[:_NAMED]]
    more = len(alike) - len(named)
    return f"; also kept: {', '.join(named)}{f' and {more} more' if more else ''}"


def _advice(leak: Leak) -> str:
    match leak.keeper:
        case Keeper.PARKED:
            name = _NUMBER.sub("[*]", leak.kept_by).rpartition(".")[2]
            return f"Make {name} ahead, outside the compiled code, for instance as a buffer."
        case Keeper.HANDOFF:
            return (
                f"Clone what {leak.producer} returns, outside the compiled call, or call "
                f"torch.compiler.cudagraph_mark_step_begin() once per step, before {leak.producer}."
            )
        case Keeper.ATTRIBUTE | Keeper.VARIABLE | Keeper.FORECAST:
            return f"Clone what {leak.producer} returns, outside the compiled call, before it is kept."
        case _:
            return ""
