"""Which mitigated variant is tried next, and what is said in the end: pure decisions."""

from __future__ import annotations

import pytest

from kronos_health.domain.probes import Keeper, Outcome
from kronos_health.probe.mending import STOCK, Tried, mend, next_to_try
from kronos_health.probe.variants import BUILT_IN

REUSED = Outcome.GRAPH_REUSE
KNOWN = {variant.name for variant in BUILT_IN}
HANDED = Tried(STOCK, REUSED, Keeper.HANDOFF)
PARKED = Tried(STOCK, REUSED, Keeper.PARKED)


def names_in_order(*tried: Tried, torch: str = "2.13.0+cpu", outcome: Outcome = REUSED) -> list[str]:
    """What is tried one after the other when everything ends with ``outcome``, no new cause being seen."""
    done, order = list(tried), []
    while (variant := next_to_try(done, torch)) is not None:
        order.append(variant.name)
        done.append(Tried(variant.name, outcome))
    return order


def it_tries_the_cheapest_change_first_and_giving_up_graphs_last() -> None:
    order = names_in_order(HANDED)
    assert order[-1] == "compiled_no_cudagraphs"
    assert order.index("compiled_static_rope_mark_step") < order.index("compiled_static_rope_clone")
    assert order.index("compiled_static_rope_clone") < order.index("compiled_whole_step")
    assert order.index("compiled_whole_step") < order.index("compiled_generation_cloning")
    assert len(order) == len(set(order))


def it_prefers_torchs_own_cloning_where_this_torch_has_it() -> None:
    for torch, first in (("2.14.0", True), ("2.15.0.dev20260101+cu130", True), ("2.13.0", False), ("unknown", False)):
        assert (names_in_order(HANDED, torch=torch)[0] == "compiled_generation_cloning") is first


def it_stops_at_the_first_that_passes() -> None:
    assert next_to_try([HANDED, Tried("compiled_static_rope_mark_step", Outcome.PASSED)]) is None


@pytest.mark.parametrize(
    ("tried", "left_out"),
    [
        (HANDED, {"compiled_static_rope"}),
        (PARKED, {"compiled_clone", "compiled_mark_step", "compiled_clone_mark_step"}),
        (Tried(STOCK, REUSED, Keeper.FORECAST), {"compiled_mark_step", "compiled_static_rope"}),
        (Tried(STOCK, REUSED, Keeper.UNKNOWN), set()),
    ],
)
def it_leaves_out_what_cannot_mend_a_cause_that_was_seen(tried: Tried, left_out: set[str]) -> None:
    tries = set(names_in_order(tried))
    assert tries & left_out == set()
    assert {"compiled_static_rope_mark_step", "compiled_no_cudagraphs"} & tries


def it_learns_the_second_cause_of_kronos_from_the_first_mitigation() -> None:
    """Marking the step mends the handoff and shows the parked rotary tables behind it."""
    following = next_to_try([HANDED, Tried("compiled_mark_step", REUSED, Keeper.PARKED)], "2.13.0")
    assert following is not None
    assert following.name == "compiled_static_rope_mark_step"


def it_tries_no_rotary_variant_after_one_did_not_apply() -> None:
    missing = Tried("compiled_static_rope_mark_step", Outcome.WORKER_ERROR)
    assert names_in_order(PARKED, missing) == ["compiled_generation_cloning", "compiled_no_cudagraphs"]


def it_says_what_mends_and_what_production_would_change() -> None:
    tried = [
        HANDED,
        Tried("compiled_whole_step", Outcome.PASSED),
        Tried("compiled_static_rope_clone", Outcome.PASSED),
        Tried("compiled_generation_cloning", REUSED),
    ]
    mending = mend(tried)
    assert mending.cheapest is not None
    assert mending.cheapest.name == "compiled_static_rope_clone"
    assert mending.sentence.startswith("compiled_static_rope_clone mends it. It asks of production: KRONOS_COMPILE=1,")
    assert mending.sentence.endswith("So does compiled_whole_step.")
    assert [variant.name for variant in mending.failed] == ["compiled_generation_cloning"]


def it_says_when_nothing_mends() -> None:
    assert mend([HANDED, Tried("compiled_whole_step", REUSED)]).sentence == (
        "No variant that was tried mends it: compiled_whole_step."
    )
    assert mend([HANDED, Tried("compiled_whole_step", Outcome.WORKER_ERROR)]).sentence == (
        "No variant that was tried mends it: none applies."
    )


def it_speaks_of_known_variants_only() -> None:
    assert set(names_in_order(Tried(STOCK, REUSED))) <= KNOWN
