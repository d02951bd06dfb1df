"""Logs in object storage, through fsspec: a real HTTP server, the file system, memory, and S3 where moto is there."""

from __future__ import annotations

import functools
import gzip
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from tests.logs.support import Watched, line, reuse


class Bucket:
    """A place for objects, at an address, that is written to as other programs do."""

    def __init__(self, address: str, **options: str) -> None:
        self.address, self.options = address, options
        self.files, self.root = fsspec.core.url_to_fs(address, **options)

    def put(self, name: str, data: str | bytes) -> None:
        self.files.pipe_file(f"{self.root}/{name}", data.encode() if isinstance(data, str) else data)

    def remove(self, name: str) -> None:
        self.files.rm(f"{self.root}/{name}")


@pytest.fixture(params=["memory", "file"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    if request.param == "memory":
        return Bucket(f"memory://bucket-{uuid4().hex}")
    return Bucket((tmp_path / "objects").as_uri(), auto_mkdir="true")


@pytest.fixture
def stored(watched: Watched, bucket: Bucket) -> Watched:
    watched.source = watched.source.model_copy(update={"path": f"{bucket.address}/*.log"})
    return watched


def it_reads_every_object_that_matches_and_says_which_one_a_finding_is_from(stored: Watched, bucket: Bucket) -> None:
    bucket.put("a.log", reuse("one"))
    bucket.put("b.log", reuse("two"))
    bucket.put("c.txt", reuse("not asked for"))
    result = stored.scan()
    assert result.problem is None
    lives = {key: item.live_path for key, item in stored.memory.generations.items()}
    found = [lives[key] for key, _ in stored.memory.findings]
    assert [address.rpartition("/")[2] for address in found] == ["a.log", "b.log"]
    assert all(address.startswith(bucket.address.partition("://")[0] + "://") for address in found)
    bucket.put("d.log", reuse("three"))
    assert not stored.scan().first_run
    assert stored.found() == ["one", "two", "three"]


def it_reads_on_in_an_object_that_was_written_again_longer(stored: Watched, bucket: Bucket) -> None:
    bucket.put("a.log", reuse("one"))
    stored.scan()
    bucket.put("a.log", reuse("one") + line("fine") + reuse("two"))
    assert stored.scan().counts.bytes == len(line("fine") + reuse("two"))
    assert stored.scan().counts.bytes == 0
    assert stored.found() == ["one", "two"]
    assert stored.memory.gaps == []


def it_reads_an_object_anew_whose_content_is_another(stored: Watched, bucket: Bucket) -> None:
    bucket.put("a.log", reuse("one"))
    stored.scan()
    bucket.put("a.log", reuse("two") + reuse("three"))
    stored.scan()
    assert stored.found() == ["one", "two", "three"]
    assert len(stored.memory.gaps) == 1  # what was written to the first one after it was read, nobody knows


def it_follows_objects_that_were_rotated(stored: Watched, bucket: Bucket) -> None:
    bucket.put("a.log", reuse("one"))
    stored.scan()
    bucket.put("a.log.1.gz", gzip.compress((reuse("one") + reuse("two")).encode()))
    bucket.put("a.log", reuse("three"))
    stored.scan()
    assert sorted(stored.found()) == ["one", "three", "two"]
    assert stored.memory.gaps == []


def it_takes_the_removal_of_an_object_that_was_read_for_nothing_lost(stored: Watched, bucket: Bucket) -> None:
    bucket.put("a.log", reuse("one"))
    bucket.put("b.log", reuse("two"))
    stored.scan()
    bucket.remove("a.log")
    result = stored.scan()
    assert (result.problem, result.gaps) == (None, ())


def it_reads_a_single_object_and_all_of_a_folder(stored: Watched, bucket: Bucket) -> None:
    bucket.put("logs/a.log", reuse("one"))
    bucket.put("logs/b.txt", reuse("two"))
    stored.source = stored.source.model_copy(update={"path": f"{bucket.address}/logs/a.log"})
    stored.scan()
    assert stored.found() == ["one"]
    stored.source = stored.source.model_copy(update={"path": f"{bucket.address}/logs"})
    stored.scan()
    assert stored.found() == ["one", "two"]


def it_reads_the_last_line_of_an_old_object_although_it_has_no_end(stored: Watched, bucket: Bucket) -> None:
    bucket.put("a.log", reuse("one").rstrip("\n"))
    stored.scan()
    assert stored.found() == []
    later = time.time() + 120
    from kronos_health.logs.scanner import Clocks

    stored.scan(clocks=Clocks(wall=lambda: later))
    assert stored.found() == ["one"]


def it_says_that_no_object_matches(stored: Watched) -> None:
    problem = str(stored.scan().problem)
    assert problem == f"no file matches {stored.source.path}. Check the path, or wait until the program writes it."


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nothing://bucket/a.log", "nothing://bucket/a.log cannot be opened (ValueError: Protocol not known: nothing"),
        ("gs://bucket/a.log", "gs://bucket/a.log needs another package (Please install gcsfs to access"),
        ("http://127.0.0.1:9/a.log", "http://127.0.0.1:9/a.log cannot be read ("),
    ],
)
def it_calls_storage_unknown_that_it_cannot_reach(watched: Watched, address: str, words: str) -> None:
    watched.source = watched.source.model_copy(update={"path": address})
    result = watched.scan()
    assert str(result.problem).startswith(words)
    assert "\n" not in str(result.problem)
    assert result.generations == result.gaps == ()


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves files with Range and ETag, counts what it sends, and fails when it is told to."""

    sent = 0
    failing = False

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if Ranges.failing or not path.is_file():
            self.send_error(503 if Ranges.failing else 404)
            return
        data, size = path.read_bytes(), path.stat().st_size
        start, _, end = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        part = data[int(start or 0) : int(end) + 1 if end else None]
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hash(data)}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{int(start) + len(part) - 1}/{size}")
        self.end_headers()
        if self.command == "GET":
            Ranges.sent += len(part)
            self.wfile.write(part)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "served"
    folder.mkdir()
    Ranges.sent, Ranges.failing = 0, False
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Ranges, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def it_fetches_only_new_bytes_over_http(watched: Watched, served: tuple[Path, str]) -> None:
    folder, address = served
    log = folder / "trade.log"
    log.write_text(line("fine") * 20_000 + reuse("one"))
    watched.source = watched.source.model_copy(update={"path": f"{address}/trade.log"})
    assert watched.scan().problem is None
    assert Ranges.sent > log.stat().st_size
    Ranges.sent = 0
    with log.open("a") as file:
        file.write(reuse("two"))
    watched.scan()
    assert len(reuse("two")) <= Ranges.sent < len(reuse("two")) + 40_000  # and what proves where to go on
    assert watched.found() == ["one", "two"]
    Ranges.sent = 0
    watched.scan()
    assert Ranges.sent == 0
    assert watched.memory.gaps == []


def it_goes_on_where_it_stopped_after_the_storage_was_away(watched: Watched, served: tuple[Path, str]) -> None:
    folder, address = served
    log = folder / "trade.log"
    log.write_text(reuse("one"))
    watched.source = watched.source.model_copy(update={"path": f"{address}/trade.log"})
    watched.scan()
    log.write_text(reuse("one") + reuse("two"))
    Ranges.failing = True
    result = watched.scan()
    assert result.problem is not None
    assert "reading goes on where it stopped" in result.problem
    assert result.gaps == result.generations == ()
    Ranges.failing = False
    watched.scan()
    assert watched.found() == ["one", "two"]
    assert watched.memory.gaps == []


@pytest.fixture
def s3() -> Iterator[Bucket]:
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    _host, port = server.get_host_and_port()
    bucket = Bucket("s3://logs", endpoint_url=f"http://127.0.0.1:{port}", key="test", secret="test")
    bucket.files.mkdir("logs")
    yield bucket
    server.stop()


def it_reads_s3(watched: Watched, s3: Bucket) -> None:
    watched.source = watched.source.model_copy(update={"path": "s3://logs/*.log", "options": s3.options})
    s3.put("a.log", reuse("one"))
    assert watched.scan().problem is None
    s3.put("a.log", reuse("one") + reuse("two"))
    s3.put("a.log.1.gz", gzip.compress(reuse("zero").encode()))
    result = watched.scan()
    assert result.problem is None
    assert sorted(watched.found()) == ["one", "two", "zero"]
    assert watched.scan().counts.bytes == 0
    assert watched.memory.gaps == []
