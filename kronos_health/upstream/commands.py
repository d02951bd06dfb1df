"""Ask another program a question: bounded in time, without a terminal, and with a clean environment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

# A task's environment holds connections, broker and signing secrets: children get only what is named here.
_NAMES = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "NETRC", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSH_AUTH_SOCK",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    }
)  # fmt: skip
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it wrote, decoded as UTF-8."""

    status: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        """True for exit status 0."""
        return self.status == 0


class NoAnswer(Exception):
    """The command could not be started or did not end in time; the text says which."""


def clean_environment(*prefixes: str, **extra: str) -> dict[str, str]:
    """This process' environment reduced to harmless names, to those with one of ``prefixes``, and to ``extra``."""
    kept = {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(prefixes)}
    return kept | {"LC_ALL": "C.UTF-8"} | extra


def ask(command: Sequence[str], timeout_seconds: float, environment: Mapping[str, str]) -> Answer:
    """Run ``command`` from the root folder, so that nothing lying about in ours can stand in for its modules.

    Raises ``NoAnswer`` when it cannot be started or takes longer than ``timeout_seconds``; its whole group is ended.
    """
    try:
        child = subprocess.Popen(
            command,
            cwd=os.sep,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # no terminal to ask for a password on, and one group to end
        )
    except (OSError, ValueError) as error:
        raise NoAnswer(f"{command[0]} cannot be started: {getattr(error, 'strerror', None) or error}") from error
    try:
        out, err = child.communicate(timeout=timeout_seconds)
    except BaseException as error:
        _end_group(child)
        if isinstance(error, subprocess.TimeoutExpired):
            raise NoAnswer(f"no answer within {timeout_seconds:g} s") from error
        raise
    return Answer(child.returncode, out, err)


def _end_group(child: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself in between
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def one_line(text: str, limit: int = 300) -> str:
    """``text`` for people: on one line, credentials in addresses masked, at most ``limit`` characters."""
    line = " ".join(_CREDENTIALS.sub("***@", text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
