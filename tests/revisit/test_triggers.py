"""A newer torch or Kronos is a reason to probe: met when it mends, unknown while untried."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kronos_health.domain.probes import AccuracyState, Outcome
from kronos_health.domain.revisit import CriterionName, CriterionState, Decision, History
from kronos_health.domain.upstream import Look
from tests.revisit.facts import (
    BASELINE,
    OTHER_GPU,
    SEEN,
    UNSEEN,
    criterion,
    days_ago,
    joined,
    judged,
    on_cpu,
    probed,
    released,
    revision,
    working,
)
from tests.support.steps import refused

BROKEN = History("kronos", probes=(probed("eager", 1), probed("compiled", 1, passed=0)))
RELEASES = released("2.12.0", "2.13.0", "2.14.0", "2.15.0")
TRY_2_15 = {"candidate": "torch=2.15.0", "torch": "2.15.0", "fingerprint": OTHER_GPU}


def _torch(*histories: History, **changes: object) -> tuple[CriterionState, str, str]:
    found = {"releases": RELEASES, "release_look": SEEN, "production_torch": "2.13.0+cu130", **changes}
    decision = judged(joined(BROKEN, *histories, **found))
    return _told(decision, CriterionName.TORCH_RELEASE)


def _told(decision: Decision, name: CriterionName) -> tuple[CriterionState, str, str]:
    first = criterion(decision, name)
    return first.state, first.value, first.explanation


class DescribeTorchRelease:
    def it_is_unknown_while_nobody_tried_the_newest(self) -> None:
        assert _torch() == (
            CriterionState.UNKNOWN,
            "torch 2.15.0, untried",
            "torch 2.15.0 was not tried on CUDA to a conclusion",
        )

    def it_is_met_when_a_compiled_variant_passes_with_it(self) -> None:
        state, value, told = _torch(working(**TRY_2_15))
        assert (state, value) == (CriterionState.MET, "torch 2.15.0 passes")
        assert told == "mended with torch=2.15.0 passes with torch 2.15.0 on CUDA"

    def it_is_met_by_an_older_one_of_the_new_releases(self) -> None:
        state, value, _ = _torch(working(**{**TRY_2_15, "torch": "2.14.0", "candidate": "torch=2.14.0"}))
        assert (state, value) == (CriterionState.MET, "torch 2.14.0 passes")

    def it_is_not_met_when_the_newest_was_tried_and_fails(self) -> None:
        failing = (probed("compiled", passed=0, **TRY_2_15), probed("mended", passed=0, **TRY_2_15))
        state, value, told = _torch(History("kronos", probes=failing))
        assert (state, value) == (CriterionState.NOT_MET, "torch 2.15.0 fails")
        assert "compiled: 0 of 5, graph_reuse; mended: 0 of 5, graph_reuse" in told

    def it_is_still_open_when_one_variant_failed_and_another_is_half_way(self) -> None:
        trying = (probed("compiled", passed=0, **TRY_2_15), probed("mended", passed=3, requested=3, **TRY_2_15))
        assert _torch(History("kronos", probes=trying))[0] is CriterionState.UNKNOWN

    def it_is_unknown_when_it_was_tried_on_a_cpu_only(self) -> None:
        cpu = on_cpu("mended", torch="2.15.0+cpu", candidate="torch=2.15.0")
        assert _torch(History("kronos", probes=(cpu,)))[0] is CriterionState.UNKNOWN

    def it_is_not_met_when_it_passes_with_worse_forecasts(self) -> None:
        history = working(**TRY_2_15)
        worse = tuple(replace(item, accuracy=AccuracyState.FAIL) for item in history.comparisons)
        state, _, told = _torch(replace(history, comparisons=worse))
        assert state is CriterionState.NOT_MET
        assert "mended: worse than eager" in told

    def it_is_not_met_when_production_has_the_newest(self) -> None:
        assert _torch(releases=released("2.12.0", "2.13.0"))[:2] == (CriterionState.NOT_MET, "2.13.0 is the newest")

    def it_takes_a_build_for_its_release(self) -> None:
        assert _torch(releases=released("2.13.0"), production_torch="2.13.0+cpu")[0] is CriterionState.NOT_MET

    def it_is_unknown_while_the_index_cannot_be_asked(self) -> None:
        state, _, told = _torch(releases=released("2.13.0"), release_look=UNSEEN)
        assert state is CriterionState.UNKNOWN
        assert "unknown since 2026-11-20 12:00 UTC (the index does not answer)" in told

    def it_is_unknown_before_the_first_look(self) -> None:
        state, _, told = _torch(releases=(), release_look=None)
        assert (state, told) == (CriterionState.UNKNOWN, "torch releases: never looked up")

    def it_is_unknown_when_nobody_knows_what_production_runs(self) -> None:
        decision = judged(History("kronos", probes=BASELINE, releases=RELEASES, release_look=SEEN))
        assert _told(decision, CriterionName.TORCH_RELEASE)[:2] == (CriterionState.UNKNOWN, "newest 2.15.0")

    def it_counts_the_upgrade_that_mended_production(self) -> None:
        upgraded = working("compiled", 0.05, torch="2.15.0", fingerprint=OTHER_GPU)
        assert _torch(upgraded, production_torch="2.15.0")[:2] == (CriterionState.MET, "torch 2.15.0 passes")

    def it_rests_on_the_release_and_the_probes(self) -> None:
        decision = judged(joined(BROKEN, working(**TRY_2_15), releases=RELEASES, production_torch="2.13.0"))
        tables = [row.table for row in criterion(decision, CriterionName.TORCH_RELEASE).evidence]
        assert tables == ["upstream_release", "probe"]

    def it_makes_the_untried_release_the_next_step(self) -> None:
        decision = judged(joined(BROKEN, releases=RELEASES, release_look=SEEN, production_torch="2.13.0"))
        assert decision.next_step == (
            "kronos-health probe --target kronos --candidate torch=2.15.0 --variant all  # on a host with CUDA"
        )
        assert refused(decision.next_step) is None

    def it_makes_the_mending_release_the_next_step(self) -> None:
        decision = judged(joined(BROKEN, working(**TRY_2_15), releases=RELEASES, production_torch="2.13.0"))
        assert decision.next_step.endswith("after updating production to torch 2.15.0")


OLD, FIX = "a" * 40, "b" * 40
WATCHED = {
    "head": revision("a", "HEAD", True),
    "remote": revision("b"),
    "revision_look": Look("kronos origin/HEAD", days_ago(0), None, None),
    "known_commits": frozenset({OLD, FIX}),
}
ON_OLD = {"target_revision": f"{OLD[:12]}+0123456789ab"}
ON_FIX = {"target_revision": f"{FIX[:12]}+0123456789ab", "fingerprint": OTHER_GPU}
FAILING = History("kronos", probes=(probed("eager", 1, **ON_OLD), probed("compiled", 1, passed=0, **ON_OLD)))


def _kronos(*histories: History, **changes: object) -> tuple[CriterionState, str, str]:
    decision = judged(joined(FAILING, *histories, **{**WATCHED, **changes}))
    return _told(decision, CriterionName.KRONOS_UPDATE)


class DescribeKronosUpdate:
    def it_is_unknown_while_nobody_tried_the_new_commit(self) -> None:
        assert _kronos()[:2] == (CriterionState.UNKNOWN, "revision bbbbbbbbbbbb, untried")

    def it_is_met_when_a_compiled_variant_passes_with_it(self) -> None:
        tried = working("compiled", candidate="kronos=origin/HEAD", **ON_FIX)
        assert _kronos(tried)[:2] == (CriterionState.MET, "revision bbbbbbbbbbbb passes")

    def it_is_not_met_when_it_was_tried_and_fails(self) -> None:
        tried = probed("compiled", passed=0, candidate="kronos=origin/HEAD", **ON_FIX)
        assert _kronos(History("kronos", probes=(tried,)))[:2] == (
            CriterionState.NOT_MET,
            "revision bbbbbbbbbbbb fails",
        )

    def it_is_not_met_when_production_has_the_newest(self) -> None:
        same = {"remote": revision("a", contained=True), "known_commits": frozenset({OLD})}
        assert _kronos(**same)[:2] == (CriterionState.NOT_MET, "the newest is the one that fails")
        quiet = joined(History("kronos"), **{**WATCHED, **same})
        assert _told(judged(quiet), CriterionName.KRONOS_UPDATE)[:2] == (
            CriterionState.NOT_MET,
            "production has the newest",
        )

    def it_counts_the_update_that_mended_production(self) -> None:
        deployed = {"head": revision("b", "HEAD", True), "remote": revision("b", contained=True)}
        state, value, _ = _kronos(working("compiled", 0.05, **ON_FIX), **deployed)
        assert (state, value) == (CriterionState.MET, "revision bbbbbbbbbbbb passes")

    def it_judges_productions_own_commit_where_that_holds_upstreams_newest(self) -> None:
        patched = "c" * 40
        deployed = {"head": revision("c", "HEAD", True), "remote": revision("b", contained=True),
                    "known_commits": frozenset({OLD, FIX, patched})}  # fmt: skip
        on_patched = {"target_revision": f"{patched[:12]}+0123456789ab", "fingerprint": OTHER_GPU}
        assert _kronos(working("compiled", 0.05, **on_patched), **deployed)[0] is CriterionState.MET

    def it_is_unknown_while_the_remote_cannot_be_asked(self) -> None:
        unseen = replace(UNSEEN, subject="kronos origin/HEAD")
        same = {"remote": revision("a", contained=True), "revision_look": unseen}
        state, _, told = _kronos(**same)
        assert state is CriterionState.UNKNOWN
        assert "unknown since" in told
        assert _kronos(head=None, remote=None, revision_look=unseen)[0] is CriterionState.UNKNOWN

    def it_is_unknown_for_a_target_without_a_checkout(self) -> None:
        decision = judged(FAILING)
        assert _told(decision, CriterionName.KRONOS_UPDATE) == (
            CriterionState.UNKNOWN,
            "no revision known",
            "no upstream checkout is watched for this target",
        )

    @pytest.mark.parametrize("foreign", ["sktime-1.2.0+0123456789ab", f"{'e' * 12}+0123456789ab", None])
    def it_does_not_compare_a_foreign_revision_with_the_remote(self, foreign: str | None) -> None:
        failing = probed("compiled", passed=0, outcome=Outcome.TIMEOUT, target_revision=foreign)
        same = {**WATCHED, "remote": revision("a", contained=True)}
        decision = judged(History("kronos", probes=(failing,), **same))  # type: ignore[arg-type]
        assert _told(decision, CriterionName.KRONOS_UPDATE)[:2] == (
            CriterionState.NOT_MET,
            "production has the newest",
        )
