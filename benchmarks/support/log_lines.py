"""Writes logs as the watched program writes them, of any size, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

_BLOCK_LINES = 20_000
_START = datetime(2025, 10, 30, 9, tzinfo=UTC)
_PER_SECOND = 40  # lines
_REUSE = (
    "Traceback (most recent call last):\n"
    '  File "/srv/trading/src/models/kronos_wrapper.py", line 512, in predict_series\n'
    "    forecast = predictor.predict_batch(frames, stamps)\n"
    "               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
    "RuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run.\n"
)
_SYMBOLS = ("ETHUSD", "BTCUSD", "AAPL", "MSFT", "NVDA", "SOLUSD", "TSLA", "GOOG")
_QUIET = (
    "Fetched {n} bars for {symbol} from the broker in {f:.1f} ms",
    "Order {n} for {symbol} accepted: 3 of 3 filled at {f:.2f}",
    "Position {symbol}: {n} shares, unrealised {f:.2f} USD",
    "Spread of {symbol} is {f:.3f}, below the threshold",
    "Next run in {n} seconds",
)

Line = Callable[[random.Random], str]


def quiet(chance: random.Random) -> str:
    """A line that says nothing about what is watched."""
    return chance.choice(_QUIET).format(
        n=chance.randrange(1, 5000), f=chance.random() * 900 + 1, symbol=chance.choice(_SYMBOLS)
    )


def telling(chance: random.Random) -> str:
    """A line with a number to keep: an inference time, memory, or a return."""
    kind, symbol = chance.random(), chance.choice(_SYMBOLS)
    if kind < 0.45:
        return f"Kronos prediction completed for {symbol} in {chance.gauss(4000, 300):.1f} ms"
    if kind < 0.9:
        return f"Toto prediction completed for {symbol} in {chance.gauss(500, 30):.1f} ms"
    if kind < 0.95:
        return f"{symbol} MaxDiff {chance.gauss(0.1, 0.02):.4f} Sharpe {chance.gauss(18, 2):.2f}"
    return f"Kronos GPU memory: {chance.randrange(320, 350)} MB"


def write_log(path: Path, size: int, *, seed: int, share: float, errors: float) -> None:
    """A log of about ``size`` bytes, of whose lines ``share`` are telling and ``errors`` begin a graph reuse.

    Messages of 20,000 lines are made once and written again and again under new times: making each anew would take
    longer than all that is measured.
    """
    chance = random.Random(seed)
    messages = [_message(chance, share, errors) for _ in range(_BLOCK_LINES)]
    written, now = 0, _START
    with path.open("wb") as file:
        while written < size:
            chance.shuffle(messages)
            parts = []
            for begin in range(0, len(messages), _PER_SECOND):
                stamp = f"{_clocks(now)} | trade_stock_e2e.py:main:3043 \x1b[3"
                parts += [f"{stamp}{message}" for message in messages[begin : begin + _PER_SECOND]]
                now += timedelta(seconds=1)
            block = "".join(parts).encode()
            written += file.write(block)


def _message(chance: random.Random, share: float, errors: float) -> str:
    """The line from its colour on."""
    if chance.random() < errors:
        return f"1mERROR\x1b[0m | Kronos could not forecast {chance.choice(_SYMBOLS)}\n{_REUSE}"
    return f"2mINFO\x1b[0m | {telling(chance) if chance.random() < share else quiet(chance)}\n"


def _clocks(now: datetime) -> str:
    new_york, auckland = now - timedelta(hours=4), now + timedelta(hours=13)
    return f"{now:%Y-%m-%d %H:%M:%S} UTC | {new_york:%Y-%m-%d %H:%M:%S} EDT | {auckland:%Y-%m-%d %H:%M:%S} NZDT"
