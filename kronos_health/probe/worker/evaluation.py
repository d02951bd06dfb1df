"""The series forecasts are scored on: OHLCV rows from a CSV file, or a seeded synthetic series.

Standard library only, so that a target whose interpreter has no pandas can be probed too, and so that a bad file is
reported before torch is imported.
"""

from __future__ import annotations

import csv
import math
import random
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from .errors import BadInput
from .spec import EvaluationSpec

TIME_COLUMNS = ("timestamps", "timestamp", "date", "datetime", "time")
PRICE_COLUMNS = ("open", "high", "low", "close")
NUMBER_COLUMNS = (*PRICE_COLUMNS, "volume")
HIGHEST_PRICE = 1e15  # far above any price, and far enough below the largest float for sums and squares
OTHER_TIME_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d")


@dataclass(frozen=True)
class Row:
    """One bar. Prices in the series' own unit; ``amount`` is turnover, price times volume where the file has none."""

    at: datetime  # naive UTC
    open: float
    high: float
    low: float
    close: float
    volume: float
    amount: float


def load_series(spec: EvaluationSpec) -> tuple[Row, ...]:
    """The last ``spec.rows`` rows of the file, or as many synthetic ones; raises :class:`BadInput` on a bad file."""
    if spec.csv is None:
        return synthetic_series(spec.rows, spec.synthetic_seed)
    return read_series(Path(spec.csv), spec.rows)


def synthetic_series(rows: int, seed: int) -> tuple[Row, ...]:
    """A daily geometric random walk with a slow cycle, the same on every machine for one seed."""
    source = random.Random(seed)  # noqa: S311 - a test series, not a secret
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - rows carry naive UTC
    close, series = 60_000.0, []
    for day in range(rows):
        opened = close
        drift = 0.002 * math.sin(2 * math.pi * day / 90)
        close = opened * math.exp(drift + source.gauss(0.0, 0.025))
        reach = abs(source.gauss(0.0, 0.01))
        high, low = max(opened, close) * (1 + reach), min(opened, close) * (1 - reach)
        volume = 10_000.0 * math.exp(source.gauss(0.0, 0.3))
        amount = volume * (opened + high + low + close) / 4
        series.append(Row(start + timedelta(days=day), opened, high, low, close, volume, amount))
    return tuple(series)


def read_series(path: Path, rows: int) -> tuple[Row, ...]:
    """The last ``rows`` rows of an OHLCV file; raises :class:`BadInput` with the line and column that is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse(path, file, rows)
    except OSError as error:
        raise BadInput(f"the evaluation series {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"the evaluation series {path} is not UTF-8 text: {error.reason}") from error
    except csv.Error as error:
        raise BadInput(f"the evaluation series {path} is not a CSV file: {error}") from error


def _parse(path: Path, file: TextIO, rows: int) -> tuple[Row, ...]:
    reader = csv.reader(file)
    header = [name.strip().lower() for name in next(reader, [])]
    columns = _columns(path, header)
    numbered = ((reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells))
    parsed = [_row(path, line, cells, columns) for line, cells in deque(numbered, maxlen=rows)]
    for (line, before), (_, after) in pairwise(parsed):
        if after.at <= before.at:
            raise BadInput(f"{path}: the row after line {line} is not later than it; sort the rows by time")
    return tuple(row for _, row in parsed)


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    columns = {name: header.index(name) for name in (*NUMBER_COLUMNS, "amount") if name in header}
    missing = [name for name in NUMBER_COLUMNS if name not in columns]
    found = [name for name in TIME_COLUMNS if name in header]
    if not found:
        missing.insert(0, TIME_COLUMNS[0])
    if missing:
        has = ", ".join(header) if header else "nothing"
        raise BadInput(f"{path} has no column {', '.join(missing)} (it has {has}); name them in its first line")
    columns["at"] = header.index(found[0])
    return columns


def _row(path: Path, line: int, cells: list[str], columns: dict[str, int]) -> tuple[int, Row]:
    if len(cells) <= max(columns.values()):
        raise BadInput(f"{path} line {line} has {len(cells)} cells, too few for its header")
    numbers = {name: _number(path, line, name, cells[columns[name]]) for name in columns if name != "at"}
    prices = sum(numbers[name] for name in PRICE_COLUMNS) / len(PRICE_COLUMNS)
    amount = numbers.pop("amount", numbers["volume"] * prices)
    return line, Row(at=_time(path, line, cells[columns["at"]]), amount=amount, **numbers)


def _number(path: Path, line: int, column: str, cell: str) -> float:
    text = cell.strip()
    try:
        value = float(text)
    except ValueError:
        what = f"{text!r} is not a number" if text else "the cell is empty"
        raise BadInput(f"{path} line {line}, column {column}: {what}; fill or drop the row") from None
    usable = 0 < value < HIGHEST_PRICE if column in PRICE_COLUMNS else math.isfinite(value)
    if not usable:
        raise BadInput(f"{path} line {line}, column {column}: {text} is no usable value; fill or drop the row")
    return value


def _time(path: Path, line: int, cell: str) -> datetime:
    text = cell.strip()
    parsed = _parse_time(text)
    if parsed is None:
        raise BadInput(f"{path} line {line}: {text!r} is not a time; write it like 2025-10-30 or 2025-10-30 16:00:00")
    return parsed.astimezone(timezone.utc).replace(tzinfo=None) if parsed.tzinfo else parsed  # noqa: UP017 - 3.10


def _parse_time(text: str) -> datetime | None:
    iso = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text  # Python 3.10 does not read the Z
    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        pass
    for shape in OTHER_TIME_FORMATS:
        try:
            return datetime.strptime(text, shape)  # noqa: DTZ007 - rows carry naive UTC
        except ValueError:
            continue
    return None
