"""From an exception to the one error event that tells the parent what went wrong, and where.

Facts about torch's exceptions were read in its sources, 2.6 to 2.15: ``BackendCompilerFailed`` and ``InductorError``
keep the cause in ``inner_exception``, ``InternalTorchDynamoError`` in ``__cause__``; the texts of the CUDA graph error
are in ``torch/_inductor/cudagraph_trees.py``.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import BadInput, NonFiniteForecast, SilentOverwrite, Unsupported

GRAPH_REUSE = (
    "accessing tensor output of CUDAGraphs",
    "accessing gradient tensor output of CUDAGraphs",
)
NO_TRITON_CONFIG = "No valid triton configs"  # its OutOfMemoryError is the tuner's, not the model's
OUT_OF_MEMORY_TEXTS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA out of memory",
    "CUDA error: out of memory",
)
COMPILER_MODULES = ("torch._inductor", "torch._dynamo", "torch._functorch", "torch.fx", "triton")
OWN_KINDS = {
    BadInput: "bad_input",
    Unsupported: "unsupported",
    NonFiniteForecast: "accuracy",
    SilentOverwrite: "silent_overwrite",
}
EXPLAINED = ("bad_input", "unsupported")  # the message says it all: no frame, no stack
DEEPEST_CAUSE = 10
MESSAGE_CHARS = 8_000
STACK_CHARS = 16_000
LINE_CHARS = 500

_FRAME_LINE = re.compile(
    r'File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<function>[^\n]+)\n[ \t]*(?P<code>[^\n]*)'
)


@dataclass(frozen=True)
class Frame:
    """A place in source code, as a traceback shows it."""

    file: str
    line: int
    function: str
    code: str


def describe(error: BaseException) -> dict[str, Any]:
    """The fields of the error event: ``kind, type, message, frame, stack``."""
    causes = list(_causes(error))
    kind = kind_of(causes)
    frame = frame_of(causes, kind)
    return {
        "kind": kind,
        "type": _type_name(next((cause for cause in causes if isinstance(cause, BadInput)), causes[-1])),
        "message": _clipped(_message(error), MESSAGE_CHARS),
        "frame": None if frame is None else asdict(frame),
        "stack": None if kind in EXPLAINED else _clipped("".join(traceback.format_exception(error)), STACK_CHARS),
    }


def first_line(error: BaseException) -> str:
    """The error in one line."""
    return _message(error).splitlines()[0][:LINE_CHARS]


def kind_of(causes: list[BaseException]) -> str:
    """The kind of error for an exception and its causes, outermost first; the order of the questions matters."""
    for error in causes:
        for own, kind in OWN_KINDS.items():
            if isinstance(error, own):
                return kind
    texts = [str(error) for error in causes]
    if any(phrase in text for text in texts for phrase in GRAPH_REUSE):
        return "graph_reuse"
    if any(NO_TRITON_CONFIG in text for text in texts):
        return "compile_error"
    if any(_is_out_of_memory(error) for error in causes):
        return "out_of_memory"
    if any(type(error).__module__.startswith(COMPILER_MODULES) for error in causes):
        return "compile_error"
    return "worker_error"


def frame_of(causes: list[BaseException], kind: str) -> Frame | None:
    """The first failing frame outside torch.

    For a graph reuse error that is the line of the model whose output was overwritten: torch names it in its message.
    For a compile error it is the user code that was being compiled, where torch says. Else the innermost frame of the
    root cause's traceback that is neither torch, nor the standard library, nor this worker.
    """
    if kind in EXPLAINED:
        return None
    for error in reversed(causes):
        if kind in ("graph_reuse", "compile_error"):
            named = _named_in(str(error), kind)
            if named is not None:
                return named
        frame = _innermost(error)
        if frame is not None:
            return frame
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what it says it was caused by, outermost first."""
    current: BaseException | None = error
    for _ in range(DEEPEST_CAUSE):
        if current is None:
            return
        yield current
        inner = getattr(current, "inner_exception", None)
        current = inner if isinstance(inner, BaseException) else current.__cause__


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    kinds = tuple(
        kind
        for kind in (getattr(torch, "OutOfMemoryError", None), getattr(torch, "_OutOfMemoryError", None))
        if isinstance(kind, type)
    )
    return isinstance(error, kinds) or any(phrase in str(error) for phrase in OUT_OF_MEMORY_TEXTS)


def _named_in(message: str, kind: str) -> Frame | None:
    marker = "Stack trace:" if kind == "graph_reuse" else "from user code:"
    _, found, stack = message.partition(marker)
    return frame_in_stack(stack) if found else None


def frame_in_stack(stack: str) -> Frame | None:
    """The innermost frame of a formatted stack that is not torch's; the innermost of all where all are."""
    frames = [
        Frame(match["file"], int(match["line"]), match["function"].strip(), _code_only(match["code"]))
        for match in _FRAME_LINE.finditer(stack)
    ]
    outside = [frame for frame in frames if not skipped(frame.file)] or frames
    return outside[-1] if outside else None


def _code_only(line: str) -> str:
    """A line of code without the advice that torch's message goes on with after a full stop."""
    return re.split(r"\.\s+(?=[A-Z])", line.strip())[0].rstrip(".")


def _innermost(error: BaseException) -> Frame | None:
    for entry in reversed(traceback.extract_tb(error.__traceback__)):
        if not skipped(entry.filename):
            return Frame(entry.filename, entry.lineno or 0, entry.name, (entry.line or "").strip())
    return None


def skipped(file: str) -> bool:
    """True for frames that say nothing about the model: torch, what it generated, the standard library, this worker."""
    generated = os.environ.get("TORCHINDUCTOR_CACHE_DIR") or f"{tempfile.gettempdir()}/torchinductor_"
    if file.startswith(("<", str(Path(__file__).resolve().parent), generated)):
        return True
    for name in ("torch", "triton"):
        place = getattr(sys.modules.get(name), "__file__", None)
        if place and file.startswith(str(Path(place).parent)):
            return True
    standard = sysconfig.get_paths()["stdlib"]
    return file.startswith(standard) and "site-packages" not in file


def _type_name(error: BaseException) -> str:
    kind = type(error)
    plain = kind.__module__ in ("builtins", "__main__", BadInput.__module__)
    return kind.__name__ if plain else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def _clipped(text: str, limit: int) -> str:
    """``text`` without its middle when it is too long: beginnings name the error, ends hold its newest frames."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
