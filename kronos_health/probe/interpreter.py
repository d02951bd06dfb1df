"""Asking a target's interpreter, before anything heavy, whether it is a Python that has torch, and sees CUDA."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from kronos_health.probe.child import EVENTS_FD, ChildEnd, Command, Conversation, Limits, StopReason, run_child
from kronos_health.probe.environment import child_environment
from kronos_health.probe.workplace import workplace
from kronos_health.settings.models import Target

OLDEST_PYTHON = (3, 10)
DEADLINE_SECONDS = 120.0  # importing torch from a cold disk takes its time
_answers: dict[tuple[str, int, str], Interpreter] = {}

_QUESTION = """
import importlib.util, json, os, sys
answer = {"python": list(sys.version_info[:3]), "torch": importlib.util.find_spec("torch") is not None, "error": None}
if answer["torch"]:
    try:
        import torch
        answer["version"], answer["cuda"] = str(torch.__version__), bool(torch.cuda.is_available())
    except BaseException as error:
        answer["error"] = type(error).__name__ + ": " + str(error)
os.write(int(sys.argv[1]), json.dumps(answer).encode() + b"\\n")
"""


class TargetProblem(Exception):
    """A target that cannot be probed as it is configured; one line names target, key and what to do."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A target's interpreter: its path, its versions, and whether its torch sees a CUDA device."""

    path: str
    python: str
    torch: str
    cuda: bool


class _Answer(Conversation):
    def __init__(self) -> None:
        self.record: dict[str, object] = {}

    def line(self, line: bytes) -> bool:
        try:
            self.record = dict(json.loads(line))
        except ValueError:
            return False
        return True


def inspect(name: str, target: Target, state_dir: Path) -> Interpreter:
    """What the interpreter of target ``name`` is; asked once per process, interpreter and CUDA_VISIBLE_DEVICES.

    Raises :class:`TargetProblem` when it is missing, not executable, no Python, too old, or has no working torch,
    and when there is nowhere to work.
    """
    path = str(target.interpreter.absolute()) if target.interpreter else sys.executable
    key = f"targets.{name}.interpreter = {path}"
    changed = _require_executable(Path(path), key)
    question = (path, changed, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    if question not in _answers:
        try:
            _answers[question] = _ask(path, key, state_dir)
        except OSError as error:
            raise TargetProblem(nowhere_to_work(state_dir, error)) from error
    return _answers[question]


def nowhere_to_work(state_dir: Path, error: OSError) -> str:
    """The line for a state folder that cannot be used."""
    return f"state_dir = {state_dir}: a probe cannot work there ({error}). Make it writable or choose another."


def _require_executable(path: Path, key: str) -> int:
    mend = "Point it at the python that has torch and the model."
    try:
        if not path.exists():
            raise TargetProblem(f"{key}: there is no such file. {mend}")
        if path.is_dir():
            raise TargetProblem(f"{key}: this is a folder. {mend} In a virtual environment it is bin/python.")
        if not os.access(path, os.X_OK):
            raise TargetProblem(f"{key}: the file is not executable by this user. {mend}")
        return path.stat().st_mtime_ns
    except OSError as error:
        raise TargetProblem(f"{key}: it cannot be looked at ({error.strerror}). {mend}") from error


def _ask(path: str, key: str, state_dir: Path) -> Interpreter:
    answer = _Answer()
    with workplace(state_dir) as (folders, lock):
        command = Command(
            argv=(path, "-c", _QUESTION, EVENTS_FD),
            env=child_environment(os.environ, folders),
            cwd=folders.scratch,
        )
        end = run_child(command, Limits(DEADLINE_SECONDS, exit_grace_seconds=5.0), answer, (lock.descriptor,))
    if not answer.record:
        raise TargetProblem(f"{key}: it did not answer like a Python ({_how_it_ended(end)}). Point it at a python.")
    return _interpreter(path, key, answer.record)


def _how_it_ended(end: ChildEnd) -> str:
    if end.start_error:
        return end.start_error
    if end.stopped is StopReason.DEADLINE:
        return f"nothing within {DEADLINE_SECONDS:.0f} s"
    if end.guard_signal:
        return f"its guard process was ended by {end.guard_signal}"
    last = end.stderr_tail.strip().rpartition("\n")[2][:200]
    return f"{end.signal or f'exit status {end.exit_status}'}{': ' if last else ''}{last}"


def _interpreter(path: str, key: str, answer: dict[str, object]) -> Interpreter:
    version = answer.get("python")
    numbers = tuple(part for part in version if isinstance(part, int)) if isinstance(version, list) else ()
    python = ".".join(str(number) for number in numbers)
    if numbers < OLDEST_PYTHON:
        raise TargetProblem(f"{key}: Python {python} is too old. The worker needs 3.10 or newer.")
    if not answer.get("torch"):
        raise TargetProblem(
            f"{key}: this Python {python} has no torch. Install torch there, or point the key at the one that has it."
        )
    if answer.get("error"):
        reason = " ".join(str(answer["error"]).split())[:300]
        raise TargetProblem(f"{key}: its torch cannot be imported ({reason}). Mend that installation.")
    return Interpreter(path, python, str(answer.get("version")), bool(answer.get("cuda")))
