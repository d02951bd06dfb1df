"""The catalogue against every release of torch from 1.13 to 2.15, as read in its wheels (torch_wordings.toml)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from pathlib import Path

import pytest

from kronos_health.logs.catalogue import built_in
from kronos_health.logs.report import scan_file
from tests.logs.read_torch import page, stands_in
from tests.logs.support import line
from tests.logs.test_signatures import MATCHER, matches, names
from tests.logs.wordings import ABSENT, RELEASES, WORDINGS, Wording, between

PAGE = Path(__file__).parents[2] / "docs/torch-wordings.md"
LOGGED = [item for item in WORDINGS if item.how == "logged"]
RAISED = [item for item in WORDINGS if item.how == "raised"]
ids = lambda item: item.id  # noqa: E731


def prefix(release: str) -> str:
    """What torch/_logging/_internal.py (until 2.0 torch/_dynamo/logging.py) writes before a message."""
    if release in between("2.0.0", "2.0.1"):
        return "[2023-09-28 14:50:06,548] torch._dynamo.convert_frame: [WARNING] "
    if release in between("2.1.0", "2.2.2"):
        return "[2023-09-28 14:50:06,548] [0/8] torch._dynamo.convert_frame: [WARNING] "
    return "W1030 09:08:09.060000 140234 torch/_dynamo/convert_frame.py:357] [0/8] "


def as_logged(item: Wording, release: str, before: str = "") -> str:
    """The message as torch's logging writes it: from 2.1 on with the prefix before each line."""
    head = before + prefix(release)
    if release in between("2.0.0", "2.0.1"):
        return head + item.printed + "\n"
    return "".join(f"{head}{part}\n" for part in item.printed.rstrip("\n").split("\n"))


def findings(tmp_path: Path, *parts: str) -> dict[str, int]:
    """What a scan of a log says that has this among the program's own lines."""
    log = tmp_path / "torch.log"
    log.write_text("".join((line("loading"), *(part + line("going on") for part in parts))))
    found: dict[str, int] = {}
    for item in scan_file(log).findings:
        found[item.signature] = found.get(item.signature, 0) + item.count
    return found


@pytest.mark.parametrize("item", WORDINGS, ids=ids)
def it_reports_each_wording_under_its_own_name_with_its_reason(item: Wording) -> None:
    assert [(match.signature.name, match.reason) for match in matches(item.printed)] == [(item.signature, item.reason)]


@pytest.mark.parametrize("item", WORDINGS, ids=ids)
def it_reports_each_wording_quoted(item: Wording) -> None:
    if item.signature not in {"compile_error", "recompile_limit"}:  # these the class of the exception may tell alone
        said = item.printed.split(": ", 1)[-1] if item.how == "raised" else item.printed
        assert names(line("failed: " + repr(RuntimeError(said)), "ERROR")) == [item.signature]
    assert names(json.dumps({"message": item.printed, "level": "error"})) == [item.signature]


@pytest.mark.parametrize("item", LOGGED, ids=ids)
def it_reports_a_logged_message_once_behind_the_prefixes_of_its_releases(item: Wording, tmp_path: Path) -> None:
    for release in (item.first, item.last):
        logged = as_logged(item, release)
        assert [(match.signature.name, match.reason) for match in matches(logged)] == [(item.signature, item.reason)]
        assert findings(tmp_path, logged, as_logged(item, release, "[rank0]:")) == {item.signature: 2}


@pytest.mark.parametrize("item", RAISED, ids=ids)
def it_reports_what_ends_a_traceback_once(item: Wording, tmp_path: Path) -> None:
    traceback = f'Traceback (most recent call last):\n  File "/srv/kronos.py", line 3, in f\n    g()\n{item.printed}\n'
    assert findings(tmp_path, line("Kronos broke", "ERROR") + traceback) == {item.signature: 1}


@pytest.mark.parametrize("item", WORDINGS, ids=ids)
def it_finds_the_fixed_texts_in_what_matches(item: Wording) -> None:
    (match,) = matches(item.printed)
    assert match.signature.literals is not None
    assert any(literal in match.message for literal in match.signature.literals)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("item", {item.signature: item for item in WORDINGS}.values(), ids=ids)
def it_takes_no_longer_over_endless_blanks(item: Wording) -> None:
    """What is tried at each blank of a line must not look at all the blanks after it."""
    blanks = " " * 200_000
    for text in (f"{item.printed}{blanks}x", f"{blanks}{item.printed}", f"{item.printed}\n{blanks}+{blanks}x"):
        matches(text)


FROM_TORCH = ["graph_reuse", "cudagraph_skipped", "recompile_limit", "recompile", "compile_error",
              "cuda_out_of_memory", "cuda_error"]  # fmt: skip


@pytest.mark.parametrize("signature", FROM_TORCH)
def it_has_a_wording_of_each_signature_for_each_release_or_says_why_there_is_none(signature: str) -> None:
    worded = {release for item in WORDINGS if item.signature == signature for release in item.read}
    absent = {release for item in ABSENT if item.signature == signature for release in item.span}
    assert worded | absent == set(RELEASES)
    assert not worded & absent


def it_knows_every_signature_that_comes_from_torch() -> None:
    own = {item.name for item in built_in().signatures} - {"prediction_completed", "prediction_failed"}
    assert own == set(FROM_TORCH) == {item.signature for item in WORDINGS}
    assert not MATCHER.exhaustive


def it_agrees_with_the_torch_that_is_installed() -> None:
    release = importlib.metadata.version("torch").split("+")[0]
    if release not in RELEASES:
        pytest.skip(f"torch {release} is newer than the table: read it, see tests/logs/read_torch.py")
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parents[1]
    for item in WORDINGS:
        if item.file.endswith(".py") and release in item.span:
            assert stands_in(item, root / item.file), f"torch {release}: {item.file} has no {item.source!r}"


def it_shows_the_table_as_a_page() -> None:
    assert PAGE.read_text() == page(), "python -m tests.logs.read_torch --page > docs/torch-wordings.md"
