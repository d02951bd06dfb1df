"""The report has the shape of the team's own document, and every figure comes from the database."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, update

from kronos_health.history.escaping import block, code, markdown, printable
from kronos_health.history.report import write_report
from kronos_health.settings.models import Bounds
from kronos_health.store.tables import METADATA
from kronos_health.store.tables.alerts import alert
from kronos_health.store.tables.probes import iteration, probe
from kronos_health.store.tables.upstream import deployment


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]


def it_has_the_sections_of_the_teams_document_in_order(connection: Connection, now: datetime) -> None:
    text = write_report(connection, now)
    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "Results",
        "Error details",
        "Decision",
        "Expected production performance against measured",
        "When to revisit: the four criteria",
        "Verification after deployment",
        "What wants attention",
    ]
    assert text.startswith("# Kronos torch.compile: health report\n\n**Date**: 2026-11-23 12:00 UTC  \n")
    assert "**Decision**: **EAGER MODE**" in text
    assert "**Confidence**: VERY HIGH" in text


def it_sets_eager_beside_compiled_for_each_kind_of_evidence(connection: Connection, now: datetime) -> None:
    results = section(write_report(connection, now), "Results")
    assert "### Measured on CUDA (NVIDIA L4, base, torch 2.13.0+cu130)" in results
    assert "| `eager` | 5/5 (100%) | 36,100 ± 900 | 2,560 ± 300 ms | 2,310 ms | 336 MB | `passed` |" in results
    assert "| `compiled` | 0/5 (0%) | – | – | – | – | `graph_reuse` |" in results
    assert "### Baseline of 2025-10-30, imported" in results
    assert "| `eager` | 5/5 (100%) | 36,160 ± 1,883 | 3,081 ± 1,671 ms | – | 336 MB | `passed` |" in results


def it_names_the_failing_frame_once_for_all_that_fail_alike(connection: Connection, now: datetime) -> None:
    errors = section(write_report(connection, now), "Error details")
    assert errors.count("First failing frame: `return output * self.weight (model/module.py:265)` in `forward`") == 1
    assert errors.count("accessing tensor output of CUDAGraphs that has been overwritten") == 1
    assert 'File "external/kronos/model/kronos.py", line 357, in decode_s1' in errors
    assert errors.count("- `compiled`, ") == 3


def it_gives_the_decision_with_its_rationale_and_next_step(connection: Connection, now: datetime) -> None:
    decided = section(write_report(connection, now), "Decision")
    assert "stock compiled Kronos is BROKEN" in decided
    assert "- `compiled`: 0/35 in 7 days, BROKEN" in decided
    assert "**Next step**: `kronos-health probe --variant compiled_static_rope_mark_step`" in decided


def it_holds_what_was_measured_against_what_was_expected(connection: Connection, now: datetime) -> None:
    expected = "Expected production performance against measured"
    rows = section(write_report(connection, now), expected)
    assert "| Kronos inference time | about 3 s | 3,000 to 5,000 ms | 3,300 ms (3,700 ms) | 168 | as expected |" in rows
    assert "| Kronos memory | 336 MB | up to 1,024 MB | no log line carried it | 0 | unknown |" in rows
    assert "| MaxDiff return of ETHUSD | 0.1043 | 0.0543 to 0.1543 | 0.1043 (0.1043) | 21 | as expected |" in rows
    strict = Bounds(kronos_inference_ms=(100, 200))
    assert "| 168 | out of bounds |" in section(write_report(connection, now, bounds=strict), expected)


def it_lists_the_four_criteria_with_their_evidence(connection: Connection, now: datetime) -> None:
    criteria = section(write_report(connection, now), "When to revisit: the four criteria")
    rows = [line for line in criteria.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert [row.split(" | ")[2] for row in rows] == ["**unknown**", "**unknown**", "**not met**", "**unknown**"]
    assert "measured on CUDA" in rows[2]
    assert "not admissible: measured on CPU" in rows[3]


def it_verifies_the_deployment_with_counts_and_times(connection: Connection, now: datetime) -> None:
    checks = section(write_report(connection, now), "Verification after deployment")
    assert "Counted since the deployment of 2026-11-20 10:00 UTC." in checks
    assert "| 2 | no outputs overwritten by a subsequent run | **bad** | 4 seen, 4 bad |" in checks
    assert "| 4 | Kronos inference times are normal | **good** | 80 seen, 0 bad; median 3,300 ms |" in checks


def it_says_plainly_what_an_empty_history_does_not_hold(connection: Connection, now: datetime) -> None:
    for table in reversed(METADATA.sorted_tables):
        connection.execute(delete(table))
    text = write_report(connection, now)
    assert "**Decision**: none yet. Run `kronos-health check`." in text
    assert "Nothing has been probed yet." in text
    assert "Not weighed yet." in text
    assert text.count("**unknown**") == 4
    assert section(text, "What wants attention").strip() == "Nothing."


def it_names_a_bad_check_among_what_wants_attention(connection: Connection, now: datetime) -> None:
    wants = section(write_report(connection, now), "What wants attention")
    assert "- outputs overwritten by a subsequent run: 4, last 2026-11-20 " in wants
    assert "- CUDA graph errors: 14, last " in wants
    connection.execute(delete(alert))
    slow = section(write_report(connection, now, bounds=Bounds(kronos_inference_ms=(100, 200))), "What wants attention")
    assert "- Kronos inference times: 80 of 80 outside 100 to 200 ms, median 3,300 ms, last " in slow


def it_measures_since_the_deployment_or_the_first_scan_where_a_week_holds_nothing(
    connection: Connection, now: datetime
) -> None:
    expected = "Expected production performance against measured"
    assert "said in the last 7 days." in section(write_report(connection, now), expected)
    later = section(write_report(connection, now + timedelta(days=60)), expected)
    assert "said since the deployment of 2026-11-20 10:00 UTC; none in the last 7 days." in later
    assert "| 80 | as expected |" in later
    connection.execute(delete(deployment))
    ever = section(write_report(connection, now + timedelta(days=60)), expected)
    assert "said since the first scan; none in the last 7 days." in ever
    assert "| 168 | as expected |" in ever
    nothing = section(write_report(connection, now, sources=["another"]), expected)
    assert "| Kronos inference time | about 3 s | 3,000 to 5,000 ms | no log line carried it | 0 | unknown |" in nothing


def it_lets_nothing_from_outside_become_markup(connection: Connection, now: datetime) -> None:
    hostile = "a|b <script>alert(1)</script> ![x](http://evil) `tick` ```fence\n# heading\n\x1b[31mred"
    connection.execute(update(alert).values(title=hostile))
    connection.execute(update(probe).values(message=hostile, frame_code="x | `y`"))
    connection.execute(update(iteration).values(stack="```\n# out of the fence"))
    text = write_report(connection, now)
    assert "<script>" not in text.replace(block(f"RuntimeError: {hostile}"), "")
    assert "\x1b" not in text
    assert "\n# heading" not in text.replace(block(f"RuntimeError: {hostile}"), "")
    assert "- **critical**: a\\|b &lt;script&gt;alert(1)&lt;/script&gt; \\!\\[x\\](http://evil)" in text


class DescribeEscaping:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain", "`plain`"),
            ("a | b", "`a \\| b`"),
            ("`x`", "`` `x` ``"),
            ("two `` in a row", "```two `` in a row```"),
            ("", ""),
        ],
    )
    def it_keeps_code_inside_its_span(self, text: str, shown: str) -> None:
        assert code(text) == shown

    def it_ends_a_block_only_by_a_longer_fence(self) -> None:
        assert block("```\nx") == "````text\n```\nx\n````"

    def it_puts_markdown_on_one_line(self) -> None:
        assert markdown("a\n\n* b_c & <d>") == "a \\* b\\_c &amp; &lt;d&gt;"

    def it_drops_what_controls_a_terminal_or_hides_text(self) -> None:
        assert printable("\x1b]0;title\x07a\x1b[1;31mb\x00\u202ec\ud800\r\nd\te") == "abc\nd\te"
