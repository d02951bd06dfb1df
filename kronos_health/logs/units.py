"""Units of numbers in logs: what a line writes, in the unit that is stored."""

from __future__ import annotations

# Factors to the stored unit. Memory is counted as torch prints it, whose MB and GB are 1024-based.
_FACTORS: dict[str, dict[str, float]] = {
    "ms": {
        "ms": 1.0, "msec": 1.0, "msecs": 1.0, "millisecond": 1.0, "milliseconds": 1.0,
        "s": 1e3, "sec": 1e3, "secs": 1e3, "second": 1e3, "seconds": 1e3,
        "us": 1e-3, "µs": 1e-3, "microseconds": 1e-3, "min": 6e4, "minutes": 6e4,
    },
    "mb": {
        "b": 1 / 1024**2, "bytes": 1 / 1024**2, "kb": 1 / 1024, "kib": 1 / 1024,
        "mb": 1.0, "mib": 1.0, "gb": 1024.0, "gib": 1024.0,
    },
    "ratio": {"%": 0.01, "percent": 0.01},
}  # fmt: skip
UNITS = frozenset(_FACTORS)


def unit_of_metric(name: str) -> str | None:
    """The unit that a metric's name promises: ``…_ms``, ``…_mb``, ``…_return`` or ``…_ratio``; ``None``: as written."""
    for ending, unit in (("_ms", "ms"), ("_mb", "mb"), ("_return", "ratio"), ("_ratio", "ratio")):
        if name.endswith(ending):
            return unit
    return None


def convert(value: float, written: str | None, stored: str | None) -> float:
    """``value`` in the unit ``stored``; a number without a unit, or with one that is not known, stays as it is."""
    return value * factor(written, stored)


def factor(written: str | None, stored: str | None) -> float:
    """What a number in the unit ``written`` is multiplied by to be in the unit ``stored``."""
    return 1.0 if not written or stored is None else _FACTORS[stored].get(written.lower(), 1.0)
