"""Tells lines of known shapes by looking at many lines at once: each is a row of a matrix, and a row has a hash.

The hash only says which shape a line may have; it has it when all its bytes are those of that shape, which is
compared. So two shapes of one hash cost time (the second is looked up line by line), never a wrong answer.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from kronos_health.logs.digits import shaped
from kronos_health.logs.lines import Bytes, Positions, rows_at

UNKNOWN = -2
_WIDTHS = (128, 192, 256, 384, 512, 1024, 2048)  # bytes of a row: a line is put into the narrowest that holds it
_ROWS = 2048  # looked at together: few calls, and still in the processor's cache
_MOST = 4096  # shapes of one width: at most eight megabytes
_SEED = 20251030
Hashes = np.ndarray[Any, np.dtype[np.uint64]]


class Alike:
    """Which number belongs to the shape of a line, for as many shapes as have been told. ``kept``: see
    :func:`.digits.shapes`."""

    def __init__(self, kept: frozenset[str]) -> None:
        self._kept = kept
        self._known = [_Known(width) for width in _WIDTHS]

    def numbers(self, array: Bytes, starts: Positions, ends: Positions, *, ascii_only: bool) -> Positions:
        """The number of each line of ``array`` from ``starts`` to ``ends``; :data:`UNKNOWN` where none was told.

        Unless ``ascii_only`` says that there are no others, a line with bytes beyond ASCII is unknown.
        """
        result = np.full(len(starts), UNKNOWN, np.int64)
        lengths, narrower = ends - starts, 0
        for known in self._known:
            fits = (lengths > narrower) & (lengths <= known.width) & (starts <= len(array) - known.width)
            which = np.flatnonzero(fits)
            for begin in range(0, len(which), _ROWS):
                some = which[begin : begin + _ROWS]
                lines = known.own(rows_at(array, starts[some], known.width), lengths[some])
                found = known.numbers(shaped(lines, self._kept))
                if not ascii_only:
                    found[lines.max(axis=1) > 127] = UNKNOWN
                result[some] = found
            narrower = known.width
        return result

    def tell(self, shapes: dict[bytes, int]) -> None:
        """Remember the numbers of ``shapes``, none of which was told before."""
        narrower = 0
        for known in self._known:
            known.tell({shape: number for shape, number in shapes.items() if narrower < len(shape) <= known.width})
            narrower = known.width


class _Known:
    """The shapes of lines of at most ``width`` bytes, in the order of their hashes."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._hashes: Hashes = np.empty(0, np.uint64)
        self._words: Hashes = np.empty((0, width // 8), np.uint64)
        self._numbers: Positions = np.empty(0, np.int64)

    def own(self, lines: Bytes, lengths: Positions) -> Bytes:
        """``lines`` with zeros instead of what follows them."""
        words = lines.view(np.uint64)
        words &= _own_bytes(self.width)[lengths].view(np.uint64).reshape(words.shape)
        return lines

    def numbers(self, shapes: Bytes) -> Positions:
        words = shapes.view(np.uint64)
        if not len(self._hashes):
            return np.full(len(words), UNKNOWN, np.int64)
        at = np.minimum(np.searchsorted(self._hashes, self._hash(words)), len(self._hashes) - 1)
        same = (words == self._words[at]).all(axis=1)
        return np.where(same, self._numbers[at], UNKNOWN)

    def tell(self, shapes: dict[bytes, int]) -> None:
        if not shapes or len(self._hashes) + len(shapes) > _MOST:
            return
        padded = b"".join(shape.ljust(self.width, b"\0") for shape in shapes)
        words = np.concatenate([self._words, np.frombuffer(padded, np.uint64).reshape(len(shapes), -1)])
        numbers = np.append(self._numbers, list(shapes.values()))
        self._hashes, first = np.unique(self._hash(words), return_index=True)
        self._words, self._numbers = words[first], numbers[first]

    def _hash(self, words: Hashes) -> Hashes:
        hashes: Hashes = np.einsum("ij,j->i", words, _weights(self.width))
        return hashes


@cache
def _own_bytes(width: int) -> Any:
    """By a line's length, which bytes of its row are its own."""
    return (np.tri(width + 1, width, -1, np.uint8) * np.uint8(255)).view(f"V{width}").reshape(-1)


@cache
def _weights(width: int) -> Hashes:
    return np.random.default_rng(_SEED).integers(1, 2**63, width // 8, np.uint64) | np.uint64(1)
