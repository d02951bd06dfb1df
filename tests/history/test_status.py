"""The status says on one screen what is decided, on what grounds, and what could not be seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from sqlalchemy import Connection, delete, insert, update

from kronos_health.history import figures
from kronos_health.history.facts import FigureFacts
from kronos_health.history.page import health_page
from kronos_health.history.report import write_report
from kronos_health.history.screen import render_status
from kronos_health.history.status import build_status
from kronos_health.store.tables import METADATA
from kronos_health.store.tables.alerts import heartbeat
from kronos_health.store.tables.figures import figure_watch
from kronos_health.store.tables.logs import finding, log_source
from kronos_health.store.tables.probes import environment, probe
from kronos_health.store.tables.revisit import decision
from kronos_health.store.tables.upstream import settings_drift, upstream_look, upstream_release
from kronos_health.store.types import new_id
from tests.support.history import MENDED, History


def screen(connection: Connection, now: datetime, width: int = 100) -> str:
    console = Console(width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(render_status(build_status(connection, now, ["kronos"])))
    return capture.get()


def emptied(connection: Connection) -> Connection:
    for table in reversed(METADATA.sorted_tables):
        connection.execute(delete(table))
    return connection


class DescribeTheView:
    def it_holds_the_newest_decision_with_its_criteria_in_the_teams_order(
        self, connection: Connection, now: datetime
    ) -> None:
        (target,) = build_status(connection, now).targets
        assert target.decision is not None
        assert (target.decision.mode, target.decision.confidence) == ("EAGER", "VERY HIGH")
        assert [(facts.name, facts.state) for facts in target.criteria] == [
            ("torch_release", "unknown"),
            ("kronos_update", "unknown"),
            ("compiled_iterations", "not_met"),
            ("accuracy", "unknown"),
        ]
        assert [item.admissible for item in target.criteria[2].evidence] == [True]
        assert [item.admissible for item in target.criteria[3].evidence] == [False]

    def it_puts_what_counts_first_and_eager_before_what_is_held_against_it(
        self, connection: Connection, now: datetime
    ) -> None:
        (target,) = build_status(connection, now).targets
        assert [(item.variant, item.evidence) for item in target.probes] == [
            ("eager", "cuda"),
            ("compiled", "cuda"),
            ("eager", "cpu"),
            (MENDED, "cpu"),
            ("compiled", "rehearsal"),
        ]
        assert [item.variant for item in target.baseline] == ["eager", "compiled"]

    def it_knows_a_configured_target_that_was_never_probed(self, connection: Connection, now: datetime) -> None:
        targets = {target.name: target for target in build_status(connection, now, ["toto"]).targets}
        assert list(targets) == ["toto", "kronos"]
        assert targets["toto"].decision is None

    def it_names_the_highest_release_and_not_the_last_inserted(self, connection: Connection, now: datetime) -> None:
        row = {"id": new_id(), "package": "torch", "version": "2.9.1", "seen_at": now, "first_look": False}
        connection.execute(insert(upstream_release).values(row))
        (release,) = build_status(connection, now).releases
        assert (release.version, release.news) == ("2.15.0", True)


class DescribeTheScreen:
    @pytest.mark.parametrize(("width", "height"), [(80, 46), (100, 42), (120, 42)])
    def it_fits_on_one_screen(self, connection: Connection, now: datetime, width: int, height: int) -> None:
        lines = screen(connection, now, width).splitlines()
        assert len(lines) <= height
        assert max(len(line) for line in lines) <= width

    def it_breaks_no_row_of_figures_on_eighty_columns(self, connection: Connection, now: datetime) -> None:
        lines = screen(connection, now, 80).splitlines()
        assert f"  {MENDED}" in lines, "a long name stands above its figures"
        (eager,) = (line for line in lines if "36,160 ± 1,883" in line)
        assert eager.split() == ["eager", "passed", "5/5", "36,160", "±", "1,883", "3,081", "±", "1,671", "–", "336"]

    def it_says_what_a_criterion_found_and_never_what_it_needs_in_half_a_sentence(
        self, connection: Connection, now: datetime
    ) -> None:
        assert "3 N of N compiled iterations        not met  compiled: 0 of 5" in screen(connection, now)
        assert "needs" not in screen(connection, now)

    def it_says_once_why_times_may_be_disturbed(self, connection: Connection, now: datetime) -> None:
        busy = "other programs used 57% of the processors during iteration"
        connection.execute(update(probe).where(probe.c.imported.is_(False)).values(noise=f"{busy} 1\n{busy} 2"))
        text = screen(connection, now)
        assert text.count(f"~ noisy: {busy} 1, and 1 more reason") == 1
        assert "–~" not in text
        assert "– ~" not in text

    def it_lets_no_log_speak_for_another(self, connection: Connection, now: datetime) -> None:
        for subject, verdict, at in (("other", "attention", now - timedelta(hours=2)), ("fine", "ok", now)):
            values = {"id": new_id(), "check": "scan", "subject": subject, "started_at": at, "finished_at": at}
            connection.execute(insert(heartbeat).values(**values, verdict=verdict, message="permission denied"))
        assert "scan other 2 h ago attention: permission denied" in screen(connection, now)

    def it_says_the_verdict_why_and_what_next(self, connection: Connection, now: datetime) -> None:
        text = screen(connection, now)
        assert "kronos: EAGER · VERY HIGH confidence" in text
        assert "Why:  compiled passed 0 of 5 on CUDA, eager 5 of 5" in text
        assert f"Next: kronos-health probe --variant {MENDED}" in text
        assert "newest admissible evidence 6 h ago" in text

    def it_never_calls_a_rehearsal_or_a_cpu_probe_evidence(self, connection: Connection, now: datetime) -> None:
        text = screen(connection, now)
        assert "not admissible: measured on CPU (mini, torch 2.13.0+cpu)" in text
        assert "rehearsal: what CUDA would do, never evidence" in text
        assert "so far 35/35 in 7 days, passes at least 92% (95 %) — not admissible" in text

    def it_shows_the_rehearsal_beside_the_imported_baseline_with_the_failing_frame(
        self, connection: Connection, now: datetime
    ) -> None:
        after = screen(connection, now).split("rehearsal: what CUDA would do")[1]
        rehearsed, baseline = after.split("baseline of 2025-10-30, imported")
        assert "graph_reuse  0/5" in rehearsed
        assert "at return output * self.weight (model/module.py:265)" in rehearsed
        assert "36,160 ± 1,883" in baseline
        assert "3,081 ± 1,671" in baseline

    def it_shows_logs_upstream_drift_alerts_and_delivery(self, connection: Connection, now: datetime) -> None:
        text = screen(connection, now)
        for line in (
            "trade_stock_e2e read 60 min ago, 2 KiB still unread, 1 gap lost unread",
            "in 7 days, last 60 min ago: graph_reuse ×4, cudagraph_skipped ×21",
            "kronos unknown since 2026-11-22 09:00 UTC: git fetch: could not resolve host",
            "file .env.compile: KRONOS_COMPILE is 1, expected not 1, 3 days",
            "firing 2 days, ×4: CUDA graph outputs reused in <trade_stock_e2e>",
            "slack: 0 sent, 1 waiting for 2 days, 1 given up, OFF: invalid_auth",
            "watch 60 min ago not finished",
            "probe kronos 60 min ago attention",
            "Well      console: 2 sent · 1 check ok, the last 60 min ago",
        ):
            assert line in text

    def it_says_what_is_not_known_before_the_first_check(self, connection: Connection, now: datetime) -> None:
        text = screen(emptied(connection), now)
        assert "Nothing is decided about kronos yet. Run: kronos-health check" in text
        assert "no log has been scanned: unknown" in text
        assert "never looked at: unknown" in text
        assert "Settings  not looked at: unknown" in text

    def it_says_that_an_imported_decision_was_not_checked_since(self, connection: Connection, now: datetime) -> None:
        connection.execute(delete(decision).where(decision.c.imported.is_(False)))
        text = screen(connection, now)
        assert "recorded by the team on 2025-10-30; not checked since" in text
        connection.execute(delete(probe).where(probe.c.imported.is_(False)))
        told = [line for line in screen(connection, now).splitlines() if "kronos" in line]
        assert told[0].startswith("kronos: EAGER, recorded by the team on 2025-10-30, not checked since. compiled surv")

    def it_never_calls_an_unreadable_log_clean(self, connection: Connection, now: datetime) -> None:
        connection.execute(delete(finding))
        clean = screen(connection, now)
        assert "nothing of concern in 7 days" in clean
        since = now - timedelta(hours=5)
        connection.execute(update(log_source).values(problem="permission denied", problem_since=since))
        text = screen(connection, now)
        assert "cannot be read since 2026-11-23 07:00 UTC: permission denied" in text
        assert "nothing of concern" not in text

    def it_says_that_settings_follow_only_when_they_were_seen(self, connection: Connection, now: datetime) -> None:
        connection.execute(delete(settings_drift))
        assert "Settings  not looked at: unknown" in screen(connection, now)
        connection.execute(insert(upstream_look).values(subject="file .env.compile", last_ok_at=now))
        assert "settings follow the decision" in screen(connection, now)
        connection.execute(
            update(upstream_look)
            .where(upstream_look.c.subject == "file .env.compile")
            .values(unknown_since=now, reason="it is gone")
        )
        assert "file .env.compile unknown since 2026-11-23 12:00 UTC: it is gone" in screen(connection, now)

    def it_tells_a_skipped_probe_from_a_failed_one(self, connection: Connection, now: datetime) -> None:
        reason = "the GPU has 512 MB free, 4,096 are needed"
        connection.execute(
            insert(probe).values(
                id=new_id(),
                campaign_id=connection.execute(probe.select()).first().campaign_id,  # type: ignore[union-attr]
                target="kronos",
                variant="compiled",
                candidate="torch=2.15.0",
                kind="measured",
                regime="saturated",
                started_at=now,
                outcome="skipped",
                skipped_reason=reason,
                requested=5,
            )
        )
        text = screen(connection, now)
        assert "compiled @ torch=2.15.0         skipped" in text
        assert reason in text
        assert "not admissible: ended before it could say what it ran on" in text

    def it_says_that_a_variant_passes_only_once_it_is_warm(self, connection: Connection, now: datetime) -> None:
        sentence = "passes with 3 warm-up calls, fails with 2"
        assert sentence not in screen(connection, now)
        warm = update(probe).where(probe.c.kind == "rehearsed", probe.c.outcome == "graph_reuse")
        connection.execute(warm.values(passes_with_warmups=3, fails_with_warmups=2))
        assert sentence in screen(connection, now)

    def it_shows_text_from_outside_as_text(self, connection: Connection, now: datetime) -> None:
        connection.execute(update(environment).values(gpu="\x1b[31m[bold]L4[/bold]\x07\u202e"))
        text = screen(connection, now)
        assert "measured on CUDA ([bold]L4[/bold], base" in text
        assert "\x1b" not in text
        assert "\u202e" not in text


class DescribeFiguresOverTime:
    def it_counts_what_is_watched_and_stays_silent_where_nothing_stepped(
        self, connection: Connection, now: datetime
    ) -> None:
        text = screen(connection, now)
        assert "Figures over time: 6 watched: 5 steady, 1 with too little data" in text
        assert "steady latency of" not in text

    def it_shows_on_every_face_what_stepped_with_regressions_first(
        self, connection: Connection, recorded: History, now: datetime
    ) -> None:
        table, newest = figure_watch.c, [recorded.eager_probes[-1], recorded.cpu_probes[-1]]
        here = update(figure_watch).where(table.probe_id == newest[1], table.figure == "peak_memory")
        connection.execute(here.values(label="suspicious", value=451.0))
        here = update(figure_watch).where(table.probe_id == newest[0], table.figure == "steady_latency")
        connection.execute(here.values(label="steady", reference=2100.0))
        regression = "steady latency of eager on CUDA: regression, 2,310 ms where 2,100 ms were usual (+10%)"
        suspicion = f"peak memory of {MENDED} on CPU: suspicious, 451 MiB (+10.0%)"
        for text in (
            screen(connection, now),
            write_report(connection, now).replace("\\", ""),
            health_page(connection, now),
        ):
            assert "6 watched: 1 regression, 1 suspicious, 3 steady, 1 with too little data" in text
            assert 0 < text.index(regression) < text.index(suspicion)

    def it_names_the_level_that_was_left(self) -> None:
        facts = FigureFacts(
            "kronos", "eager", "torch=2.15.0", "growing", "cuda", "steady_latency", 2700.0, "ms", 2700.0, 0.0, "steady",
            "told", 6, 2250.0, 0.2, datetime(2026, 11, 23, tzinfo=UTC), "p1",
        )  # fmt: skip
        assert figures.name(facts) == "steady latency of eager @ torch=2.15.0 on CUDA, growing window"
        assert figures.state(facts) == "regression, 2,700 ms where 2,250 ms were usual (+20%)"
        assert figures.summary([facts, replace(facts, reference=None, label="disturbed")]) == (
            "2 watched: 1 regression, 1 disturbed"
        )
        assert figures.summary([]) == ""


def it_does_not_call_a_log_clean_whose_failures_are_older_than_the_window(
    connection: Connection, now: datetime
) -> None:
    later = build_status(connection, now + timedelta(days=60))
    (source,) = [source for source in later.sources if source.earlier]
    assert "graph_reuse" in {found.signature for found in source.earlier}
    assert not any(found.severity != "info" for found in source.findings)
    console = Console(width=120, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(render_status(later))
    assert "none in 7 days; before that, last 60 days ago: graph_reuse ×4" in capture.get()
