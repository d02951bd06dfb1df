"""The same kind of event has the same fingerprint; another cause or another place has another one."""

from __future__ import annotations

from kronos_health.logs.fingerprint import fingerprint, general
from tests.logs.support import REUSE, reuse


def it_is_the_same_for_another_time_symbol_line_number_and_release() -> None:
    one = reuse("ETHUSD")
    other = reuse("BTCUSD").replace("2025-10-30", "2026-01-01").replace("line 512", "line 530")
    other = other.replace("/srv/trading/", "/srv/releases/2026-01-01/")
    assert fingerprint("graph_reuse", one, REUSE) == fingerprint("graph_reuse", other, REUSE)


def it_differs_by_place_exception_and_signature() -> None:
    one = reuse("ETHUSD")
    others = {
        fingerprint("graph_reuse", one, REUSE),
        fingerprint("graph_reuse", one.replace("decode_s1", "decode_s2"), REUSE),
        fingerprint("graph_reuse", one.replace("RuntimeError", "InternalTorchDynamoError"), REUSE),
        fingerprint("compile_error", one, REUSE),
        fingerprint("graph_reuse", one, "another message"),
    }
    assert len(others) == 5


def it_does_not_depend_on_frames_of_libraries() -> None:
    frame = '  File "/srv/.venv/lib/python3.12/site-packages/torch/_dynamo/eval_frame.py", line 7, in run\n    x\n'
    one = reuse("ETHUSD")
    assert fingerprint("s", one, "m") == fingerprint("s", one.replace("RuntimeError:", f"{frame}RuntimeError:"), "m")


def it_replaces_what_varies_in_a_message() -> None:
    message = "at 2025-10-30 09:08:09,5 id 0x7f3a, 3 of 12.5 in /srv/a/b.py for deadbeefcafe1234\n  and\\nmore"
    assert general(message) == "at <time> id <hex>, <number> of <number> in <path>/b.py for <hex> and more"


def it_groups_skipped_graphs_by_reason_and_not_by_number() -> None:
    assert general("mutated inputs (2 instances)") == general("mutated inputs (7 instances)")
    assert general("mutated inputs (2 instances)") != general("cpu device (2 instances)")
