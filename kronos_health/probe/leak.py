"""Does memory grow with every prediction? A process that serves for days would run out of it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from itertools import pairwise

from kronos_health.domain.probes import Prediction

LEAK_MB = 25.0  # per prediction: allocators keep a few MiB for themselves, and no healthy Kronos came near it
FEWEST_STEPS = 2  # one step may be a buffer made once; the same again after it is not


def leaked_mb(predictions: Iterable[Prediction], compiled_in: Container[int] = ()) -> float | None:
    """MiB that memory grew by with each prediction at least, resident or on the device; ``None``: no leak is seen.

    Every step counts, and the least of them decides. Steps during which torch compiled say nothing (compiling keeps
    memory, once), and neither does the first prediction, which has none before it.
    """
    made = sorted(predictions, key=lambda one: one.index)
    steps = [pair for pair in pairwise(made) if pair[1].index not in compiled_in]
    found = [
        _least([(a.device_mb, b.device_mb) for a, b in steps]),
        _least([(a.rss_mb, b.rss_mb) for a, b in steps]),
    ]
    return max((least for least in found if least is not None and least >= LEAK_MB), default=None)


def _least(steps: Sequence[tuple[float | None, float | None]]) -> float | None:
    grown = [after - before for before, after in steps if before is not None and after is not None]
    return min(grown) if len(grown) == len(steps) >= FEWEST_STEPS else None
