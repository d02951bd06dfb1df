"""A real PostgreSQL server for the tests: its own cluster in a temporary folder, also when the tests run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SERVER = "PostgreSQL's server programs were not found; on Debian: apt-get install postgresql"


def _binaries() -> Path:
    on_path = shutil.which("pg_ctl")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError(_SERVER)
    return found[-1].parent


def _server_account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: then as ``postgres`` or ``nobody``."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("running as root, and neither the account postgres nor nobody exists to run PostgreSQL as")


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server on a Unix socket and yield its SQLAlchemy URL up to the database's name, ended by a slash."""
    binaries, account = _binaries(), _server_account()
    folder = Path(tempfile.mkdtemp(prefix="kh-pg-"))
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    identity = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
    data = folder / "data"
    try:
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "kronos", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd=folder, **identity,
        )  # fmt: skip
        options = [
            "-c",
            "listen_addresses=",
            "-c",
            f"unix_socket_directories={folder}",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=60",
        ]
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *options], cwd=folder, stdout=subprocess.DEVNULL,
            stderr=(folder / "server.log").open("wb"), start_new_session=True, **identity,
        )  # fmt: skip
        try:
            _wait_until_ready(binaries, folder, server)
            yield f"postgresql+psycopg://kronos@/{{database}}?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(binaries: Path, folder: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while subprocess.run([binaries / "pg_isready", "-q", "-h", folder], check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'server.log').read_text()}")
        time.sleep(0.1)
