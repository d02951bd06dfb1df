"""Which rows a prediction sees: a different target each time, the same for every variant."""

from __future__ import annotations

from typing import Any

import pytest

from kronos_health.probe.worker.errors import BadInput
from kronos_health.probe.worker.evaluation import synthetic_series
from kronos_health.probe.worker.spec import WorkerSpec, parse_spec
from kronos_health.probe.worker.windows import cut_cases
from tests.probe.worker.runs import SMALL, spec

SERIES = synthetic_series(120, 1)


def order(**changes: Any) -> WorkerSpec:
    return parse_spec(spec(**changes))


def it_forecasts_the_last_close_first_and_then_earlier_ones() -> None:
    cases = cut_cases(SERIES, order(), 3)
    assert [case.actual for case in cases] == [(SERIES[119].close,), (SERIES[118].close,), (SERIES[117].close,)]
    assert [case.window.rows for case in cases] == [SERIES[103:119], SERIES[102:118], SERIES[101:117]]
    assert cases[0].window.future == (SERIES[119].at,)


def it_goes_on_where_the_iteration_before_stopped() -> None:
    assert cut_cases(SERIES, order(iteration=1), 1)[0].actual == (SERIES[116].close,)


def it_starts_over_when_the_series_is_used_up() -> None:
    places = 120 - 16
    assert cut_cases(SERIES, order(predictions=places + 1), places + 1)[-1] == cut_cases(SERIES, order(), 1)[0]


def it_fills_the_context_when_saturated() -> None:
    wide = {**SMALL, "lookback": 16, "max_context": 32}
    assert len(cut_cases(SERIES, order(evaluation=wide), 1)[0].window.rows) == 32


def it_starts_below_the_context_when_growing_and_takes_eight_steps() -> None:
    (case,) = cut_cases(SERIES, order(regime="growing", evaluation={**SMALL, "max_context": 20}), 1)
    assert (len(case.window.rows), case.window.pred_len, len(case.actual)) == (12, 8, 8)


def it_scores_the_mean_over_the_horizon_against_repeating_the_last_close() -> None:
    (case,) = cut_cases(SERIES, order(evaluation={**SMALL, "pred_len": 2}), 1)
    assert case.error_of([value + 3 for value in case.actual]) == pytest.approx(3)
    last = case.window.rows[-1].close
    assert case.naive_error == pytest.approx(sum(abs(last - value) for value in case.actual) / 2)


def it_hands_out_a_frame_with_every_column() -> None:
    frame = cut_cases(SERIES, order(), 1)[0].window.frame
    assert list(frame.columns) == ["timestamps", "open", "high", "low", "close", "volume", "amount"]
    assert frame["close"].tolist() == [row.close for row in SERIES[103:119]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluation": {**SMALL, "max_context": 9}, "regime": "growing"}, "leaves no room to grow by 8 rows"),
        ({"evaluation": {**SMALL, "lookback": 120}}, "has 120 rows; a saturated window needs 121"),
    ],
)
def it_says_what_is_too_short(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as raised:
        cut_cases(SERIES, order(**changes), 1)
    assert message in str(raised.value)
