"""Whether what the settings name can be used on this machine: paths, interpreters, patterns, time zones."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from kronos_health.settings.errors import Problem
from kronos_health.settings.models import Settings, Source, Target

_OLDEST_PYTHON = (3, 10)  # what the travelling worker is written for
_QUESTION = (
    "import importlib.util, sys; print(*sys.version_info[:2], int(importlib.util.find_spec('torch') is not None))"
)
_ANSWER_SECONDS = 30

Origins = Mapping[str, str]


def check_reachable(settings: Settings, origins: Origins | None = None) -> tuple[Problem, ...]:
    """Everything named in ``settings`` that cannot be used here, each with its fix; empty when all is well.

    A log that is not there is a warning: it may still be written. Interpreters are started once each (no imports).
    """
    checks: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
        _state_dir,
        _production,
        _upstream,
        _evaluation,
        _patterns,
    )
    problems = [problem for check in checks for problem in check(settings)]
    for name, target in settings.targets.items():
        problems.extend(_target(f"targets.{name}", target))
    for name, source in settings.sources.items():
        problems.extend(_source(f"sources.{name}", source))
    return tuple(_with_origin(problem, origins or {}) for problem in problems)


def _with_origin(problem: Problem, origins: Origins) -> Problem:
    origin = "" if problem.value is None else origins.get(problem.key, "")
    return Problem(problem.key, problem.message, problem.fix, problem.value, origin, problem.severity)


def _state_dir(settings: Settings) -> Iterator[Problem]:
    existing = settings.state_dir
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        yield _problem("state_dir", settings.state_dir, f"{existing} is not a folder", "Name another folder.")
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield _problem(
            "state_dir", settings.state_dir, f"{existing} is not writable", "Name a folder you may write to."
        )


def _production(settings: Settings) -> Iterator[Problem]:
    production = settings.production
    yield from _file("production.env_file", production.env_file, "Name production's .env.compile, or remove the key.")
    yield from _repository("production.checkout", production.checkout)
    yield from _pattern("production.process", production.process)


def _upstream(settings: Settings) -> Iterator[Problem]:
    yield from _repository("upstream.kronos_checkout", settings.upstream.kronos_checkout)
    yield from _interpreter("upstream.torch_interpreter", settings.upstream.torch_interpreter, needs_torch=False)


def _evaluation(settings: Settings) -> Iterator[Problem]:
    fix = "Name an OHLCV file, or remove the key to use the synthetic series."
    yield from _file("probe.evaluation.csv", settings.probe.evaluation.csv, fix)


def _patterns(settings: Settings) -> Iterator[Problem]:
    fix = "Name a TOML file with [[signatures]], or remove the key."
    yield from _file("logs.catalogue", settings.logs.catalogue, fix)
    for name, pattern in settings.logs.patterns.items():
        yield from _pattern(f"logs.patterns.{name}", pattern)


def _target(key: str, target: Target) -> Iterator[Problem]:
    yield from _interpreter(f"{key}.interpreter", target.interpreter, needs_torch=True)
    for index, folder in enumerate(target.python_path):
        yield from _folder(f"{key}.python_path", folder, f"Entry {index + 1} must be a folder.")
    for name in ("weights", "tokenizer"):
        value = getattr(target, name)
        if value.startswith("/"):
            yield from _folder(
                f"{key}.{name}", Path(value), "Name a local folder or a hub id such as NeoQuasar/Kronos-base."
            )
    yield from _checkout(key, target)


def _checkout(key: str, target: Target) -> Iterator[Problem]:
    needed = {"kronos_checkout": "model", "production_wrapper": "src/models/kronos_wrapper.py"}.get(target.loader)
    if needed is None:
        yield from _folder(f"{key}.checkout", target.checkout, "Name the checkout's folder, or remove the key.")
        return
    if target.checkout is None:
        yield _problem(
            f"{key}.checkout", None, f"is missing, loader {target.loader} needs it", "Name the checkout's folder."
        )
        return
    missing = list(_folder(f"{key}.checkout", target.checkout, "Name the checkout's folder."))
    yield from missing
    if not missing and not (target.checkout / needed).exists():
        fix = f"Name the folder that has {needed} in it."
        yield _problem(f"{key}.checkout", target.checkout, f"has no {needed}, loader {target.loader} needs it", fix)


def _source(key: str, source: Source) -> Iterator[Problem]:
    try:
        ZoneInfo(source.timezone)
    except (KeyError, ValueError, OSError):
        fix = "Write a name such as UTC or America/New_York."
        yield _problem(f"{key}.timezone", source.timezone, "is no time zone known here", fix)
    try:
        "".encode(source.encoding)
    except (LookupError, ValueError):
        yield _problem(f"{key}.encoding", source.encoding, "is no encoding Python knows", "Write utf-8 or latin-1.")
    if "://" in source.path:
        yield from _address(f"{key}.path", source.path)
        return
    path = _listed(Path(source.path))
    if not path.exists():
        fix = "It is read once it appears; check the path if production is running."
        yield _problem(f"{key}.path", path, "does not exist yet", fix, warning=True)
    elif path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        yield _problem(f"{key}.path", path, "cannot be listed", f"Give this user access: chmod o+rx {path}")
    elif not os.access(path, os.R_OK):
        yield _problem(f"{key}.path", path, "is not readable", f"Give this user read access: chmod o+r {path}")


def _address(key: str, address: str) -> Iterator[Problem]:
    """Whether its kind is known and its library there; the storage itself is asked when it is scanned."""
    from fsspec.registry import get_filesystem_class, known_implementations

    kind = address.partition("://")[0]
    try:
        get_filesystem_class(kind)
    except ImportError as error:
        yield _problem(key, address, "needs another package", f"{error}.")
    except ValueError:
        near = ", ".join(
            name for name in ("s3", "gs", "abfs", "https", "file", "memory") if name in known_implementations
        )
        yield _problem(key, address, f"has no kind of storage known here, {kind}", f"Known are for instance {near}.")


def _listed(path: Path) -> Path:
    """What must be there: the path itself, or the folder that a pattern begins with."""
    if path.exists():
        return path
    wild = next((index for index, part in enumerate(path.parts) if any(sign in part for sign in "*?[")), None)
    return path if wild is None else Path(*path.parts[:wild])


def _file(key: str, path: Path | None, fix: str) -> Iterator[Problem]:
    if path is None:
        return
    if not path.exists():
        yield _problem(key, path, "does not exist", fix)
    elif path.is_dir():
        yield _problem(key, path, "is a folder, a file is needed", fix)
    elif not os.access(path, os.R_OK):
        yield _problem(key, path, "is not readable", "Give this user read access.")


def _folder(key: str, path: Path | None, fix: str) -> Iterator[Problem]:
    if path is not None and not path.is_dir():
        yield _problem(key, path, "is not a folder" if path.exists() else "does not exist", fix)


def _repository(key: str, path: Path | None) -> Iterator[Problem]:
    missing = list(_folder(key, path, "Name a git checkout, or remove the key."))
    yield from missing
    if path is not None and not missing and not any((folder / ".git").exists() for folder in (path, *path.parents)):
        yield _problem(key, path, "is not a git checkout", "Name the folder that git clone made.")


def _pattern(key: str, pattern: str) -> Iterator[Problem]:
    try:
        re.compile(pattern)
    except re.error as error:
        fix = f"Mend it near character {error.pos}; in TOML, write it in single quotes."
        yield _problem(key, pattern, f"is no regular expression: {error.msg}", fix)


def _interpreter(key: str, path: Path | None, needs_torch: bool) -> Iterator[Problem]:
    if path is None:
        return
    fix = "Name the full path of a python, e.g. /path/to/environment/bin/python."
    if not path.is_file():
        yield _problem(key, path, "does not exist" if path.is_absolute() else "is not found on PATH", fix)
        return
    try:
        # Isolated and without our environment: only this interpreter's own installation answers.
        run = subprocess.run(
            [path, "-I", "-c", _QUESTION], capture_output=True, text=True, timeout=_ANSWER_SECONDS, env={}, check=True
        )
        major, minor, has_torch = (int(word) for word in run.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        yield _problem(key, path, f"cannot be started as a Python: {_cause(error)}", fix)
        return
    if (major, minor) < _OLDEST_PYTHON:
        yield _problem(key, path, f"is Python {major}.{minor}, the probe needs 3.10 or newer", fix)
    elif needs_torch and not has_torch:
        yield _problem(key, path, "has no torch", f"Install it there: {path} -m pip install torch")


def _cause(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = str(error.stderr).strip().splitlines()
        return lines[-1] if lines else f"exit status {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {_ANSWER_SECONDS} s"
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it does not answer like one"


def _problem(key: str, value: object, message: str, fix: str, warning: bool = False) -> Problem:
    shown = None if value is None else str(value)
    return Problem(key, message, fix, shown, severity="warning" if warning else "error")
