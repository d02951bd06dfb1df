"""The switch, from the rows that propose it to the restarted production: answered, written, watched, taken back."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.checks import switching
from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.revisiting import revisit
from kronos_health.checks.scanning import scan
from kronos_health.checks.watching import record_deployment, watch
from kronos_health.domain.revisit import Mode
from kronos_health.domain.switch import Switch, SwitchState
from kronos_health.store.database import writing
from tests.checks.conftest import Clock, MakeContext
from tests.support.history_switch import break_compiled, insert_campaign_of, insert_compiled_history

S = SwitchState
Rows = Callable[[str], list[dict[str, Any]]]
EXAMPLE = (Path(__file__).parents[2] / "examples" / "production" / ".env.compile").read_text(encoding="utf-8")
REUSE = "RuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run."


class Trading:
    """A production to switch: its file, its log, and a history by which the decision says COMPILED."""

    def __init__(self, make: MakeContext, clock: Clock, folder: Path, **switch: Any) -> None:
        self.file, self.log, self.clock = folder / ".env.compile", folder / "trade.log", clock
        self.file.write_text(EXAMPLE)
        self.file.chmod(0o640)
        self.log.write_text("")
        self.context: Context = make(
            production={"env_file": self.file},
            switch={"enabled": True, "predictions": 3, **switch},
            sources={"trade": {"path": str(self.log)}},
            upstream={"timeout_seconds": 5},
        )

    def propose(self) -> Switch:
        (decision,) = revisit(self.context)
        assert decision.mode is Mode.COMPILED, decision.reason
        return self.waiting()

    def waiting(self) -> Switch:
        found = switching.waiting(switching.listed(self.context))
        assert found is not None
        return found

    def states(self) -> list[str]:
        return [one.state.value for one in switching.listed(self.context)]

    def restart(self) -> None:
        self.clock.move(minutes=5)
        record_deployment(self.context, "restarted by the test")

    def predict(self, count: int, milliseconds: int = 1800) -> None:
        for _prediction in range(count):
            self.clock.move(minutes=1)
            self._line(f"INFO Kronos prediction completed for ETHUSD in {milliseconds:,} ms")
        self._scan()

    def fail(self) -> None:
        self.clock.move(minutes=1)
        self._line("ERROR Kronos prediction failed for ETHUSD")
        with self.log.open("a") as log:
            log.write(REUSE + "\n")
        self._scan()

    def _line(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(f"{self.clock.now:%Y-%m-%d %H:%M:%S},000 {text}\n")

    def _scan(self) -> None:
        self.clock.move(minutes=1)
        self._line("INFO idle")
        os.utime(self.log, (1, 1))  # idle since long: its last record has ended
        scan(self.context, "trade")
        self.clock.move(minutes=1)


@pytest.fixture
def trading(make_context: MakeContext, clock: Clock, tmp_path: Path, engine: Engine) -> Trading:
    with writing(engine) as connection:
        insert_compiled_history(connection, clock.now)
    return Trading(make_context, clock, tmp_path)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")


def it_proposes_once_with_evidence_and_diff_and_tells_once(trading: Trading, rows: Rows) -> None:
    proposal = trading.propose()
    revisit(trading.context)
    assert trading.states() == ["proposed"]
    assert "-# export KRONOS_COMPILE=1\n+export KRONOS_COMPILE=1" in proposal.diff
    assert "compiled_iterations: met (" in proposal.summary
    assert "40 of 40 fresh processes passed" in proposal.summary
    assert "Rows: probe:" in proposal.summary
    assert trading.file.read_text() == EXAMPLE, "nothing is written before a person says so"
    assert rows("SELECT kind FROM outbox WHERE fingerprint LIKE 'switch_proposed%'") == [{"kind": "fired"}]


def it_writes_what_was_approved_and_passes_by_the_deployment_checks(trading: Trading, rows: Rows) -> None:
    trading.propose()
    done = switching.answer(trading.context, True, "ann", "measured")
    assert (done.state, done.who, done.reason, done.by_hand) == (S.WRITTEN, "ann", "measured", False)
    assert trading.file.read_text() == EXAMPLE.replace("# export KRONOS_COMPILE=1", "export KRONOS_COMPILE=1")
    assert trading.file.stat().st_mode & 0o777 == 0o640
    assert Path(done.backup or "").read_text() == EXAMPLE
    trading.predict(5)
    switching.advance(trading.context)
    assert trading.states() == ["written"], "these were predicted by a process that runs since before"
    trading.restart()
    trading.predict(2)
    switching.advance(trading.context)
    assert trading.states() == ["written"], "two predictions say too little"
    trading.predict(2)
    for _again in range(3):
        switching.advance(trading.context)
    assert trading.states() == ["passed"], "faster than eager's bounds is no fault"
    told = rows("SELECT fingerprint FROM outbox WHERE fingerprint LIKE 'switch_settled%'")
    assert sorted(row["fingerprint"].rpartition("/")[2] for row in told) == ["passed", "written"]


def it_proposes_the_way_back_when_a_check_fails_and_takes_it_to_the_byte(trading: Trading, rows: Rows) -> None:
    trading.propose()
    written = switching.answer(trading.context, True, "ann", "")
    trading.restart()
    trading.fail()
    switching.advance(trading.context)
    assert trading.states() == ["failed", "proposed"]
    back = trading.waiting()
    assert back.undoes == written.switch_id
    assert "outputs overwritten by a subsequent run: 1" in back.summary
    assert "-export KRONOS_COMPILE=1\n+# export KRONOS_COMPILE=1" in back.diff
    severity = rows(f"SELECT severity FROM alert WHERE fingerprint = 'switch_proposed:kronos/{back.switch_id}'")
    assert severity == [{"severity": "critical"}]
    told = rows("SELECT fingerprint FROM outbox WHERE fingerprint LIKE 'switch_settled%'")
    assert [row["fingerprint"].rpartition("/")[2] for row in told] == ["written"], "the way back says what failed"
    switching.answer(trading.context, True, "bob", "at once")
    assert trading.states() == ["rolled_back", "written"]
    assert trading.file.read_text() == EXAMPLE
    revisit(trading.context)
    assert trading.states() == ["rolled_back", "written"], "the same evidence does not propose it again"


def it_remembers_a_rejection_until_the_evidence_changes(trading: Trading, engine: Engine, clock: Clock) -> None:
    trading.propose()
    done = switching.answer(trading.context, False, "ann", "not before the release")
    assert (done.state, done.reason) == (S.REJECTED, "not before the release")
    with writing(engine) as connection:
        (environment,) = connection.exec_driver_sql("SELECT id FROM environment").scalars().all()
        clock.move(days=1)
        insert_campaign_of(connection, environment, "compiled", clock.now)
    revisit(trading.context)
    assert trading.states() == ["rejected"], "another night of the same is no other evidence"
    assert trading.file.read_text() == EXAMPLE
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE environment SET fingerprint = 'another driver'")
    revisit(trading.context)
    assert trading.states() == ["rejected", "proposed"]


def it_writes_nothing_over_a_file_that_changed_meanwhile_and_proposes_anew(trading: Trading) -> None:
    trading.propose()
    edited = EXAMPLE.replace("KRONOS_SAMPLE_COUNT=8", "KRONOS_SAMPLE_COUNT=16")
    trading.file.write_text(edited)
    done = switching.answer(trading.context, True, "ann", "")
    assert (done.state, done.problem) == (S.WITHDRAWN, "the file was changed meanwhile")
    assert trading.file.read_text() == edited
    assert trading.states() == ["withdrawn", "proposed"]
    switching.answer(trading.context, True, "ann", "")
    assert trading.file.read_text() == edited.replace("# export KRONOS_COMPILE=1", "export KRONOS_COMPILE=1")


def it_keeps_edits_made_since_when_it_takes_a_change_back(trading: Trading) -> None:
    trading.propose()
    switching.answer(trading.context, True, "ann", "")
    trading.file.write_text(trading.file.read_text().replace("KRONOS_SAMPLE_COUNT=8", "KRONOS_SAMPLE_COUNT=16"))
    switching.roll_back(trading.context, "bob", "too early")
    assert trading.file.read_text() == EXAMPLE.replace("KRONOS_SAMPLE_COUNT=8", "KRONOS_SAMPLE_COUNT=16")
    with pytest.raises(CheckError, match="nothing to take back"):
        switching.roll_back(trading.context, "bob", "again")


def it_withdraws_a_proposal_that_the_decision_no_longer_makes(trading: Trading, engine: Engine, clock: Clock) -> None:
    trading.propose()
    with writing(engine) as connection:
        clock.move(hours=5)
        break_compiled(connection, clock.now)
    (decision,) = revisit(trading.context)
    assert decision.mode is Mode.EAGER
    assert trading.states() == ["withdrawn"]
    with pytest.raises(CheckError, match="no proposal waits"):
        switching.answer(trading.context, True, "ann", "")


def it_only_records_where_writing_is_off_and_notices_the_diff_applied_by_hand(
    make_context: MakeContext, clock: Clock, tmp_path: Path, engine: Engine
) -> None:
    with writing(engine) as connection:
        insert_compiled_history(connection, clock.now)
    trading = Trading(make_context, clock, tmp_path, enabled=False)
    trading.propose()
    done = switching.answer(trading.context, True, "ann", "")
    assert (done.state, done.by_hand, trading.file.read_text()) == (S.APPROVED, True, EXAMPLE)
    assert "writing is off" in (done.problem or "")
    # By hand it is never written to the byte: the values count.
    trading.file.write_text(f"{EXAMPLE}\n# ann, today:\nexport KRONOS_COMPILE=1\n")
    assert watch(trading.context).drifts == (), "an approved change is no drift"
    assert trading.states() == ["written"]


def it_asks_for_the_change_of_code_that_a_mitigated_variant_needs(
    make_context: MakeContext, clock: Clock, tmp_path: Path, engine: Engine
) -> None:
    mended = "compiled_static_rope_mark_step"
    with writing(engine) as connection:
        insert_compiled_history(connection, clock.now, mended)
    trading = Trading(make_context, clock, tmp_path)
    proposal = trading.propose()
    assert "Production's code has to change first: KRONOS_COMPILE=1, make the rotary tables once" in proposal.summary
    done = switching.answer(trading.context, True, "ann", "")
    assert (done.state, done.by_hand, trading.file.read_text()) == (S.APPROVED, True, EXAMPLE)


def it_writes_a_mitigated_variant_that_production_carries_with_what_it_needs(
    make_context: MakeContext, clock: Clock, tmp_path: Path, engine: Engine
) -> None:
    mended = "compiled_static_rope_mark_step"
    with writing(engine) as connection:
        insert_compiled_history(connection, clock.now, mended)
    trading = Trading(make_context, clock, tmp_path, carried={mended: {"KRONOS_STATIC_ROPE": "1"}})
    proposal = trading.propose()
    assert dict(proposal.changes) == {"KRONOS_COMPILE": "1", "KRONOS_STATIC_ROPE": "1"}
    assert switching.answer(trading.context, True, "ann", "").state is S.WRITTEN


def it_follows_the_switch_with_what_it_expects_of_production(trading: Trading) -> None:
    trading.propose()
    switching.answer(trading.context, True, "ann", "")
    assert watch(trading.context).drifts == ()
    trading.file.write_text(trading.file.read_text().replace("TOTO_DISABLE_COMPILE=1", "TOTO_DISABLE_COMPILE=0"))
    assert [drift.key for drift in watch(trading.context).drifts] == ["TOTO_DISABLE_COMPILE"], "the rest still counts"
    switching.roll_back(trading.context, "bob", "back")
    trading.file.write_text(EXAMPLE.replace("# export KRONOS_COMPILE=1", "export KRONOS_COMPILE=1"))
    assert [drift.key for drift in watch(trading.context).drifts] == ["KRONOS_COMPILE"]


def it_writes_through_a_link_and_leaves_it_one(trading: Trading, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real"
    real.parent.mkdir()
    trading.file.rename(real)
    trading.file.symlink_to(real)
    trading.propose()
    done = switching.answer(trading.context, True, "ann", "")
    assert (done.state, trading.file.is_symlink(), Path(done.backup or "").parent) == (S.WRITTEN, True, real.parent)
    assert "\nexport KRONOS_COMPILE=1" in real.read_text()


def it_goes_on_trying_what_cannot_be_written_yet(trading: Trading, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    trading.propose()

    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kronos_health.upstream.env_file._put", full)
        done = switching.answer(trading.context, True, "ann", "")
        assert done.state is S.APPROVED
        assert "No space left on device" in (done.problem or "")
        told = "SELECT kind FROM outbox WHERE fingerprint LIKE 'checker_unhealthy:switch%'"
        assert rows(told) == [{"kind": "fired"}]
    switching.advance(trading.context)
    assert trading.states() == ["written"]
    assert sorted(row["kind"] for row in rows(told)) == ["fired", "resolved"]


def it_masks_secrets_that_stand_beside_the_change(trading: Trading) -> None:
    trading.file.write_text(
        EXAMPLE.replace("# Kronos: eager is", "export ALPACA_SECRET_KEY=hunter2hunter2\n# Kronos: is")
    )
    diff = trading.propose().diff
    assert "hunter2" not in diff
    assert "ALPACA_SECRET_KEY=***" in diff


def it_lets_one_run_ask_at_a_time(trading: Trading, clock: Clock) -> None:
    trading.propose()
    first = switching.claim(trading.context, "run 1")
    assert first is not None
    assert switching.claim(trading.context, "run 2") is None
    assert switching.claim(trading.context, "run 1") is not None, "a task that tries again goes on asking"
    assert switching.claim(trading.context, "by hand", insist=True) is not None
    switching.release(trading.context, "by hand")
    assert switching.claim(trading.context, "run 3") is not None
    clock.now += timedelta(hours=169)
    assert switching.claim(trading.context, "run 4") is not None, "run 3 has waited long enough"


def it_cannot_propose_what_only_a_person_can_edit_and_says_so(trading: Trading) -> None:
    trading.file.write_text(f"{EXAMPLE}source ./more.env\n")
    revisit(trading.context)
    done = switching.advance(trading.context)
    assert done.waiting is None
    assert "sources other files" in done.problems[0]
