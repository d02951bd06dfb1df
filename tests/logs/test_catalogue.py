"""The catalogue is data: a user adds and replaces entries, and hears in one line what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronos_health.domain.logs import Severity
from kronos_health.logs.catalogue import built_in, load_catalogue
from kronos_health.logs.errors import CatalogueError
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.report import scan_file
from tests.logs.support import REUSE, line


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own.toml"


def it_has_the_signatures_and_samples_that_are_promised() -> None:
    catalogue = built_in()
    assert {item.name: str(item.severity) for item in catalogue.signatures} == {
        "graph_reuse": "critical", "cudagraph_skipped": "warning", "recompile_limit": "warning", "recompile": "warning",
        "compile_error": "warning", "cuda_out_of_memory": "critical", "cuda_error": "critical",
        "prediction_completed": "info", "prediction_failed": "warning",
    }  # fmt: skip
    assert {item.name for item in catalogue.samples} == {
        "kronos_inference_ms", "toto_inference_ms", "kronos_memory_mb", "toto_memory_mb", "maxdiff_return",
    }  # fmt: skip


def it_searches_every_built_in_entry_fast() -> None:
    assert not Matcher(built_in()).exhaustive
    assert all(item.title and item.next_step for item in built_in().signatures)


def it_adds_and_replaces_entries(own: Path, tmp_path: Path) -> None:
    own.write_text(
        """
        [[signatures]]
        name = "broker_refused"
        severity = "critical"
        title = "The broker refused an order"
        regex = 'order (?P<reason>\\S+) refused'

        [[signatures]]
        name = "recompile"
        severity = "info"
        title = "Other words"
        regex = 'compiling (?P<subject>\\w+) again'

        [[samples]]
        metric = "spread_bps"
        regex = 'spread (?P<value>[\\d.]+) bps on (?P<symbol>\\w+)'
        """
    )
    catalogue = load_catalogue(own)
    log = tmp_path / "x.log"
    log.write_text(
        line("order 17\nrefused")
        + line("compiling decode again")
        + line("Recompiling function")
        + line("spread 1.5 bps on X")
    )
    report = scan_file(log, catalogue)
    assert {(item.signature, item.count) for item in report.findings} == {("broker_refused", 1), ("recompile", 1)}
    assert [(item.metric, item.symbol, item.p50) for item in report.samples] == [("spread_bps", "X", 1.5)]
    assert len(catalogue.signatures) == len(built_in().signatures) + 1


def it_takes_the_patterns_of_the_users_own_lines(tmp_path: Path) -> None:
    patterns = {
        "prediction_completed": r"forecast ready for \w+",
        "kronos_inference_ms": r"K answered after (?P<value>[\d.]+) (?P<unit>ms|s)",
        "queue_ms": r"queued (\d+)",
    }
    log = tmp_path / "x.log"
    log.write_text(
        line("forecast ready for ETHUSD") + line("Kronos prediction completed in 9 ms") + line("K answered after 1.5 s")
        + line("queued 12")
    )  # fmt: skip
    report = scan_file(log, load_catalogue(None, patterns))
    assert [(item.signature, item.count) for item in report.findings] == [("prediction_completed", 1)]
    assert [(item.metric, item.p50) for item in report.samples] == [("kronos_inference_ms", 1500.0), ("queue_ms", 12.0)]


def it_finds_patterns_without_any_fixed_text_too(tmp_path: Path) -> None:
    catalogue = load_catalogue(None, {"answer_ms": r"\d+: (\d+)ms"})
    assert Matcher(catalogue).exhaustive
    log = tmp_path / "x.log"
    log.write_text(line("7: 12ms") + line("nothing") + line(REUSE))
    report = scan_file(log, catalogue)
    assert [(item.metric, item.max) for item in report.samples] == [("answer_ms", 12.0)]
    assert [item.signature for item in report.findings] == ["graph_reuse"]


def it_ignores_case_where_the_pattern_does(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(line("FORECAST READY") + line("Forecast ready"))
    catalogue = load_catalogue(None, {"prediction_completed": "(?i)forecast ready"})
    assert not Matcher(catalogue).exhaustive
    assert [item.count for item in scan_file(log, catalogue).findings] == [2]


ENTRY = '[[signatures]]\nname = "x"\nseverity = "info"\ntitle = "t"\nregex = "abcd"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml", "own.toml: is not TOML"),
        ("[extra]", "own.toml: extra: is not known. Write [[signatures]] and [[samples]] tables."),
        ("signatures = 3", "own.toml: signatures: must be tables. Write [[signatures]]."),
        (ENTRY.replace('name = "x"\n', ""), "own.toml: signatures[1]: name: is missing."),
        (ENTRY.replace('"x"', '"no spaces"'), "signatures[1] (no spaces): name: 'no spaces' must be letters, digits"),
        (ENTRY + ENTRY, "signatures[1] (x): name: 'x' stands here more than once."),
        (ENTRY.replace('"info"', '"bad"'), "(x): severity: must be one of info, warning, critical, not 'bad'."),
        (ENTRY + "colour = 1\n", "(x): colour: is not known; known are name, severity,"),
        (
            ENTRY.replace('"abcd"', '"ab(cd"'),
            "(x): regex: is no regular expression (missing ), unterminated subpattern",
        ),
        (ENTRY.replace('"abcd"', '"a*"'), "(x): regex: matches nothing at all, so it would match everywhere: a*."),
        (ENTRY.replace('"abcd"', "7"), "(x): regex: must be a text or a list of texts, not 7."),
        (ENTRY.replace('regex = "abcd"', ""), "(x): regex: is missing."),
        (ENTRY + 'literals = ["a b c"]\n', "(x): literals: 'a b c' must be one word of at least 3 characters."),
        (ENTRY + 'unless = ["nobody"]\n', "signatures (x): unless: there is no signature 'nobody'."),
        ('[[samples]]\nmetric = "y"\nregex = "abcd"', "samples[1] (y): regex: has no group with the number"),
        (
            '[[samples]]\nmetric = "y"\nunit = "kg"\nregex = "(abcd)"',
            "(y): unit: must be one of mb, ms, ratio or left out",
        ),
    ],
)
def it_names_file_entry_and_key_of_what_is_wrong(own: Path, text: str, message: str) -> None:
    own.write_text(text)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(own)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def it_says_that_the_file_is_not_there(own: Path) -> None:
    with pytest.raises(
        CatalogueError, match=r"own\.toml: cannot be read \(No such file or directory\)\. Name a TOML file"
    ):
        load_catalogue(own)


@pytest.mark.parametrize(
    ("name", "pattern", "message"),
    [
        ("kronos_inference_ms", "a(b", "logs.patterns.kronos_inference_ms: is no regular expression"),
        ("my_number", "no group", "logs.patterns.my_number: has no group with the number"),
        ("graph_reuse", "x", "logs.patterns.graph_reuse: only prediction_completed and prediction_failed"),
        ("my number", "(abc)", "logs.patterns.my number: 'my number' must be letters, digits and underscores"),
    ],
)
def it_names_the_key_of_a_pattern_that_is_wrong(name: str, pattern: str, message: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(None, {name: pattern})
    assert str(caught.value).startswith(message)


def it_keeps_severity_and_next_step_of_a_signature_in_other_words() -> None:
    replaced = load_catalogue(None, {"prediction_failed": "went wrong"}).signature("prediction_failed")
    assert replaced is not None
    assert replaced.severity is Severity.WARNING
    assert replaced.find("it went wrong")
    assert not replaced.find("Kronos prediction failed")
