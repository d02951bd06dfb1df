"""Which probes a request comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronos_health.domain.probes import EvaluationSpec, ProbeKind, Regime
from kronos_health.probe.plan import PlanError, plan
from kronos_health.settings.models import Evaluation, Probe, Settings, Target

SETTINGS = Settings(
    targets={"kronos": Target(), "toto": Target()},
    probe=Probe(rehearsal_iterations=3, predictions=6, seed=7, evaluation=Evaluation(csv=Path("/x/y.csv"), rows=700)),
)
MEASURED, REHEARSED = ProbeKind.MEASURED, ProbeKind.REHEARSED


def on_cpu(_target: str) -> str:
    return "cpu"


def on_cuda(_target: str) -> str:
    return "cuda"


def it_measures_eager_first_and_rehearses_last_on_the_cpu() -> None:
    specs = plan(SETTINGS, on_cpu, variants=["compiled", "eager"])
    assert [(spec.variant, spec.kind, spec.iterations) for spec in specs] == [
        ("eager", MEASURED, 5),
        ("compiled", MEASURED, 5),
        ("compiled", REHEARSED, 3),
    ]
    assert {spec.target for spec in specs} == {"kronos"}
    assert {(spec.predictions, spec.seed) for spec in specs} == {(6, 7)}
    assert specs[0].evaluation == EvaluationSpec(csv="/x/y.csv", rows=700)


@pytest.mark.parametrize(
    ("device", "setting", "asked", "rehearsed"),
    [
        ("cuda", "auto", None, False),
        ("cpu", "auto", None, True),
        (None, "auto", None, False),
        ("cpu", "never", None, False),
        ("cuda", "always", None, True),
        ("cuda", "never", True, True),
        ("cpu", "always", False, False),
    ],
)
def it_rehearses_where_it_is_told(device: str | None, setting: str, asked: bool | None, rehearsed: bool) -> None:
    probe = SETTINGS.probe.model_copy(update={"rehearse": setting})
    settings = SETTINGS.model_copy(update={"probe": probe})
    specs = plan(settings, lambda _target: device, rehearse=asked)
    assert any(spec.kind is REHEARSED for spec in specs) is rehearsed


def it_crosses_targets_variants_and_regimes() -> None:
    specs = plan(SETTINGS, on_cuda, targets=["toto", "kronos", "toto"], iterations=10, regimes=["growing", "saturated"])
    assert [(spec.target, spec.variant, spec.regime) for spec in specs[:4]] == [
        ("toto", "eager", Regime.GROWING),
        ("toto", "eager", Regime.SATURATED),
        ("toto", "compiled", Regime.GROWING),
        ("toto", "compiled", Regime.SATURATED),
    ]
    assert len(specs) == 8
    assert {spec.iterations for spec in specs} == {10}


def it_asks_for_as_many_rehearsals_as_the_request() -> None:
    assert [spec.iterations for spec in plan(SETTINGS, on_cpu, iterations=2)] == [2, 2, 2]


def it_sweeps_warm_up_calls_of_compiled_variants_only() -> None:
    eager, compiled, rehearsed = plan(SETTINGS, on_cpu)
    assert eager.warmups == ()
    assert [eager.warmups_of(index) for index in range(3)] == [0, 0, 0]
    assert compiled.warmups == rehearsed.warmups == (0, 1, 2, 3, 5)
    assert [compiled.warmups_of(index) for index in range(7)] == [0, 1, 2, 3, 5, 0, 1]


def it_takes_groups_of_variants() -> None:
    specs = plan(SETTINGS, on_cuda, variants=["all"])
    assert specs[0].variant == "eager"
    assert len({spec.variant for spec in specs}) == len(specs) > 10


def it_brings_an_eager_arm_for_what_is_compiled_to_be_compared_with() -> None:
    arms = [(spec.variant, spec.kind) for spec in plan(SETTINGS, on_cpu, variants=["compiled"])]
    assert arms == [("eager", MEASURED), ("compiled", MEASURED), ("compiled", REHEARSED)]
    alone = plan(SETTINGS, on_cpu, variants=["compiled"], with_eager=False)
    assert [spec.variant for spec in alone] == ["compiled", "compiled"]
    assert [spec.variant for spec in plan(SETTINGS, on_cuda, variants=["eager"])] == ["eager"]


def it_takes_a_recipe_of_the_users_own() -> None:
    (spec,) = plan(SETTINGS, on_cuda, variants=["our.recipes:compiled_twice"], with_eager=False)
    assert spec.variant == "our.recipes:compiled_twice"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"targets": ["kronso"]}, "there is no target 'kronso'. Did you mean kronos? Configured: kronos, toto."),
        ({"variants": ["compield"]}, "there is no variant 'compield'. Did you mean compiled?"),
        ({"regimes": ["growng"]}, "there is no window regime 'growng'. Did you mean growing?"),
    ],
)
def it_names_what_does_not_exist(request_: dict[str, list[str]], words: str) -> None:
    with pytest.raises(PlanError) as error:
        plan(SETTINGS, on_cpu, **request_)  # type: ignore[arg-type]
    assert words in str(error.value)


def it_tries_each_target_in_its_candidates_each_with_its_own_eager() -> None:
    places = {"kronos": ("production", "torch=2.15.0"), "toto": ("torch=2.15.0",)}
    specs = plan(SETTINGS, on_cpu, targets=["kronos", "toto"], variants=["compiled", "eager"], candidates=places)
    ways = [("eager", MEASURED), ("compiled", MEASURED), ("compiled", REHEARSED)]
    assert [(spec.target, spec.candidate, spec.variant, spec.kind) for spec in specs] == [
        (target, place, *way) for target in ("kronos", "toto") for place in places[target] for way in ways
    ]
