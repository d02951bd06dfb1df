"""From an exception to a kind and the first failing frame outside torch."""

from __future__ import annotations

import textwrap

import pytest
import torch
from torch._dynamo.exc import BackendCompilerFailed, FailOnRecompileLimitHit, InternalTorchDynamoError

from kronos_health.probe.worker.errors import BadInput, NonFiniteForecast
from kronos_health.probe.worker.failures import describe

REUSE = (
    "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. Stack trace: "
    "{stack}. To prevent overwriting, clone the tensor outside of torch.compile() or call "
    "torch.compiler.cudagraph_mark_step_begin() before each model invocation."
)
STACK = textwrap.indent(
    'File "/app/model/kronos.py", line 325, in decode_s1\n'
    "  x = self.norm(x)\n"
    'File "/app/model/module.py", line 329, in forward\n'
    "  return output * self.weight",
    "  ",
).strip()


def told_of(error: BaseException) -> dict[str, object]:
    try:
        raise error
    except BaseException as caught:
        return describe(caught)


def wrapped(inner: Exception) -> Exception:
    return BackendCompilerFailed(lambda: None, inner, None)


def caused(inner: Exception) -> Exception:
    outer = InternalTorchDynamoError("while tracing")
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError(REUSE.format(stack=STACK)), "graph_reuse"),
        (RuntimeError(REUSE.format(stack=STACK).replace("tensor output", "gradient tensor output")), "graph_reuse"),
        (caused(RuntimeError(REUSE.format(stack=STACK))), "graph_reuse"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
            "out_of_memory",
        ),
        (wrapped(torch.OutOfMemoryError("CUDA out of memory")), "out_of_memory"),
        (wrapped(RuntimeError("No valid triton configs. OutOfMemoryError: out of resource")), "compile_error"),
        (wrapped(ValueError("no lowering")), "compile_error"),
        (FailOnRecompileLimitHit("Hard failure due to fail_on_recompile_limit_hit"), "compile_error"),
        (NonFiniteForecast("nan"), "accuracy"),
        (BadInput("no such file"), "bad_input"),
        (ValueError("anything else"), "worker_error"),
    ],
)
def it_tells_kinds_apart(error: BaseException, kind: str) -> None:
    assert told_of(error)["kind"] == kind


def it_names_the_model_line_whose_output_was_overwritten() -> None:
    frame = {"file": "/app/model/module.py", "line": 329, "function": "forward", "code": "return output * self.weight"}
    assert told_of(RuntimeError(REUSE.format(stack=STACK)))["frame"] == frame


def it_reads_the_stack_of_newer_pythons_with_carets_too() -> None:
    carets = STACK + "\n           ~~~~~~~^~~~~~~~~~~~~"
    assert told_of(RuntimeError(REUSE.format(stack=carets)))["frame"]["code"] == "return output * self.weight"


def it_has_no_frame_where_torch_found_no_stack() -> None:
    told = told_of(RuntimeError(REUSE.format(stack="[Could not find stack trace]")))
    assert told["frame"]["file"] == __file__  # then at least where it was read


def it_names_the_users_line_below_torch_and_the_root_cause() -> None:
    def backend(module, inputs):
        raise ValueError("planted")

    compiled = torch.compile(lambda x: x + 1, backend=backend)
    with pytest.raises(Exception, match="planted") as raised:
        compiled(torch.ones(1))
    told = describe(raised.value)
    assert (told["kind"], told["type"]) == ("compile_error", "ValueError")
    assert told["frame"]["code"] == 'raise ValueError("planted")'
    assert "BackendCompilerFailed" in told["stack"]


def it_skips_frames_of_torch() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.nn.Linear(2, 3)(torch.ones(1, 5))
    frame = describe(raised.value)["frame"]
    assert (frame["file"], frame["function"]) == (__file__, "it_skips_frames_of_torch")


def it_keeps_long_messages_short_without_losing_their_ends() -> None:
    message = describe(ValueError("begin" + "x" * 100_000 + "end"))["message"]
    assert len(message) < 9_000
    assert message.startswith("begin")
    assert message.endswith("end")


def it_names_bad_input_as_such_whatever_its_cause() -> None:
    error = BadInput("the series is not UTF-8 text")
    error.__cause__ = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    assert (told_of(error)["kind"], told_of(error)["type"]) == ("bad_input", "BadInput")
