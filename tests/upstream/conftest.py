"""A package index on loopback, a newer pip, and git repositories: real ones, all of them the tests' own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

CLOSED = "http://127.0.0.1:1/simple"  # nothing listens on port 1


class _Index(BaseHTTPRequestHandler):
    """PEP 503: one page of links for torch, 404 for the rest. ``versions`` is what it carries now."""

    def __init__(self, *arguments: object, versions: list[str]) -> None:
        self.versions = versions
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        links = "".join(f'<a href="torch-{version}-py3-none-any.whl">x</a>' for version in self.versions)
        self.send_response(200 if self.path == "/simple/torch/" else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<!DOCTYPE html><html><body>{links}</body></html>".encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def package_index() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the list of versions it carries, which a test may change."""
    versions: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Index, versions=versions))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple", versions
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def use_indexes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Point pip at these indexes and at nothing else the machine has configured."""
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    def use(first: str, *others: str) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", first)
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", " ".join(others))

    return use


@pytest.fixture(scope="session")
def newer_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the newest pip that virtualenv carries: one that answers in JSON."""
    embedded = pytest.importorskip("virtualenv.seed.wheels.embed", reason="virtualenv carries the newer pip")
    wheel = embedded.get_embed_wheel("pip", f"{sys.version_info.major}.{sys.version_info.minor}").path
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    return folder / "bin" / "python"


class Repository:
    """A git repository under the tests' control, untouched by the machine's own git settings."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.path.parent), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
        }  # fmt: skip
        command = ["git", "-C", str(self.path), "-c", "protocol.file.allow=always", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()

    def commit(self, subject: str) -> str:
        (self.path / "kronos.py").write_text(f"# {subject}\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def upstream_repository(tmp_path: Path) -> Repository:
    """What others publish."""
    path = tmp_path / "upstream"
    path.mkdir()
    repository = Repository(path)
    repository.git("init", "-q", "-b", "main")
    repository.commit("first")
    return repository


@pytest.fixture
def checkout(tmp_path: Path, upstream_repository: Repository) -> Repository:
    """Our clone of it."""
    upstream_repository.git("clone", "-q", str(upstream_repository.path), str(tmp_path / "kronos"))
    return Repository(tmp_path / "kronos")
