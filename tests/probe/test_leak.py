"""Memory that grows with every prediction is a leak; memory that grew once is not."""

from __future__ import annotations

import pytest

from kronos_health.domain.probes import Prediction
from kronos_health.probe.leak import leaked_mb


def made(*memory: float | None, device: tuple[float | None, ...] = ()) -> list[Prediction]:
    on_device = device or (None,) * len(memory)
    return [
        Prediction(k, k, 1.0, 1.0, 1.0, 1.0, rss_mb=rss, device_mb=held)
        for k, (rss, held) in enumerate(zip(memory, on_device, strict=True))
    ]


@pytest.mark.parametrize(
    ("predictions", "compiled_in", "leaked"),
    [
        (made(300, 350, 402, 451), (), 49),
        (made(300, 300, 301, 300), (), None),
        (made(300, 500, 501, 502), (), None),  # a buffer made once
        (made(300, 350, 400, 401), (), None),  # every step must grow
        (made(300, 320, 340, 360), (), None),  # allocators keep some
        (made(300, 900, 950, 1000), (1,), 50),  # compiling keeps memory, once
        (made(300, 900, 950), (1,), None),  # one step left shows nothing
        (made(300, 350), (), None),
        (made(300, None, 400, 450), (), None),
        (made(300, 301, 302, device=(10, 70, 130)), (), 60),
        (made(), (), None),
    ],
)
def it_needs_every_step_to_grow(
    predictions: list[Prediction], compiled_in: tuple[int, ...], leaked: float | None
) -> None:
    assert leaked_mb(predictions, compiled_in) == leaked


def it_does_not_mind_the_order() -> None:
    assert leaked_mb(reversed(made(300, 350, 402, 451))) == 49
