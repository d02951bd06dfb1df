"""What a proposal becomes by what is seen, and when one is made: every promise of the switch, without a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.revisit import Confidence, Decision, Mode
from kronos_health.domain.switch import Switch, SwitchState
from kronos_health.revisit.switching import (
    Answer,
    Expectations,
    File,
    NotPossible,
    Seen,
    answered,
    evidence_key,
    expectations,
    held_back,
    in_the_way,
    settle,
    taken_back,
    wants_switch,
    wants_way_back,
)
from tests.revisit.facts import GPU, NOW, OTHER_GPU, joined, judged, working

S = SwitchState
LATER = NOW + timedelta(hours=1)


def proposed(decision: Decision | None = None, **changes: object) -> Switch:
    decision = decision or judged(working())
    one = Switch(
        switch_id="s1",
        target=decision.target,
        variant=decision.variant or "",
        decision_id="d1",
        evidence_key=evidence_key(decision),
        confidence=decision.confidence,
        state=S.PROPOSED,
        proposed_at=NOW,
        file="/srv/.env.compile",
        before_sha256="b",
        after_sha256="a",
        diff="",
        changes=(("KRONOS_COMPILE", "1"),),
        former=(("KRONOS_COMPILE", None),),
        summary="",
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def seen(
    file: File = File.AS_BEFORE, still_proposed: bool = True, checks: Answer = Answer.UNKNOWN, found: str = ""
) -> Seen:
    return Seen(LATER, file, still_proposed, checks, found)


def rejected(decision: Decision | None = None) -> Switch:
    return answered(proposed(decision), False, "ann", "not this week", LATER)


class DescribeSettling:
    @pytest.mark.parametrize("state", [S.PROPOSED, S.APPROVED])
    def it_counts_as_written_what_the_file_holds_whoever_wrote_it(self, state: SwitchState) -> None:
        done = settle(proposed(state=state), seen(File.AS_PROPOSED))
        assert (done.state, done.written_at, done.by_hand) == (S.WRITTEN, LATER, state is S.PROPOSED)

    @pytest.mark.parametrize("state", [S.PROPOSED, S.APPROVED])
    def it_withdraws_what_was_made_from_another_file(self, state: SwitchState) -> None:
        done = settle(proposed(state=state), seen(File.OTHERWISE))
        assert (done.state, done.problem) == (S.WITHDRAWN, "the file was changed meanwhile")

    def it_withdraws_what_the_decision_no_longer_says(self) -> None:
        assert settle(proposed(), seen(still_proposed=False)).state is S.WITHDRAWN

    def it_changes_nothing_while_the_file_cannot_be_read(self) -> None:
        assert settle(proposed(), seen(File.UNREADABLE)) == proposed()

    @pytest.mark.parametrize(
        ("checks", "state"), [(Answer.GOOD, S.PASSED), (Answer.BAD, S.FAILED), (Answer.UNKNOWN, S.WRITTEN)]
    )
    def it_passes_or_fails_by_the_deployment_checks(self, checks: Answer, state: SwitchState) -> None:
        written = proposed(state=S.WRITTEN, written_at=NOW)
        assert settle(written, seen(File.AS_PROPOSED, checks=checks, found="x")).state is state

    def it_is_taken_back_when_the_file_holds_the_former_values_again(self) -> None:
        assert settle(proposed(state=S.PASSED), seen(File.AS_BEFORE)).state is S.ROLLED_BACK

    @given(
        st.sampled_from(S), st.sampled_from(File), st.booleans(), st.sampled_from(Answer), st.sampled_from([None, "s0"])
    )
    def it_settles_at_once_and_never_writes_by_itself(
        self, state: SwitchState, file: File, still: bool, checks: Answer, undoes: str | None
    ) -> None:
        facts = seen(file, still, checks)
        once = settle(proposed(state=state, undoes=undoes), facts)
        assert settle(settle(once, facts), facts) == settle(once, facts)
        assert once.state is not S.APPROVED or state is S.APPROVED, "only a person approves"
        if state not in (S.PROPOSED, S.APPROVED) or file is not File.AS_PROPOSED:
            assert once.state is not S.WRITTEN or state is S.WRITTEN
        assert not (state in (S.REJECTED, S.WITHDRAWN, S.ROLLED_BACK) and once.state is not state), "these are the end"


class DescribeAnswers:
    def it_keeps_who_said_what_when_and_why(self) -> None:
        yes = answered(proposed(), True, " ann ", "measured it myself", LATER)
        assert (yes.state, yes.who, yes.reason, yes.answered_at) == (S.APPROVED, "ann", "measured it myself", LATER)

    def it_takes_the_same_answer_twice_and_no_other_one(self) -> None:
        yes = answered(proposed(), True, "ann", "", LATER)
        assert answered(replace(yes, state=S.WRITTEN), True, "ann", "", LATER).state is S.WRITTEN
        with pytest.raises(NotPossible, match="approved already by ann"):
            answered(yes, False, "bob", "no", LATER)

    @pytest.mark.parametrize(("who", "reason"), [("ann", " "), ("", "why not")])
    def it_needs_a_name_and_for_a_rejection_a_reason(self, who: str, reason: str) -> None:
        with pytest.raises(NotPossible):
            answered(proposed(), False, who, reason, LATER)

    def it_says_what_became_of_what_is_no_longer_open(self) -> None:
        gone = settle(proposed(), seen(File.OTHERWISE))
        with pytest.raises(NotPossible, match="withdrawn already: the file was changed meanwhile"):
            answered(gone, True, "ann", "", LATER)


class DescribeProposing:
    def it_proposes_what_the_decision_says_and_nothing_else(self) -> None:
        assert wants_switch(judged(working()), [])
        assert judged(joined()).mode is Mode.EAGER
        assert not wants_switch(judged(joined()), [])

    def it_has_one_open_at_a_time_and_waits_for_the_checks_of_the_last(self) -> None:
        for state in (S.PROPOSED, S.APPROVED, S.WRITTEN):
            other = proposed(target="toto", state=state)
            assert in_the_way([other]) == other
            assert not wants_switch(judged(working()), [other])
        assert wants_switch(judged(working()), [proposed(target="toto", state=S.PASSED)])

    def it_does_not_ask_again_for_what_production_runs(self) -> None:
        assert not wants_switch(judged(working()), [proposed(state=S.PASSED)])

    def it_remembers_a_rejection_through_more_of_the_same_evidence(self) -> None:
        week = joined(*(working(days=day) for day in range(7, 0, -1)))
        no = rejected(judged(week))
        again = judged(joined(week, working(days=0.05)))
        assert (again.mode, again.confidence) == (Mode.COMPILED, no.confidence)
        assert held_back(again, [no]) == no

    def it_asks_again_when_the_environment_changed(self) -> None:
        moved = judged(working(fingerprint=OTHER_GPU))
        assert GPU != OTHER_GPU
        assert held_back(moved, [rejected()]) is None

    def it_asks_again_when_it_is_surer_and_not_when_it_is_less_sure(self) -> None:
        decision = replace(judged(working()), confidence=Confidence.HIGH)
        no = rejected(decision)
        assert held_back(replace(decision, confidence=Confidence.VERY_HIGH), [no]) is None
        assert held_back(replace(decision, confidence=Confidence.LOW), [no]) == no

    def it_holds_a_failure_against_the_same_evidence(self) -> None:
        for state in (S.FAILED, S.ROLLED_BACK):
            assert not wants_switch(judged(working()), [proposed(state=state)])


class DescribeTheWayBack:
    def it_is_wanted_once_for_what_failed(self) -> None:
        failed = proposed(state=S.FAILED)
        back = proposed(switch_id="s2", undoes="s1")
        assert wants_way_back([failed]) == failed
        assert wants_way_back([failed, back]) is None
        assert wants_way_back([failed, replace(back, state=S.REJECTED)]) is None
        assert wants_way_back([failed, replace(back, state=S.WITHDRAWN)]) == failed

    def it_ends_what_it_takes_back_and_says_who_asked(self) -> None:
        back = replace(proposed(switch_id="s2", undoes="s1"), who="bob", reason="slow", written_at=LATER)
        gone = taken_back(proposed(state=S.FAILED, reason="ann said so"), back)
        assert (gone.state, gone.settled_at, gone.problem) == (S.ROLLED_BACK, LATER, "asked for by bob: slow")
        assert gone.reason == "ann said so"


class DescribeExpectations:
    BASE = Expectations({"TOTO_DISABLE_COMPILE": "1"}, {"KRONOS_COMPILE": "1"})

    @pytest.mark.parametrize("state", [S.WRITTEN, S.PASSED, S.FAILED])
    def it_follows_what_was_approved_and_written(self, state: SwitchState) -> None:
        moved = expectations(self.BASE, [proposed(state=state, written_at=NOW)])
        assert moved == Expectations({"TOTO_DISABLE_COMPILE": "1", "KRONOS_COMPILE": "1"}, {})

    @pytest.mark.parametrize("state", [S.PROPOSED, S.APPROVED, S.REJECTED, S.WITHDRAWN, S.ROLLED_BACK])
    def it_is_as_it_was_for_what_is_not_in_force(self, state: SwitchState) -> None:
        assert expectations(self.BASE, [proposed(state=state)]) == self.BASE

    def it_holds_a_process_to_what_held_when_it_was_started(self) -> None:
        switch = proposed(state=S.WRITTEN, written_at=NOW)
        assert expectations(self.BASE, [switch], NOW - timedelta(minutes=1)) == self.BASE
        assert expectations(self.BASE, [switch], LATER).expected["KRONOS_COMPILE"] == "1"

    def it_forbids_nothing_it_does_not_know_when_a_variable_is_to_be_unset(self) -> None:
        unset = proposed(target="toto", state=S.PASSED, written_at=NOW, changes=(("TOTO_DISABLE_COMPILE", None),))
        assert expectations(self.BASE, [unset]) == Expectations({}, {"KRONOS_COMPILE": "1"})
