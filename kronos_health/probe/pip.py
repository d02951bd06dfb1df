"""Filling a virtual environment by real pip, under the guard: bounded in time, without secrets, with its log kept.

pip's own configuration (files, ``PIP_…`` variables, ``.netrc``) is honoured, so that a mirror or a proxy works as it
does on the command line; variables that would install elsewhere than into the environment are not passed on.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kronos_health.probe.child import ChildEnd, Command, Conversation, Limits, StopReason, run_child
from kronos_health.probe.kept import Bench

CUDA_PACKAGES = ("cuda-", "nvidia-", "pytorch-triton", "triton")
_HARMLESS = frozenset({"nvidia-ml-py"})  # a binding without any library
_PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "NETRC", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_CACHE_HOME"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PYENV_ROOT", "PYENV_VERSION"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    }
)
_ELSEWHERE = frozenset(
    {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_REQUIREMENT", "PIP_REPORT", "PIP_DRY_RUN", "PIP_LOG"}
)
_STEP = re.compile(r"(?:Collecting|Downloading|Building wheel for|Installing collected packages:) .*")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_ASKED = re.compile(r"\s+(?:The user requested|\S+ \S+ depends on) ")
_EXIT_GRACE_SECONDS = 30.0
_TELL_SECONDS = 5.0
_LAST_LINES = 6
_LONGEST = 300


class PipFailed(Exception):
    """A step did not succeed; the text is one line with pip's reason."""


class Unwanted(PipFailed):
    """pip would bring what must not come along."""


class Stopped(Exception):
    """The caller asked for the end."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Packages that pip may not bring along (by the beginning of their names), and what to do when it would."""

    packages: tuple[str, ...]
    advice: str


def make_empty(python: str, bench: Bench) -> None:
    """``python -m venv``. Raises :class:`PipFailed`."""
    bench.making.say("making the environment")
    _run([python, "-m", "venv", str(bench.folder)], bench, f"{python} -m venv")


def install(python: Path, requirements: Sequence[str], options: Sequence[str], bench: Bench) -> None:
    """``pip install`` into the environment of ``python``. Raises :class:`PipFailed`."""
    wanted = " ".join(requirements)
    bench.making.say(f"installing {wanted}")
    _run([*_pip(python), "install", *options, "--", *requirements], bench, f"pip install {requirements[0]}")


def refuse_unwanted(
    python: Path, requirements: Sequence[str], options: Sequence[str], refusal: Refusal, bench: Bench
) -> None:
    """Raise :class:`Unwanted` when pip would bring what ``refusal`` names; nothing is installed by asking."""
    bench.making.say(f"asking pip what {' '.join(requirements)} would bring")
    report = bench.scratch / "report.json"
    question = ["install", "--dry-run", "--report", str(report), *options, "--", *requirements]
    _run([*_pip(python), *question], bench, f"pip install --dry-run {requirements[0]}")
    unwanted = unwanted_packages(json.loads(report.read_text("utf-8")), refusal.packages)
    if unwanted:
        more = f" and {len(unwanted) - 3} more" if len(unwanted) > 3 else ""
        raise Unwanted(f"{requirements[0]} would bring {', '.join(unwanted[:3])}{more}. {refusal.advice}")


def unwanted_packages(report: Mapping[str, object], beginnings: Sequence[str]) -> tuple[str, ...]:
    """``name version`` of what pip's installation report (format 1) would install and ``beginnings`` refuse."""
    planned = report.get("install")
    found = []
    for item in planned if isinstance(planned, list) else ():
        name = re.sub(r"[-_.]+", "-", str(item["metadata"]["name"])).lower()  # as PEP 503 spells it
        if name.startswith(tuple(beginnings)) and name not in _HARMLESS:
            found.append(f"{name} {item['metadata']['version']}")
    return tuple(found)


def pip_environment(parent: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """The whole environment of pip, made from the parent's by allow-list: no secrets of a worker."""
    passed = {
        name: value
        for name, value in parent.items()
        if name in _PASSED or (name.startswith("PIP_") and name not in _ELSEWHERE)
    }
    return passed | {
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(scratch),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PIP_USER": "0",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_PROGRESS_BAR": "off",
    }


def _pip(python: Path) -> list[str]:
    return [str(python), "-m", "pip"]


class _Watch(Conversation):
    """Tells of pip's steps as its log grows, but not of each of many small ones."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._place = bench.log.stat().st_size if bench.log.exists() else 0
        self._step, self._told_at = "", time.monotonic()

    def tick(self, pid: int) -> bool:
        del pid
        found = [match.group() for line in self._new_lines() if (match := _STEP.search(line))]
        self._step = found[-1] if found else self._step
        if self._step and time.monotonic() - self._told_at >= _TELL_SECONDS:
            self._bench.making.say(one_line(self._step, 100))
            self._step, self._told_at = "", time.monotonic()
        return self._bench.making.should_stop()

    def _new_lines(self) -> list[str]:
        try:
            with self._bench.log.open("rb") as log:
                log.seek(self._place)
                chunk, line_end, _ = log.read().rpartition(b"\n")
        except OSError:
            return []
        self._place += len(chunk) + len(line_end)
        return chunk.decode("utf-8", "replace").splitlines()


def _run(argv: Sequence[str], bench: Bench, what: str) -> None:
    if bench.making.should_stop():
        raise Stopped
    # The guard gives a child's standard output to nobody: the shell gives it to the log, and is the program then.
    logged = ("/bin/sh", "-c", 'exec "$@" >> "$0"', str(bench.log), *argv)
    command = Command(logged, pip_environment(os.environ, bench.scratch), bench.scratch)
    limits = Limits(bench.seconds_left(), None, _EXIT_GRACE_SECONDS)
    end = run_child(command, limits, _Watch(bench), (bench.lock.descriptor,))
    with bench.log.open("a", encoding="utf-8") as log:
        log.write(end.stderr_tail)
    if end.stopped is StopReason.ASKED:
        raise Stopped
    if end.exit_status != 0:
        raise PipFailed(f"{what} failed: {why(end, bench.log.read_text('utf-8', 'replace'))}")


def why(end: ChildEnd, log: str) -> str:
    """Why a step failed, in pip's own words where it has some; ``log`` is what it wrote on its standard output."""
    if end.start_error:
        return end.start_error
    if end.stopped is StopReason.DEADLINE:
        return "it did not end in the time it has"
    lines = [line.strip() for line in end.stderr_tail.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if len(errors) > 1 and errors[-1].startswith("ResolutionImpossible"):  # its story is told before, on both streams
        errors = [f"{errors[-2]} {' '.join(line.strip() for line in log.splitlines() if _ASKED.match(line))}"]
    said = " ".join(line.strip() for line in log.splitlines()[-_LAST_LINES:])  # Debian's venv complains there
    reason = (errors or lines or [end.signal or said or f"exit status {end.exit_status}"])[-1]
    unanswered = " (a package index did not answer)" if "Retrying (Retry(" in end.stderr_tail else ""
    return one_line(reason) + unanswered


def one_line(text: str, limit: int = _LONGEST) -> str:
    """``text`` for people: on one line, credentials in addresses masked, at most ``limit`` characters."""
    line = " ".join(_CREDENTIALS.sub("***@", text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
