"""What rehearsals found, and whether they said what CUDA did: on both databases, and on every face."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Connection, delete, update

from kronos_health.history import words
from kronos_health.history.facts import AgreementFacts
from kronos_health.history.page import health_page
from kronos_health.history.report import write_report
from kronos_health.history.screen import render_status
from kronos_health.history.status import build_status
from kronos_health.store.tables.probes import environment, probe
from tests.support.history import MENDED, History
from tests.support.history_probes import insert_probe

HANDED = "output 1 of Kronos.decode_s1, handed to Kronos.decode_s2 as context"
ROTARY = "model.transformer[0].self_attn.rotary.cos_cached"


@pytest.fixture
def add(connection: Connection, recorded: History, now: datetime) -> Any:
    """Add a probe on CUDA or a rehearsal, the newest of all."""

    def added(variant: str, *, rehearsed: bool, broken: bool = False) -> str:
        place = recorded.cpu_environment if rehearsed else recorded.cuda_environment
        at, flags = now - timedelta(minutes=30), {"on_cpu": rehearsed, "rehearsed": rehearsed, "broken": broken}
        return insert_probe(connection, recorded.campaigns[-1], place, variant, at, **flags)

    return added


def screen(connection: Connection, now: datetime) -> str:
    console = Console(width=160, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(render_status(build_status(connection, now, ["kronos"])))
    return capture.get()


class DescribeAgreement:
    def it_compares_the_newest_of_each_variant_with_the_same_torch_and_code(self, ask: Any) -> None:
        (row,) = ask("rehearsal_agreement")
        assert (row["variant"], row["rehearsed"], row["measured"]) == ("compiled", "graph_reuse", "graph_reuse")
        assert (row["agrees"], row["same_line"]) == (True, True)
        assert row["torch_release"] == "2.13.0", "builds for CPU and CUDA are the same torch"

    def it_counts_where_a_rehearsal_was_wrong(self, connection: Connection, ask: Any, add: Any, now: datetime) -> None:
        add(MENDED, rehearsed=True)
        add(MENDED, rehearsed=False, broken=True)
        rows = {row["variant"]: row for row in ask("rehearsal_agreement", target="kronos")}
        assert (rows["compiled"]["agrees"], rows[MENDED]["agrees"]) == (True, False)
        assert rows[MENDED]["same_line"] is None
        assert f"Rehearsal agreed with CUDA in 1 of 2 variants; not in {MENDED}" in screen(connection, now)

    def it_agrees_where_both_pass(self, ask: Any, add: Any) -> None:
        add(MENDED, rehearsed=True)
        add(MENDED, rehearsed=False)
        assert all(row["agrees"] for row in ask("rehearsal_agreement"))
        assert len(ask("rehearsal_agreement")) == 2

    @pytest.mark.parametrize("outcome", ["out_of_memory", "timeout", "degraded_to_eager", "accuracy", "skipped"])
    def it_does_not_compare_a_run_that_says_nothing_of_the_rule(
        self, connection: Connection, ask: Any, add: Any, outcome: str
    ) -> None:
        add(MENDED, rehearsed=True)
        silent = add(MENDED, rehearsed=False)
        connection.execute(update(probe).where(probe.c.id == silent).values(outcome=outcome))
        assert {row["variant"] for row in ask("rehearsal_agreement")} == {"compiled"}

    @pytest.mark.parametrize("change", [{"torch": "2.14.0+cpu"}, {"target_revision": "c0ffee"}])
    def it_does_not_compare_across_torch_releases_and_revisions(
        self, connection: Connection, ask: Any, change: dict[str, str]
    ) -> None:
        connection.execute(update(environment).where(environment.c.device == "cpu").values(**change))
        assert ask("rehearsal_agreement") == []

    def it_does_not_take_the_imported_baseline_for_a_result_on_cuda(
        self, connection: Connection, ask: Any, now: datetime
    ) -> None:
        connection.execute(delete(probe).where(probe.c.kind == "measured", probe.c.imported.is_(False)))
        assert ask("rehearsal_agreement") == []
        assert "No CUDA results to compare the rehearsal with." in screen(connection, now)

    def it_says_so_in_one_line(self, now: datetime) -> None:
        def fact(variant: str, agrees: bool) -> AgreementFacts:
            measured = "graph_reuse" if agrees else "passed"
            return AgreementFacts(
                *("kronos", variant, "production", "saturated", "2.13.0", "r1", "graph_reuse", measured),
                *(agrees, None, now, now, "a", "b"),
            )

        assert words.agreement([]) == "No CUDA results to compare the rehearsal with."
        assert words.agreement([fact("a", True)]) == "Rehearsal agreed with CUDA in 1 of 1 variant."
        assert words.agreement([fact("a", True), fact("b", False)]) == (
            "Rehearsal agreed with CUDA in 1 of 2 variants; not in b (rehearsed graph_reuse, on CUDA passed)."
        )


class DescribeWhatOutlivesItsGraph:
    def it_is_asked_by_name(self, ask: Any) -> None:
        read, other = ask("rehearsal_leaks")
        assert (read["number"], read["was_read"], read["keeper"], read["kept_by"]) == (0, True, "handoff", "context")
        assert (other["was_read"], other["kept_by"], other["reader"]) == (False, ROTARY, None)
        assert read["frame_code"] == "return output * self.weight"
        assert read["read_code"].startswith("s2_logits = model.decode_s2")

    def it_stands_on_the_screen_in_the_report_and_on_the_page(self, connection: Connection, now: datetime) -> None:
        said = screen(connection, now)
        assert f"{HANDED}; also kept: model.transformer[*].self_attn.rotary.cos_cached" in said
        assert "Rehearsal agreed with CUDA in 1 of 1 variant." in said
        page = health_page(connection, now)
        assert HANDED in page
        assert "Rehearsal agreed with CUDA in 1 of 1 variant." in page
        report = write_report(connection, now)
        assert "It was handed to Kronos.decode\\_s2 as context, in a new generation," in report
        assert "Make cos\\_cached ahead" in report

    def it_goes_with_the_probe(self, connection: Connection, recorded: History, ask: Any) -> None:
        connection.execute(delete(probe).where(probe.c.kind == "rehearsed"))
        assert ask("rehearsal_leaks") == []
