"""Write ``ETHUSD.csv``: 720 daily OHLCV rows of a made-up market, the same at every run.

A geometric random walk with calm and wild weeks; prices in US dollars near those of late 2025, volume in ether. No row
is taken from a real exchange.
"""

from __future__ import annotations

import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path

ROWS, FIRST_DAY, FIRST_PRICE = 720, date(2023, 11, 11), 2050.0


def rows() -> list[tuple[str, ...]]:
    """``ROWS`` rows of timestamps, open, high, low, close, volume, amount."""
    chance = random.Random(20251030)  # noqa: S311 - a made-up market, not a secret
    price, wildness, made = FIRST_PRICE, 0.02, []
    for day in range(ROWS):
        wildness = 0.9 * wildness + 0.1 * chance.uniform(0.008, 0.045)
        opened, closed = price, price * math.exp(chance.gauss(0.0008, wildness))
        high = max(opened, closed) * (1 + abs(chance.gauss(0, wildness / 2)))
        low = min(opened, closed) * (1 - abs(chance.gauss(0, wildness / 2)))
        volume = 180_000 * math.exp(chance.gauss(0, 0.3)) * (1 + 8 * wildness)
        numbers = (opened, high, low, closed, volume, volume * (opened + closed) / 2)
        made.append((f"{FIRST_DAY + timedelta(days=day)} 00:00:00", *(f"{number:.2f}" for number in numbers)))
        price = closed
    return made


if __name__ == "__main__":
    with Path(__file__).with_name("ETHUSD.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("timestamps", "open", "high", "low", "close", "volume", "amount"))
        writer.writerows(rows())
