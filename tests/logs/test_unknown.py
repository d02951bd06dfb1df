"""Records of level ERROR or above that no signature knows are told apart by kind, and become catalogue entries."""

from __future__ import annotations

import random
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.logs import ScanResult
from kronos_health.logs.catalogue import built_in, load_catalogue
from kronos_health.logs.errors import CatalogueError
from kronos_health.logs.levels import is_error
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.proposing import Seen, propose
from kronos_health.logs.scanner import scan_source
from kronos_health.logs.text import RecordText
from kronos_health.logs.unknown import MORE_KINDS, UNKNOWN, kind_of, message_of
from kronos_health.settings.models import Logs, Source

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STAMP = "2025-10-30 09:08:09 UTC | 2025-10-30 05:08:09 EDT | 2025-10-30 22:08:09 NZDT | trade_stock_e2e.py:main:3043 "
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/a/orders.py", line 88, in send\n    reply = post(order)\n'
    "             ^^^^^^^^^^^\n"
)
ERRORS = [
    STAMP + "\x1b[31mERROR\x1b[0m | no quote for ETHUSD",
    STAMP + "CRITICAL | disk full",
    "ERROR:root:no quote",
    "2025-10-30 09:08:09,123 - orders - ERROR - refused",
    "2025-10-30T09:08:09Z [error    ] refused order=7",
    "E1030 09:08:09.060000 4242 ProcessGroupNCCL.cpp:616] watchdog caught a collective timeout",
    "F1030 09:08:09.060000 4242 main.cc:1] Check failed: a == b",
    '{"event": "refused", "level": "error", "timestamp": "2025-10-30T09:08:09Z"}',
    '{"levelname": "ERROR", "message": "refused"}',
    "2025-10-30 09:08:09 level=error msg=refused",
    TRACEBACK + "ConnectionError: refused",
    "[rank0]: " + TRACEBACK.replace("\n", "\n[rank0]: ") + "ConnectionError: refused",
]
WRAPPED = [
    "trading-1  | " + STAMP + "\x1b[31mERROR\x1b[0m | no quote for ETHUSD",
    "2025-10-30T09:08:09.123456789Z stderr F " + STAMP + "ERROR | no quote",
]
NO_ERRORS = [
    STAMP + "INFO | retry after ERROR 500",
    STAMP + "\x1b[33mWARNING\x1b[0m | ERROR budget used",
    "W1030 09:08:09.060000 torch._dynamo ERROR",
    '{"event": "ERROR in the reply", "level": "info"}',
    "2025-10-30 09:08:09 level=info msg=error",
    "E2E test finished",
    "E1030 is a part number",
    "errors: 0, ERRORS=none",
    TRACEBACK + "KeyboardInterrupt",
    "2025-10-30 09:08:09 [info     ] last error was none",
    'config = {"on_error": "error"}',
]


@pytest.mark.parametrize("record", ERRORS + WRAPPED)
def it_knows_errors_by_their_level(record: str) -> None:
    assert is_error(RecordText(record).opened)


@pytest.mark.parametrize("record", NO_ERRORS)
def it_leaves_other_levels_alone(record: str) -> None:
    assert not is_error(RecordText(record).opened)


def scanned(tmp_path: Path, text: str, **logs: int) -> ScanResult:
    path = tmp_path / "trade.log"
    path.write_text(text)
    settings = Logs.model_validate({"idle_seconds": 0, **logs})
    return scan_source("trade", Source(path=str(path)), settings, built_in(), (), NOW)


@pytest.mark.parametrize("record", ERRORS + WRAPPED)
def it_finds_them_in_a_log(tmp_path: Path, record: str) -> None:
    quiet = STAMP + "INFO | waiting\n"
    result = scanned(tmp_path, quiet * 3 + record + "\n" + quiet)
    (kind,) = result.errors
    assert (kind.count, kind.line) == (1, 4)
    (tally,) = [tally for tally in result.tallies if tally.signature == UNKNOWN]
    assert (tally.subject, tally.count) == (kind.fingerprint, 1)


