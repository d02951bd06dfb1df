"""The catalogue against the torch that is installed here: what it prints when run, and what its sources would print.

Run for real on CPU: recompile limit, recompilations, graph breaks, backends that fail, and torch's own functions that
word what only CUDA brings about. From its sources: the templates that need a GPU to be reached.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kronos_health.logs.report import FileReport, scan_file
from tests.logs.test_signatures import names

PROGRAM = """
import traceback
import torch
from torch._inductor.cudagraph_trees import CUDAGraphTreeManager
from torch._inductor import cudagraph_utils

torch._dynamo.config.recompile_limit = 2

def decode(x):
    return x.sin()

compiled = torch.compile(decode, backend="eager", dynamic=False)
for size in range(3, 8):
    compiled(torch.ones(size))

def broken_graph(x):
    torch._dynamo.graph_break()
    return x.cos()

torch.compile(broken_graph, backend="eager")(torch.ones(2))

stack = '  File "/srv/kronos.py", line 276, in decode_s1\\n    x = self.norm(x)\\n'
overwritten = CUDAGraphTreeManager.format_dealloc_msg(stack)

def reused(graph, inputs):
    raise RuntimeError(overwritten)

def failing(graph, inputs):
    raise KeyError("no such kernel")

for backend in (reused, failing):
    torch._dynamo.reset()
    try:
        torch.compile(decode, backend=backend)(torch.ones(2))
    except Exception:
        traceback.print_exc()

try:
    torch.compile(lambda x: x.frobnicate(), fullgraph=True)(torch.ones(2))
except Exception:
    traceback.print_exc()

stack = '  File "/srv/toto.py", line 244, in append\\n    x.add_(1)\\n'
skip = cudagraph_utils.get_mutation_stack_trace([cudagraph_utils.PlaceholderInfo("x", None, [], stack)], [0])
cudagraph_utils.log_cudagraph_skip_and_bump_counter(skip)
cudagraph_utils.log_cudagraph_skip_and_bump_counter("skipping cudagraphs due to " + skip)
devices = {torch.device("cuda", 0): None, torch.device("cuda", 1): None}
cudagraph_utils.log_cudagraph_skip_and_bump_counter(cudagraph_utils.check_multiple_devices_or_any_cpu_nodes(devices))
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FileReport]:
    """Standard error of a program that has torch do all this, as it would end in a log; and the report of it."""
    log = tmp_path_factory.mktemp("torch") / "stderr.log"
    with log.open("wb") as stderr:
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM)],
            stderr=stderr,
            env={
                "TORCH_LOGS": "recompiles,graph_breaks",
                "PATH": "/usr/bin:/bin",
                "TORCHINDUCTOR_CACHE_DIR": str(log.parent),
            },
            check=True,
            timeout=180,
        )
    return log, scan_file(log)


def count(report: FileReport, signature: str) -> int:
    return sum(item.count for item in report.findings if item.signature == signature)


def it_reports_what_this_torch_prints(printed: tuple[Path, FileReport]) -> None:
    log, report = printed
    text = log.read_text()
    assert count(report, "recompile_limit") == text.count("torch._dynamo hit config.recompile_limit (2)") == 1
    assert count(report, "recompile") == text.count("Recompiling function decode") == 2
    assert count(report, "cudagraph_skipped") == 3
    # The backend that fails and the call that cannot be traced; the reused outputs are no compile error as well.
    assert count(report, "compile_error") == 2
    assert count(report, "graph_reuse") == 1
    assert {item.signature for item in report.findings} == {
        "recompile_limit", "recompile", "cudagraph_skipped", "compile_error", "graph_reuse",
    }  # fmt: skip


def it_reads_the_reasons_torch_gives(printed: tuple[Path, FileReport]) -> None:
    _log, report = printed
    records = {item.signature: item.first_record for item in report.findings}
    assert "last reason:" in records["recompile_limit"]
    assert "To diagnose recompilation issues" in records["recompile_limit"]
    assert "return" not in records["recompile"]


