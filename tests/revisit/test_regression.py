"""A figure stepped when two probes in a row say so; noise, an outlier or too little data is no step."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.figures import Figure, FigureLabel, FigurePoint, FigureVerdict
from kronos_health.revisit.regression import judge
from kronos_health.settings.models import Regression

RULES = Regression()
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SHORT = {
    "I": FigureLabel.INSUFFICIENT_DATA,
    ".": FigureLabel.STEADY,
    "?": FigureLabel.SUSPICIOUS,
    "R": FigureLabel.REGRESSION,
    "W": FigureLabel.IMPROVEMENT,
    "x": FigureLabel.DISTURBED,
}
QUIET = (100.0, 101.0, 99.0, 100.5, 99.5, 100.0)  # as many as a baseline needs


def points(values: Sequence[float], noisy: Sequence[int] = ()) -> list[FigurePoint]:
    return [
        FigurePoint(f"probe-{day}", BEGAN + timedelta(days=day), value, ("a neighbour",) if day in noisy else ())
        for day, value in enumerate(values)
    ]


def judged(
    values: Sequence[float],
    noisy: Sequence[int] = (),
    figure: Figure = Figure.STEADY_LATENCY,
    rules: Regression = RULES,
) -> tuple[FigureVerdict, ...]:
    return judge(points(values, noisy), figure, rules)


def told(verdicts: Sequence[FigureVerdict]) -> str:
    letters = {label: letter for letter, label in SHORT.items()}
    return "".join(letters[verdict.label] for verdict in verdicts)


def standing(verdicts: Sequence[FigureVerdict]) -> str:
    return "".join("!" if verdict.regressed else "." for verdict in verdicts)


@pytest.mark.parametrize(
    ("case", "after", "labels", "regressed"),
    [
        ("nothing happens", [100, 101, 99], "...", "..."),
        ("small changes are none", [104, 104, 104], "...", "..."),
        ("one outlier is forgotten", [150, 100, 101], "?..", "..."),
        ("two outliers apart are no step", [150, 100, 150, 100], "?.?.", "...."),
        ("one up and one down are no step", [150, 50, 100], "??.", "..."),
        ("a step that stays", [120, 121, 120, 119], "?R..", ".!!!"),
        ("a step that is mended", [120, 121, 120, 100, 101, 100], "?R.?W.", ".!!!.."),
        ("a step that is mended by half", [140, 140, 120, 120, 120], "?R?W.", ".!!!!"),
        ("a step upon a step", [120, 120, 150, 150, 150], "?R?R.", ".!!!!"),
        ("a win", [80, 79, 80, 80], "?W..", "...."),
        ("a win that is lost again", [80, 80, 100, 100, 100], "?W?R.", "...!!"),
    ],
)
def it_tells_steps_from_noise(case: str, after: list[float], labels: str, regressed: str) -> None:
    verdicts = judged([*QUIET, *after])
    assert told(verdicts) == "IIIIII" + labels, case
    assert standing(verdicts) == "......" + regressed, case


def it_says_against_what_a_value_was_held() -> None:
    newest = judged([*QUIET, 120.0, 120.0])[-1]
    assert (newest.baseline, newest.sample, newest.ratio) == (100.0, 6, 1.2)
    assert newest.lower is not None
    assert newest.upper is not None
    assert newest.lower < 95.0 < 105.0 < newest.upper < 120.0
    assert newest.reference == 100.0
    assert newest.reason == "+20.0% against the median of 6, the second in a row"


def it_asks_for_enough_probes_before_it_compares() -> None:
    verdicts = judged([100.0, 500.0, 100.0, 100.0, 100.0])
    assert told(verdicts) == "IIIII"
    assert [verdict.reason for verdict in verdicts[:2]] == ["0 of 6 before it", "1 of 6 before it"]
    assert {verdict.baseline for verdict in verdicts} == {None}


def it_holds_a_noisy_series_to_its_own_noise() -> None:
    scatter = [100.0, 120.0, 80.0, 110.0, 90.0, 105.0, 95.0, 115.0]
    assert told(judged([*scatter, 130.0, 130.0, 130.0]))[-3:] == "..."
    assert told(judged([*scatter, 300.0, 300.0]))[-2:] == "?R"


def it_gives_compile_times_more_room() -> None:
    after = [*QUIET, 115.0, 115.0]
    assert told(judged(after, figure=Figure.COLD_COMPILE))[-2:] == ".."
    assert told(judged(after, figure=Figure.STEADY_LATENCY))[-2:] == "?R"
    assert told(judged([*QUIET, 130.0, 130.0], figure=Figure.WARM_COMPILE))[-2:] == "?R"


class DescribeDisturbedProbes:
    def it_shows_them_and_counts_them_nowhere(self) -> None:
        verdicts = judged([*QUIET, 300.0, 300.0, 300.0, 100.0], noisy=[6, 7, 8])
        assert told(verdicts)[6:] == "xxx."
        assert verdicts[6].reason == "a neighbour"
        assert verdicts[-1].sample == 6

    def it_does_not_let_one_part_two_that_agree(self) -> None:
        assert told(judged([*QUIET, 120.0, 300.0, 120.0], noisy=[7]))[6:] == "?xR"

    def it_counts_them_for_memory_which_no_neighbour_changes(self) -> None:
        assert told(judged([*QUIET, 120.0, 120.0], noisy=[6, 7], figure=Figure.PEAK_MEMORY))[6:] == "?R"

    def it_counts_them_where_all_are(self) -> None:
        rules = Regression(count_disturbed=True)
        assert told(judged([*QUIET, 120.0, 120.0], noisy=range(8), rules=rules))[6:] == "?R"


class DescribeARegressionThatStands:
    def it_is_the_new_normal_after_long_enough(self) -> None:
        rules = Regression(accepted_after=10)
        verdicts = judged([*QUIET, *[120.0] * 12], rules=rules)
        assert standing(verdicts) == "......." + "!" * 8 + "..."
        assert told(verdicts).count("R") == 1

    def it_goes_on_with_the_old_baseline_once_it_is_mended(self) -> None:
        verdicts = judged([*QUIET, 120.0, 120.0, 100.0, 100.0, 100.0])
        assert verdicts[-1].label is FigureLabel.STEADY
        assert (verdicts[-1].baseline, verdicts[-1].sample) == (100.0, 10), (
            "six before, two of the excursion, two after"
        )


def it_learns_that_a_series_has_two_modes() -> None:
    values = [1000.0, 1080.0, 998.0, 1081.0, 1001.0, 999.0, 1080.0, 1082.0, 1079.0, 1000.0] * 4
    assert set(told(judged(values))[6:]) == {"."}


def it_notices_a_level_that_creeps() -> None:
    """Half a percent a day is inside every day's bounds; the level leaves those of its own beginning."""
    verdicts = judged([100.0 * 1.005**day + (day % 3) * 0.3 for day in range(60)])
    (found,) = [verdict for verdict in verdicts if verdict.label is FigureLabel.REGRESSION][:1]
    assert found.reason.startswith("the level crept by +")
    assert found.regressed
    assert FigureLabel.SUSPICIOUS not in {verdict.label for verdict in verdicts}


