"""EAGER or COMPILED, how sure, and why: the table of what the history may say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kronos_health.domain.probes import AccuracyState, CacheState, Outcome, Regime
from kronos_health.domain.revisit import Confidence, CriterionName, CriterionState, History, Mode
from kronos_health.revisit.decision import decide, unchanged
from tests.revisit.facts import (
    BASELINE,
    NOW,
    OTHER_GPU,
    RULES,
    compared,
    criterion,
    days_ago,
    imported,
    joined,
    judged,
    on_cpu,
    probed,
    rehearsed,
    standing_of,
    working,
)

NOTHING = History("kronos")
ON_CPU = History("kronos", probes=(on_cpu("eager"), on_cpu("compiled"), rehearsed("compiled")))
BROKEN = History("kronos", probes=(probed("eager"), probed("compiled", passed=0)))


class DescribeAMachineWithoutCuda:
    def it_stays_eager_and_says_what_was_never_measured(self) -> None:
        decision = judged(ON_CPU)
        assert decision.sentence == "EAGER, confidence LOW: no compiled variant was ever measured on CUDA."
        assert decision.next_step == "kronos-health probe --target kronos --variant all  # on a host with CUDA"
        assert decision.evidence_at is None

    def it_shows_the_cpu_figures_and_says_why_they_do_not_count(self) -> None:
        third = criterion(judged(ON_CPU), CriterionName.COMPILED_ITERATIONS)
        assert third.state is CriterionState.UNKNOWN
        assert third.value == "5 of 5, measured on CPU"
        assert [(row.table, row.admissible) for row in third.evidence] == [("probe", False), ("probe", False)]
        notes = sorted(row.note.partition(";")[0] for row in third.evidence)
        assert notes == [
            "not admissible: a rehearsal under the emulated lifetime rule",
            "not admissible: measured on CPU",
        ]

    def it_says_the_same_of_an_empty_history(self) -> None:
        decision = judged(NOTHING)
        assert (decision.mode, decision.confidence, decision.variant) == (Mode.EAGER, Confidence.LOW, None)
        assert [item.state for item in decision.criteria] == [CriterionState.UNKNOWN] * 4
        assert decision.standings == ()

    def it_keeps_the_imported_failure_until_something_newer_was_measured(self) -> None:
        decision = judged(joined(ON_CPU, History("kronos", probes=BASELINE)))
        assert decision.sentence == (
            "EAGER, confidence LOW: compiled last gave 0 of 5, graph_reuse (2025-10-30, imported), "
            "and nothing fresh was measured on CUDA."
        )
        third = criterion(decision, CriterionName.COMPILED_ITERATIONS)
        assert (third.state, third.value) == (CriterionState.NOT_MET, "0 of 5, graph_reuse (2025-10-30, imported)")
        assert [row.admissible for row in third.evidence] == [True, False, False]
        assert standing_of(decision, "compiled").broken


class DescribeBroken:
    def it_is_sure_of_eager_while_every_variant_breaks_and_eager_passes(self) -> None:
        decision = judged(BROKEN)
        assert decision.sentence == (
            "EAGER, confidence VERY HIGH: every compiled variant breaks on CUDA (compiled: 0 of 5, graph_reuse) "
            "and eager passes."
        )
        assert decision.next_step.startswith("kronos-health status")
        assert decision.evidence_at == BROKEN.probes[0].started_at

    def it_is_broken_by_one_failure_however_many_pass(self) -> None:
        history = joined(
            *(working("compiled", days=20 - day, passed=9, requested=9) for day in range(19)),
            History("kronos", probes=(probed("compiled", 10, passed=8, requested=9),)),
        )
        decision = judged(history)
        standing = standing_of(decision, "compiled")
        assert (standing.broken, standing.passed, standing.failed) == (True, 179, 1)
        assert standing.confidence is Confidence.LOW
        assert decision.mode is Mode.EAGER
        assert decision.confidence is Confidence.VERY_HIGH

    def it_is_forgotten_when_the_fingerprint_changes(self) -> None:
        decision = judged(joined(BROKEN, working("compiled", 0.05, fingerprint=OTHER_GPU)))
        assert not standing_of(decision, "compiled").broken
        assert standing_of(decision, "compiled").since == days_ago(0.05)

    def it_is_not_undone_by_a_probe_that_says_nothing(self) -> None:
        later = (
            probed("compiled", 0.05, 0, outcome=Outcome.SKIPPED, fingerprint=OTHER_GPU),
            probed("compiled", 0.04, 0, outcome=Outcome.WORKER_ERROR, fingerprint=OTHER_GPU),
            probed("compiled", 0.03, 0, outcome=None, fingerprint=OTHER_GPU),
            on_cpu("compiled", 0.02),
        )
        assert judged(joined(BROKEN, History("kronos", probes=later))).confidence is Confidence.VERY_HIGH

    def it_counts_a_graph_failure_of_a_run_that_was_lost_later(self) -> None:
        lost = probed("compiled", 0.05, 1, outcome=Outcome.LOST, graph_failures=1)
        assert standing_of(judged(joined(working("compiled"), History("kronos", probes=(lost,)))), "compiled").broken

    def it_is_less_sure_when_a_variant_fails_without_breaking(self) -> None:
        degraded = probed("compiled", passed=0, outcome=Outcome.DEGRADED_TO_EAGER)
        decision = judged(History("kronos", probes=(probed("eager"), degraded)))
        assert decision.confidence is Confidence.HIGH
        assert "compiled: 0 of 5, degraded_to_eager" in decision.sentence

    def it_is_not_sure_when_eager_fails_too(self) -> None:
        eager = probed("eager", passed=3, outcome=Outcome.TIMEOUT)
        decision = judged(History("kronos", probes=(eager, probed("compiled", passed=0))))
        assert decision.confidence is Confidence.LOW
        assert "eager itself last gave 3 of 5, timeout" in decision.sentence

    def it_is_not_sure_when_eager_was_measured_on_cpu_only(self) -> None:
        decision = judged(History("kronos", probes=(on_cpu("eager"), probed("compiled", passed=0))))
        assert decision.confidence is Confidence.LOW
        assert "eager was never measured on CUDA" in decision.sentence

    def it_is_not_sure_when_the_evidence_is_old(self) -> None:
        old = tuple(replace(probe, started_at=days_ago(8)) for probe in BROKEN.probes)
        decision = judged(History("kronos", probes=old))
        assert decision.confidence is Confidence.LOW
        assert "nothing fresh was measured on CUDA" in decision.sentence


class DescribeCompiled:
    def it_is_proposed_when_criteria_3_and_4_hold(self) -> None:
        decision = judged(working())
        assert (decision.mode, decision.variant) == (Mode.COMPILED, "mended")
        assert decision.sentence == (
            "COMPILED (mended), confidence LOW: 5 of 5 fresh processes passed on CUDA and forecasts are not worse "
            "than eager's, 1.60 times as fast as eager."
        )
        assert decision.next_step.startswith("kronos-health report")
        assert [item.state for item in decision.criteria] == [
            CriterionState.UNKNOWN,
            CriterionState.UNKNOWN,
            CriterionState.MET,
            CriterionState.MET,
        ]

    @pytest.mark.parametrize(
        ("days", "words"), [(1, Confidence.LOW), (2, Confidence.MODERATE), (4, Confidence.HIGH), (9, Confidence.HIGH)]
    )
    def it_grows_surer_day_by_day(self, days: int, words: Confidence) -> None:
        decision = judged(joined(*(working(days=0.1 + day) for day in range(days))))
        assert decision.confidence is words
        assert standing_of(decision, "mended").days == days

    def it_is_very_sure_after_both_regimes_and_both_caches(self) -> None:
        regimes = (Regime.SATURATED, Regime.GROWING)
        history = joined(
            *(
                working(days=0.1 + day, regime=regimes[day % 2], cache_states=frozenset({cache}))
                for day in range(10)
                for cache in (CacheState.COLD, CacheState.WARM)
            )
        )
        assert judged(history).confidence is Confidence.VERY_HIGH

    def it_asks_more_of_one_among_several(self) -> None:
        alone = joined(*(working(days=0.1 + day) for day in range(4)))
        others = tuple(probed(f"other_{k}", passed=0) for k in range(3))
        among = judged(joined(alone, History("kronos", probes=others)))
        assert judged(alone).confidence is Confidence.HIGH
        assert (among.mode, among.confidence) == (Mode.COMPILED, Confidence.MODERATE)

    def it_names_the_mended_variant_while_stock_is_broken(self) -> None:
        decision = judged(joined(working(), BROKEN))
        assert (decision.mode, decision.variant) == (Mode.COMPILED, "mended")

    def it_keeps_a_variant_it_proposed_while_that_holds(self) -> None:
        slow, fast = working("a_slow"), working("fast")
        faster = tuple(replace(comparison, speed_up=2.5) for comparison in fast.comparisons)
        both = joined(slow, replace(fast, comparisons=faster))
        first = judged(both)
        assert first.variant == "fast"
        assert judged(both, previous=replace(first, variant="a_slow")).variant == "a_slow"
        assert judged(fast, previous=replace(first, variant="a_slow")).variant == "fast"

    def it_takes_several_probes_to_make_n_of_n(self) -> None:
        parts = working(passed=2, requested=2), working(passed=3, requested=3)
        assert judged(parts[0]).mode is Mode.EAGER
        assert criterion(judged(parts[0]), CriterionName.COMPILED_ITERATIONS).value == "2 of 5"
        assert judged(joined(*parts)).mode is Mode.COMPILED


class DescribeWhatKeepsCompiledFromBeingProposed:
    @pytest.mark.parametrize(
        ("history", "because"),
        [
            (working(passed=4, outcome=Outcome.TIMEOUT), "mended: 4 of 5, timeout"),
            (working(regime=Regime.GROWING), "mended is not proven"),
            (working(days=8), "nothing fresh was measured on CUDA"),
            (working(device="cpu"), "no compiled variant was ever measured on CUDA"),
            (replace(working(), comparisons=()), "its accuracy is not compared"),
        ],
    )
    def it_is_named(self, history: History, because: str) -> None:
        decision = judged(history)
        assert decision.mode is Mode.EAGER
        assert because in decision.sentence

    @pytest.mark.parametrize("state", [AccuracyState.FAIL, AccuracyState.INCONCLUSIVE, AccuracyState.VOID])
    def it_is_any_accuracy_but_a_pass(self, state: AccuracyState) -> None:
        history = working()
        comparisons = tuple(replace(comparison, accuracy=state) for comparison in history.comparisons)
        decision = judged(replace(history, comparisons=comparisons))
        fourth = criterion(decision, CriterionName.ACCURACY)
        assert decision.mode is Mode.EAGER
        assert fourth.state is (CriterionState.NOT_MET if state is AccuracyState.FAIL else CriterionState.UNKNOWN)

    def it_is_a_void_comparison_and_the_next_step_is_real_weights(self) -> None:
        history = working()
        void = tuple(replace(comparison, accuracy=AccuracyState.VOID) for comparison in history.comparisons)
        decision = judged(replace(history, comparisons=void))
        assert "after setting targets.kronos.weights" in decision.next_step

    @pytest.mark.parametrize(
        ("figures", "because"),
        [
            ({"speed_up": 1.03}, "works but it is 1.03 times as fast as eager, and 1.1 is asked for"),
            ({"memory_ratio": 1.8}, "works but it needs 1.80 times eager's memory, and 1.5 is allowed"),
        ],
    )
    def it_is_a_gate_of_the_original_system(self, figures: dict[str, float], because: str) -> None:
        history = working()
        comparisons = tuple(replace(comparison, **figures) for comparison in history.comparisons)
        decision = judged(replace(history, comparisons=comparisons))
        assert (decision.mode, decision.confidence) == (Mode.EAGER, Confidence.MODERATE)
        assert because in decision.sentence

    def it_is_no_gate_that_was_measured_on_a_disturbed_machine(self) -> None:
        eager, variant = probed("eager"), probed("mended", noisy=True)
        history = History("kronos", probes=(eager, variant), comparisons=(compared(eager, variant, speed_up=0.5),))
        assert judged(history).mode is Mode.COMPILED

    def it_is_an_imported_success(self) -> None:
        success = replace(imported("compiled", 5), device="cuda", started_at=days_ago(1))
        assert judged(History("kronos", probes=(success, probed("eager")))).mode is Mode.EAGER

    def it_is_a_success_in_another_environment_than_productions(self) -> None:
        decision = judged(joined(BROKEN, working(candidate="torch=2.15.0", fingerprint=OTHER_GPU)))
        assert decision.mode is Mode.EAGER
        assert standing_of(decision, "mended").candidate == "torch=2.15.0"

    def it_is_a_success_before_production_changed(self) -> None:
        later = History("kronos", probes=(probed("eager", 0.05, fingerprint=OTHER_GPU),))
        decision = judged(joined(working(), later))
        assert decision.mode is Mode.EAGER
        assert criterion(decision, CriterionName.COMPILED_ITERATIONS).explanation == (
            "mended was measured before production's environment changed"
        )

    def it_is_a_failure_in_one_of_the_regimes(self) -> None:
        growing = probed("mended", regime=Regime.GROWING, passed=0, outcome=Outcome.DEGRADED_TO_EAGER)
        assert judged(joined(working(), History("kronos", probes=(growing,)))).mode is Mode.EAGER

    def it_is_an_old_comparison_even_when_the_probes_are_fresh(self) -> None:
        fresh = replace(working(days=0.1), comparisons=())
        decision = judged(joined(working(days=9), fresh))
        assert decision.mode is Mode.EAGER
        assert criterion(decision, CriterionName.ACCURACY).state is CriterionState.UNKNOWN

    def it_is_a_comparison_with_an_eager_run_on_another_device(self) -> None:
        eager, variant = on_cpu("eager"), probed("mended")
        history = History("kronos", probes=(eager, variant), comparisons=(compared(eager, variant),))
        assert judged(history).mode is Mode.EAGER


def it_never_takes_a_layer_of_the_compiler_for_a_way_to_run() -> None:
    history = working("layer_aot_autograd")
    assert judged(history).variant is None
    assert {item.variant for item in judged(history).standings} == {"eager"}
    failing = joined(BROKEN, History("kronos", probes=(probed("layer_dynamo", passed=0, torch="2.15.0"),)))
    assert judged(failing) == judged(BROKEN)


def it_does_not_hold_against_a_variant_that_its_torch_is_too_old() -> None:
    waiting = probed("compiled_generation_cloning", passed=0, outcome=Outcome.SKIPPED)
    decision = judged(joined(BROKEN, History("kronos", probes=(waiting,))))
    assert decision.confidence is judged(BROKEN).confidence
    standing = standing_of(decision, "compiled_generation_cloning")
    assert (standing.passed, standing.failed, standing.broken, standing.admissible) == (0, 0, False, False)


def it_leaves_other_targets_out() -> None:
    foreign = tuple(replace(probe, target="toto") for probe in working().probes)
    assert judged(History("kronos", probes=foreign)).standings == ()


def it_knows_when_nothing_has_changed() -> None:
    decision = judged(BROKEN)
    again = decide(BROKEN, decision, RULES, NOW + timedelta(minutes=5))
    assert unchanged(decision, again)
    assert not unchanged(decision, judged(working()))
    assert not unchanged(None, decision)


def it_judges_by_the_rules_it_is_given() -> None:
    strict = RULES.model_copy(update={"required_iterations": 10})
    assert judged(working(), rules=strict).mode is Mode.EAGER
    patient = RULES.model_copy(update={"stale_after_days": 30.0})
    assert judged(working(days=8), rules=patient).mode is Mode.COMPILED
