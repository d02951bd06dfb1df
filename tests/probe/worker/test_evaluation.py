"""The series: a CSV read with precise errors, or a synthetic one that is the same everywhere."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from kronos_health.probe.worker.errors import BadInput
from kronos_health.probe.worker.evaluation import read_series, synthetic_series
from tests.probe.worker.runs import SMALL, run, spec

HEADER = "timestamps,open,high,low,close,volume\n"


def rows(count: int) -> list[str]:
    return [f"2025-{1 + day // 28:02d}-{1 + day % 28:02d},100,110,90,{100 + day},5\n" for day in range(count)]


def a_file(folder: Path, lines: list[str], header: str = HEADER) -> Path:
    path = folder / "series.csv"
    path.write_text(header + "".join(lines))
    return path


class DescribeTheSyntheticSeries:
    def it_is_the_same_for_one_seed_and_another_for_another(self) -> None:
        assert synthetic_series(50, 1) == synthetic_series(50, 1)
        assert synthetic_series(50, 1) != synthetic_series(50, 2)

    def it_looks_like_prices(self) -> None:
        series = synthetic_series(600, 20251030)
        assert len(series) == 600
        assert all(row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high for row in series)
        assert all(before.close == after.open and before.at < after.at for before, after in pairwise(series))
        # Written down, so that figures of different machines and days stay comparable.
        assert series[0].close == pytest.approx(59819.38, abs=0.01)


class DescribeReadingAFile:
    def it_takes_the_last_rows_and_fills_in_the_amount(self, tmp_path: Path) -> None:
        series = read_series(a_file(tmp_path, rows(40)), 10)
        assert [row.close for row in series] == [float(130 + day) for day in range(10)]
        assert series[0].amount == 5 * (100 + 110 + 90 + 130) / 4
        assert series[0].at == datetime.fromisoformat("2025-02-03")

    def it_finds_columns_by_name_in_any_order_and_case(self, tmp_path: Path) -> None:
        header = "Volume,Close,Low,High,Open,Amount,Date\n"
        lines = ["5,101,90,110,100,700,2025-01-01T10:00:00+02:00\n", "5,102,90,110,100,800,2025-01-01T12:00:00Z\n"]
        series = read_series(a_file(tmp_path, lines, header), 10)
        assert [(row.close, row.amount, row.at.hour) for row in series] == [(101, 700, 8), (102, 800, 12)]

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (["2025-01-01,1,2,3,nan,5\n"], "line 2, column close: nan is no usable value"),
            (["2025-01-01,1,2,3,4,5\n", "2025-01-02,1,,3,4,5\n"], "line 3, column high: the cell is empty"),
            (["2025-01-01,1,2,3,0,5\n"], "line 2, column close: 0 is no usable value"),
            (["2025-01-01,-5,2,3,4,5\n"], "line 2, column open: -5 is no usable value"),
            (["2025-01-01,1,1e308,3,4,5\n"], "line 2, column high: 1e308 is no usable value"),
            (["2025-01-01,1,2,3,4,inf\n"], "line 2, column volume: inf is no usable value"),
            (["2025-01-01,1,2,3,four,5\n"], "line 2, column close: 'four' is not a number"),
            (["yesterday,1,2,3,4,5\n"], "line 2: 'yesterday' is not a time"),
            (["2025-01-01,1,2\n"], "line 2 has 3 cells, too few"),
            (["2025-01-02,1,2,3,4,5\n", "2025-01-01,1,2,3,4,5\n"], "the row after line 2 is not later"),
        ],
    )
    def it_names_the_line_and_column_that_is_wrong(self, lines: list[str], message: str, tmp_path: Path) -> None:
        path = a_file(tmp_path, lines)
        with pytest.raises(BadInput) as raised:
            read_series(path, 600)
        assert message in str(raised.value)
        assert str(path) in str(raised.value)

    def it_does_not_mind_what_is_wrong_before_the_rows_it_uses(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, ["2024-01-01,1,2,3,nan,5\n", *rows(5)])
        assert len(read_series(path, 5)) == 5

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "has no column timestamps, open, high, low, close, volume (it has nothing)"),
            (b"timestamps,open,close\n", "has no column high, low, volume (it has timestamps, open, close)"),
            (b"\xff\xfe\x00binary", "is not UTF-8 text"),
        ],
    )
    def it_says_what_kind_of_file_it_is_not(self, content: bytes, message: str, tmp_path: Path) -> None:
        path = tmp_path / "series.csv"
        path.write_bytes(content)
        with pytest.raises(BadInput) as raised:
            read_series(path, 600)
        assert message in str(raised.value)

    @pytest.mark.parametrize("name", ["", "missing.csv"])
    def it_says_so_when_there_is_no_such_file(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="cannot be read"):
            read_series(tmp_path / name, 600)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + "".join(rows(30)) + "2025-06-01,1,2,3,NaN,5\n", "column close: NaN is no usable value"),
        (HEADER + "".join(rows(10)), "has 10 rows; a saturated window needs 17 (16 of history and 1 to forecast)"),
        ("a,b\n1,2\n", "has no column timestamps, open, high, low, close, volume (it has a, b)"),
    ],
    ids=["NaN", "too short", "wrong columns"],
)
def it_tells_the_parent_of_a_bad_file_before_torch_is_imported(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text(content)
    told = run(spec(evaluation={**SMALL, "csv": str(path)}), tmp_path / "run")
    assert told.finished
    assert told.failure is not None
    assert told.failure["kind"] == "bad_input"
    assert message in told.failure["message"]
    assert not told.all("phase")
    assert told.stderr == ""
