"""The ping tells an outside watcher that the checker lives, and never gets in its way."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import Engine

import kronos_health
from kronos_health.alerts.heartbeat import OF_THE_WHOLE, Pings, ping
from kronos_health.checks.context import Context, utc_now
from kronos_health.checks.pulse import pulse
from kronos_health.settings.models import Heartbeat, Settings
from kronos_health.store.alerts import last_heartbeat
from kronos_health.store.database import reading


class _Watcher(BaseHTTPRequestHandler):
    seen: list[tuple[str, str]]
    status = 200
    trickles = False

    def do_POST(self) -> None:
        if self.trickles:
            self._trickle()
            return
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.seen.append((self.path, body))
        self.send_response(self.status)
        self.end_headers()

    def _trickle(self) -> None:
        """A byte of the status line now and then: no single read ever waits for long."""
        try:
            for byte in b"HTTP/1.0 200 OK and many more words than anybody wants":
                self.wfile.write(bytes([byte]))
                time.sleep(0.2)
        except OSError:
            return

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def watcher() -> Iterator[tuple[str, type[_Watcher]]]:
    handler = type("Watcher", (_Watcher,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/ping/secret-id", handler
    server.shutdown()
    server.server_close()


def _settings(url: str) -> Heartbeat:
    return Heartbeat.model_validate({"url": url, "timeout_seconds": 1.0})


def it_says_start_success_and_fail_as_healthchecks_expects(watcher: tuple[str, type[_Watcher]]) -> None:
    url, handler = watcher
    assert ping(_settings(url), "start") is None
    assert ping(_settings(url + "/"), "success", "0 findings") is None
    assert ping(_settings(url), "fail", "ä" * 20_000) is None
    assert [path.removeprefix("/ping/secret-id") for path, _body in handler.seen] == ["/start", "", "/fail"]
    assert handler.seen[1][1] == "0 findings"
    assert len(handler.seen[2][1].encode()) == 10_000


def it_does_nothing_where_no_address_is_set() -> None:
    assert ping(Heartbeat(), "success") is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "ftp://example.org/x", "http://[broken/x", "nonsense"])
def it_says_what_is_wrong_and_never_raises(url: str) -> None:
    problem = ping(_settings(url), "success")
    assert problem is not None
    assert "heartbeat.url" in problem
    assert "/x" not in problem  # the address is a secret


def it_reports_a_watcher_that_refuses(watcher: tuple[str, type[_Watcher]]) -> None:
    url, handler = watcher
    handler.status = 404
    assert "did not arrive" in str(ping(_settings(url), "success"))


@pytest.mark.parametrize("status", [404, 500])
def it_reports_a_watcher_that_refuses_without_its_address(watcher: tuple[str, type[_Watcher]], status: int) -> None:
    url, handler = watcher
    handler.status = status
    problem = str(ping(_settings(url), "success"))
    assert "did not arrive" in problem
    assert "secret-id" not in problem


def it_gives_up_after_the_time_granted_however_the_answer_trickles(watcher: tuple[str, type[_Watcher]]) -> None:
    url, handler = watcher
    handler.trickles = True
    began = time.monotonic()
    assert "within 1 s" in str(ping(_settings(url), "success"))
    assert time.monotonic() - began < 5.0


class DescribeTheRun:
    def it_has_one_name_from_start_to_end(self, watcher: tuple[str, type[_Watcher]]) -> None:
        url, handler = watcher
        for check in ("check", "doctor"):
            pings = Pings(_settings(url), check)
            assert (pings.start(), pings.end(True)) == (None, None)
        names = [path.partition("?rid=")[2] for path, _body in handler.seen]
        assert names[0] == names[1] != names[2] == names[3]
        assert len(names[0]) == 36

    def it_has_an_address_of_its_own_where_the_check_has_a_slug(self, watcher: tuple[str, type[_Watcher]]) -> None:
        url, handler = watcher
        settings = Heartbeat.model_validate({"url": url, "slugs": {"scan": "kronos-scan"}})
        for check in ("scan", "doctor"):
            Pings(settings, check, "r").end(False, "why")
        assert handler.seen == [("/ping/secret-id/kronos-scan/fail?rid=r", "why")]

    def it_is_told_by_every_check_with_a_slug_whether_it_ends_well_or_not(
        self, watcher: tuple[str, type[_Watcher]], sqlite_engine: Engine
    ) -> None:
        url, handler = watcher
        settings = Settings.model_validate({"heartbeat": {"url": url, "slugs": {"scan": "s"}}})
        context = Context(settings, sqlite_engine, utc_now)
        with pulse(context, "scan", "trade"), pulse(context, "watch"):
            pass
        with pytest.raises(ValueError, match="no"), pulse(context, "scan", "trade"):
            raise ValueError("no")
        paths = [path.partition("?")[0].removeprefix("/ping/secret-id") for path, _body in handler.seen]
        assert paths == ["/s/start", "/s", "/s/start", "/s/fail"]
        assert handler.seen[3][1] == "ValueError: no"

    def it_never_hurts_the_check_that_the_address_is_dead(self, sqlite_engine: Engine) -> None:
        settings = Settings.model_validate({"heartbeat": {"url": "http://127.0.0.1:1/x", "slugs": {"scan": "s"}}})
        with pulse(Context(settings, sqlite_engine, utc_now), "scan") as state:
            state.attention("seen")
        with reading(sqlite_engine) as connection:
            beat = last_heartbeat(connection, "scan")
        assert beat is not None
        assert (beat.verdict, beat.message) == ("attention", "seen")

    def it_may_have_a_slug_in_every_check_that_leaves_a_pulse(self) -> None:
        package = Path(kronos_health.__file__).parent
        code = "".join(path.read_text(encoding="utf-8") for path in (package / "checks").rglob("*.py"))
        checks = set(re.findall(r'with pulse\(context, "(\w+)"', code)) | OF_THE_WHOLE
        assert len(checks) > 8
        assert set(Heartbeat.model_validate({"slugs": dict.fromkeys(checks, "s")}).slugs) == checks

    def it_is_refused_a_slug_for_a_check_that_does_not_exist(self) -> None:
        with pytest.raises(ValueError, match="no check named scna"):
            Heartbeat.model_validate({"slugs": {"scna": "s"}})
