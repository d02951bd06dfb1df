"""The ping tells an outside watcher that the checker lives, and never gets in its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kronos_health.alerts.heartbeat import ping
from kronos_health.settings.models import Heartbeat


class _Watcher(BaseHTTPRequestHandler):
    seen: list[tuple[str, str]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.seen.append((self.path, body))
        self.send_response(self.status)
        self.end_headers()

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