_series = st.lists(st.floats(1.0, 1e6), max_size=60)


@given(_series, st.integers(0, 60))
def it_never_changes_what_it_said_when_more_comes(values: list[float], cut: int) -> None:
    assert judged(values)[:cut] == judged(values[:cut])


@given(st.lists(st.integers(50, 200), max_size=60), st.sampled_from([0.25, 4.0, 1024.0]))
def it_does_not_depend_on_the_unit(values: list[int], factor: float) -> None:
    """Powers of two, so that floats scale exactly."""
    assert told(judged([float(value) for value in values])) == told(judged([value * factor for value in values]))


@given(_series)
def it_says_regression_only_with_a_second_witness(values: list[float]) -> None:
    verdicts = judged(values)
    for before, verdict in zip((None, *verdicts), verdicts, strict=False):
        if verdict.label is FigureLabel.REGRESSION and "crept" not in verdict.reason:
            assert before is not None
            assert before.label is FigureLabel.SUSPICIOUS
            assert verdict.upper is not None
            assert min(before.value, verdict.value) > verdict.upper
        if before is not None and verdict.regressed and not before.regressed:
            assert verdict.label is FigureLabel.REGRESSION


@given(_series)
def it_compares_only_with_enough_before(values: list[float]) -> None:
    for index, verdict in enumerate(judged(values)):
        few = index < RULES.minimum_sample
        assert (verdict.label is FigureLabel.INSUFFICIENT_DATA) is few
        assert (verdict.baseline is None, verdict.ratio is None, verdict.upper is None) == (few, few, few)
        assert not few or verdict.sample == index


@given(st.floats(1e-3, 1e9), st.integers(0, 50))
def it_finds_nothing_where_nothing_changes(value: float, count: int) -> None:
    assert set(told(judged([value] * count))) <= {"I", "."}


@given(st.lists(st.floats(97.0, 103.0), min_size=12, max_size=40), st.integers(6, 39), st.floats(1.0, 1e6))
def it_is_moved_by_no_single_outlier(values: list[float], place: int, outlier: float) -> None:
    changed = [*values]
    changed[place % len(values)] = outlier
    assert not {"R", "W"} & set(told(judged(changed)))


class DescribeErrorRates:
    """A year of daily probes, seeded: how often it is wrong where nothing happens, and how soon it sees what does."""

    @staticmethod
    def _years(draw: Callable[[random.Random], float], years: int, step: float = 1.0) -> list[str]:
        dice = random.Random(20251030)
        return [
            told(judged([draw(dice) * (step if day >= 30 else 1.0) for day in range(365)])) for _year in range(years)
        ]

    @pytest.mark.parametrize("deviation", [0.01, 0.03, 0.1])
    def it_rarely_cries_wolf(self, deviation: float) -> None:
        years = self._years(lambda dice: dice.gauss(100.0, 100.0 * deviation), 60)
        assert sum("R" in year for year in years) <= 3, "at most one year in twenty"

    def it_sees_a_fifth_more_on_the_second_day(self) -> None:
        years = self._years(lambda dice: dice.gauss(100.0, 2.0), 20, step=1.2)
        assert {year[30:32] for year in years} == {"?R"}