def it_groups_them_without_what_varies(tmp_path: Path) -> None:
    lines = "".join(
        f"{STAMP}ERROR | order {number} for {symbol} refused after {number / 7:.2f} s: 'margin {number}'\n"
        for number, symbol in enumerate(["ETHUSD", "BTCUSD", "LINK/USDT"] * 4)
    )
    (kind,) = scanned(tmp_path, lines + STAMP + "ERROR | disk full\n").errors[:1]
    assert kind.count == 12
    assert kind.message == "order <number> for <symbol> refused after <number> s: <quoted>"
    assert "order 0 for ETHUSD" in kind.record


def it_counts_no_record_that_a_signature_knows(tmp_path: Path) -> None:
    failed = STAMP + "ERROR | Kronos prediction failed\n"
    reuse = "RuntimeError: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run.\n"
    result = scanned(tmp_path, failed + STAMP + "ERROR | x\n" + TRACEBACK + reuse)
    assert result.errors == ()
    assert len(result.findings) == 2


def it_bounds_how_many_kinds_it_tells_apart(tmp_path: Path) -> None:
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefgh", k=9)) for _ in range(50)]
    result = scanned(tmp_path, "".join(f"{STAMP}ERROR | {word}\n" for word in words), error_kinds=10)
    assert len(result.errors) == 11
    (rest,) = [kind for kind in result.errors if kind.message == MORE_KINDS]
    assert (rest.count, rest.record) == (40, "")


def it_masks_secrets_in_what_it_keeps(tmp_path: Path) -> None:
    (kind,) = scanned(tmp_path, STAMP + "ERROR | login failed: password=hunter2secret for x\n").errors
    assert "hunter2" not in kind.message + kind.record


@pytest.mark.parametrize("record", ERRORS)
def it_proposes_an_entry_that_finds_the_example_and_its_like(tmp_path: Path, record: str) -> None:
    text = RecordText(record)
    fingerprint, _message = kind_of(text)
    toml = propose(Seen(fingerprint, "trade", text.shown, 3, NOW, NOW), {"refused"})
    path = tmp_path / "proposed.toml"
    path.write_text(toml)
    catalogue = load_catalogue(path)
    (entry,) = tomllib.loads(toml)["signatures"]
    assert entry["severity"] == "warning"
    assert entry["name"] != "refused"
    matcher = Matcher(catalogue)
    raw = record.encode()
    found = {match.signature.name for match in matcher.signatures(raw, text)}
    assert entry["name"] in found
    assert len(matcher.hits(memoryview(raw)))


def it_generalises_what_varies_in_a_proposal(tmp_path: Path) -> None:
    record = STAMP + "ERROR | order 4711 for ETHUSD refused (0x7f3a) in /srv/x/y.py: 'margin'"
    toml = propose(Seen("f" * 32, "trade", record, 1200, NOW, NOW), set())
    path = tmp_path / "proposed.toml"
    path.write_text(toml)
    (signature,) = [item for item in load_catalogue(path).signatures if item not in built_in().signatures]
    other = RecordText(STAMP + "ERROR | order 9 for BTC-USDT refused (0xbeef) in /opt/z.py: 'funds  missing'")
    assert signature.find(other.searched) is not None
    assert "seen 1,200 times in trade" in toml
    assert "#   2025-10-30 09:08:09 UTC" in toml


def it_refuses_to_propose_what_would_match_everything() -> None:
    with pytest.raises(CatalogueError, match="holds no word"):
        propose(Seen("f" * 32, "trade", STAMP + "ERROR | 12 34", 1, NOW, NOW), set())


@given(st.text(max_size=400))
def it_proposes_for_any_text_or_says_why_not(body: str) -> None:
    record = RecordText("ERROR: " + body).shown
    try:
        toml = propose(Seen("f" * 32, "trade", record, 1, NOW, NOW), set())
    except CatalogueError:
        return
    (entry,) = tomllib.loads(toml)["signatures"]
    assert entry["literals"]
    assert message_of(RecordText(record))