def it_reports_nothing_of_a_graph_break(printed: tuple[Path, FileReport]) -> None:
    log, report = printed
    assert "Graph break in user code" in log.read_text()
    assert all("Graph break in user code" not in item.first_record for item in report.findings)


TORCH = Path(importlib.util.find_spec("torch").origin).parent  # type: ignore[union-attr, arg-type]
TEMPLATES = [
    ("_inductor/cudagraph_trees.py", "accessing tensor output of CUDAGraphs that has been overwritten by a subsequent",
     "RuntimeError: Error: {} run.", "graph_reuse"),
    ("_inductor/cudagraph_utils.py", "skipping cudagraphs due to {reason}", "{}", "cudagraph_skipped"),
    ("_inductor/cudagraph_trees.py", "skipping cudagraph due to function {function_id.id} exceeding max ", "{}",
     "cudagraph_skipped"),
    ("_inductor/compile_fx.py", "disabling cudagraphs due to incompatible op {maybe_incompat_node.target}", "{}",
     "cudagraph_skipped"),
    ("_dynamo/backends/cudagraphs.py", "skipping cudagraphs due to {skip_msg}", "{}", "cudagraph_skipped"),
    ("_dynamo/convert_frame.py", "torch._dynamo hit config.%s (%s)", "{}", "recompile_limit"),
    ("_dynamo/convert_frame.py", "Hard failure due to fullgraph=True", "torch._dynamo.exc.FailOnRecompileLimitHit: {}",
     "recompile_limit"),
    ("_dynamo/guards.py", "Recompiling function {code.co_name} in {code.co_filename}:{code.co_firstlineno}",
     "{}\n    triggered by the following guard failure(s):\n    - 0/0: x", "recompile"),
    ("_inductor/runtime/triton_heuristics.py", "No valid triton configs. {type(exc).__name__}: {exc}",
     "torch._inductor.runtime.triton_heuristics.NoTritonConfigsError: {}", "compile_error"),
    ("_dynamo/exc.py", "class BackendCompilerFailed(ShortenTraceback)", "torch._dynamo.exc.BackendCompilerFailed: x",
     "compile_error"),
    ("_inductor/exc.py", "class InductorError(BackendCompilerFailed)", "torch._inductor.exc.InductorError: x",
     "compile_error"),
    ("cuda/_utils.py", "CUDA error: {error_message}", "RuntimeError: {}", "cuda_error"),
    ("include/ATen/cuda/Exceptions.h", "CUDA error: ", "RuntimeError: {}invalid argument when calling x", "cuda_error"),
]  # fmt: skip
VALUES = {
    "{reason}": "mutated inputs (2 instances)", "{function_id.id}": "3", "{maybe_incompat_node.target}": "aten.x",
    "{skip_msg}": "skipping cudagraphs due to cpu device (x)", "%s (%s)": "recompile_limit (8)", "{code.co_name}": "f",
    "{code.co_filename}": "a.py", "{code.co_firstlineno}": "5", "{type(exc).__name__}": "OutOfMemoryError",
    "{exc}": "out of resource", "{error_message}": "invalid argument",
}  # fmt: skip


@pytest.mark.parametrize(("file", "template", "around", "signature"), TEMPLATES)
def it_reports_the_templates_in_torchs_sources(file: str, template: str, around: str, signature: str) -> None:
    assert template in (TORCH / file).read_text(), f"{file} of this torch words it differently: look at the catalogue"
    message = template
    for name, value in VALUES.items():
        message = message.replace(name, value)
    assert names(around.format(message)) == [signature]


SOURCES = sorted({file for file, *_ in TEMPLATES if file.endswith(".py")} | {"_inductor/output_code.py"})


@pytest.mark.parametrize("file", SOURCES)
def it_takes_torchs_own_sources_for_no_error(file: str) -> None:
    """The same words, as code: whatever prints a source file into a log must not raise an alarm."""
    assert scan_file(TORCH / file).findings == ()
