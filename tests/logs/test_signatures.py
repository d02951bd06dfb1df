"""What the built-in catalogue reports, and what it leaves alone. Fixtures name version and file of their wording."""

from __future__ import annotations

import pytest

from kronos_health.logs.catalogue import built_in
from kronos_health.logs.matcher import Match, Matcher
from kronos_health.logs.text import RecordText
from tests.logs.support import ADVICE, REUSE, line, reuse

MATCHER = Matcher(built_in())


def matches(text: str) -> list[Match]:
    """The findings in one record, as the scanner would see it: nothing without a hit of the first stage."""
    raw = text.encode()
    if not len(MATCHER.hits(memoryview(raw))):
        return []
    return MATCHER.signatures(raw, RecordText(text))


def names(text: str) -> list[str]:
    return [match.signature.name for match in matches(text)]


def samples(text: str) -> list[tuple[str, str | None, float]]:
    raw = text.encode()
    if not len(MATCHER.hits(memoryview(raw))):
        return []
    return list(MATCHER.samples(raw, RecordText(text)))


WRAPPED = REUSE.replace(" that has been ", " that\nhas been ")
GRAPH_REUSE = {
    "torch 2.13 cudagraph_trees.py": f'RuntimeError: {REUSE} Stack trace: File "m.py", line 5, in decode_s1\n    x\n',
    "gradient, torch 2.13": f"RuntimeError: {REUSE.replace('tensor output', 'gradient tensor output')} Stack trace: x",
    "wrapped by dynamo": f"torch._dynamo.exc.InternalTorchDynamoError: RuntimeError: {REUSE}\n\nfrom user code:\n",
    "wrapped by the backend": f"torch._dynamo.exc.BackendCompilerFailed: backend='x' raised:\nRuntimeError: {REUSE}",
    "hard-wrapped": f"RuntimeError: {WRAPPED}\n",
    "wrapped after every word": "RuntimeError: " + "\n    ".join(REUSE.split()) + "\n",
    "in a repr": line("failed: " + repr(RuntimeError(f"{WRAPPED} Stack trace: File 'm.py'\n    x")), "ERROR"),
    "in JSON": '{"message": "Error: accessing tensor output of CUDAGraphs that has been\\noverwritten"}',
    "the sentence alone in JSON": f'{{"message": "{REUSE}"}}',
    "repeated by outer layers": reuse("one") + f"\nThe above exception was the direct cause\nRuntimeError: {REUSE}\n",
    "coloured": line(REUSE.replace("CUDAGraphs", "\x1b[1mCUDAGraphs\x1b[0m"), "ERROR"),
    "each line with torch's prefix": "".join(
        f"E1030 09:08:09.060000 1 torch/x.py:1] [0/0] {part}\n" for part in WRAPPED.split("\n")
    ),
    "a rank's": f"[rank0]: Traceback (most recent call last):\n[rank0]: RuntimeError: {REUSE}\n",
    "advice of another version": f"RuntimeError: {REUSE} Stack trace: x. Set another option. {ADVICE}",
}


@pytest.mark.parametrize("text", GRAPH_REUSE.values(), ids=GRAPH_REUSE)
def it_reports_graph_reuse_once_in_whatever_form(text: str) -> None:
    assert names(text) == ["graph_reuse"]


LOOK_ALIKES = {
    "torch's source": f'            "{REUSE} "\n            f"Stack trace: {{stack_trace}}. "',
    "torch's source, gradient": '"Error: accessing gradient tensor output of CUDAGraphs that has been overwritten "',
    "a diff of it": f'+            "{REUSE} "',
    "a search result": f'cudagraph_trees.py:2676:            "{REUSE} "',
    "a comment": f"    # {REUSE}\n    pass\n",
    "code that looks for it": line('rule: if "accessing tensor output of CUDAGraphs that has been" in str(error)'),
    "a traceback through code that quotes it": (
        'Traceback (most recent call last):\n  File "a.py", line 3, in guard\n'
        f'    raise Wrapped("{REUSE} really")\n    ^^^^^^^\nWrapped: something else\n'
    ),
    "a progress bar": "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE): 100%|████| 67/67 [00:05<00:00]",
    "a dump of settings": line("triton.cudagraph_skip_dynamic_graphs=False recompile_limit=8 cudagraphs='warn'"),
    "enabling": line("enabling cudagraphs due to override_cudagraphs annotation"),
    "a template": line('log.warning("skipping cudagraphs due to %s", reason)'),
    "a format string": 'log_cudagraph_skip_and_bump_counter(f"skipping cudagraphs due to {reason}")',
    "torch's source, 2.3 backends/cudagraphs.py": '        return "skipping cudagraphs due to incompatible op"',
    "torch's source, raised (2.2 to 2.6 triton_heuristics.py)": (
        'raise RuntimeError(\n    "No valid triton configs. Report a fatal compilation error"\n)'
    ),
    "torch's source, a limit (2.3 to 2.10 convert_frame.py)": 'unimplemented(f"{limit_type} reached")',
    "torch's source, a recompilation (2.2 to 2.15 guards.py)": (
        'f"Recompiling function {code.co_name} in {code.co_filename}"\n'
        'f"triggered by the following guard failure(s):\\n{failures}"'
    ),
    "a triggered order": line("stop order triggered by the following guard of the strategy"),
    "an except clause": "except torch.cuda.OutOfMemoryError as error:",
    "an import": "from torch._dynamo.exc import BackendCompilerFailed, InternalTorchDynamoError",
    "nothing failed": line("Kronos forecasts: 5 passed, 0 failed; failures: 0"),
    "not yet": line("waiting until Kronos prediction completed; no prediction completed yet"),
}


@pytest.mark.parametrize("text", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def it_leaves_look_alikes_alone(text: str) -> None:
    assert names(text) == []


def it_sees_the_message_although_the_traceback_quotes_it_too() -> None:
    code = f'  File "a.py", line 3, in guard\n    raise RuntimeError("{REUSE} ")\n'
    assert names(f"Traceback (most recent call last):\n{code}RuntimeError: {REUSE}\n") == ["graph_reuse"]


SKIPS = {
    # torch 2.0 and 2.1 compile_fx.py
    "skipping cudagraphs due to complex input striding": "complex input striding",
    "skipping cudagraphs due to input mutation": "input mutation",
    "skipping cudagraphs due to multiple devices": "multiple devices",
    # torch 2.1 compile_fx.py
    "skipping cudagraphs due to multiple device indexes": "multiple device indexes",
    "skipping cudagraphs for unknown reason": "unknown reason",
    # torch 2.13 cudagraph_utils.py get_mutation_stack_trace
    "skipping cudagraphs due to mutated inputs (2 instances)": "mutated inputs (2 instances)",
    'skipping cudagraphs due to mutated inputs (1 instances). Found from : \n   File "a.py", line 3, in f\n    x\n':
        "mutated inputs (1 instances)",
    # torch 2.13 cudagraph_utils.py check_multiple_devices_or_any_cpu_nodes
    "skipping cudagraphs due to cpu device (arg0_1). Found from : \n File": "cpu device (arg0_1)",
    "skipping cudagraphs due to multiple devices: device(type='cuda', index=0), device(type='cpu')":
        "multiple devices: device(type='cuda', index=0), device(type='cpu')",
    # torch 2.3 to 2.15 backends/cudagraphs.py puts the prefix in front of one that is there
    "skipping cudagraphs due to skipping cudagraphs due to mutated inputs (3 instances)":
        "mutated inputs (3 instances)",
    # torch 2.13 cudagraph_trees.py
    "skipping cudagraph due to function 3 exceeding max re-recording limit (=128) on cudagraph node None due to CPU.":
        "function 3 exceeding max re-recording limit (=128) on cudagraph node None due to CPU",
    # torch 2.13 compile_fx.py
    "disabling cudagraphs due to incompatible op aten._local_scalar_dense.default":
        "incompatible op aten._local_scalar_dense.default",
    "disabling cudagraphs for backward due to override_cudagraphs annotation": "override_cudagraphs annotation",
    "W1123 22:28:41.816000 1 torch/_inductor/output_code.py:380] [__cudagraphs] skipping cudagraphs due to bisector":
        "bisector",
    '{"message": "skipping cudagraphs due to dynamic shapes", "level": "warning"}': "dynamic shapes",
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), SKIPS.items())
def it_reports_skipped_graphs_with_their_reason(text: str, reason: str) -> None:
    assert [(match.signature.name, match.reason) for match in matches(text)] == [("cudagraph_skipped", reason)]


OTHERS = [
    # torch 2.13 convert_frame.py; until 2.6 the limit was called cache_size_limit
    ("torch._dynamo hit config.recompile_limit (8)\n   function: 'f' (a.py:5)\n   last reason: 0/7: x == 5\nTo log all",
     "recompile_limit", "0/7: x == 5"),
    ("torch._dynamo hit config.cache_size_limit (64)\n   function: 'f' (a.py:5)\n   reasons:  x == 5\n",
     "recompile_limit", "x == 5"),
    ("torch._dynamo hit config.accumulated_recompile_limit (256)", "recompile_limit", None),
    ("torch._dynamo.exc.FailOnRecompileLimitHit: Hard failure due to fullgraph=True", "recompile_limit",
     "Hard failure due to fullgraph=True"),
    # torch 2.2, each line behind its prefix (_logging/_internal.py of 2.1 and 2.2; convert_frame.py)
    (("[2023-09-28 14:50:06,548] torch._dynamo.convert_frame: [WARNING] torch._dynamo hit config.cache_size_limit (8)\n"
     "[2023-09-28 14:50:06,548] torch._dynamo.convert_frame: [WARNING]    function: 'transform' (a.py:5)\n"
     "[2023-09-28 14:50:06,548] torch._dynamo.convert_frame: [WARNING]    last reason: tensor 'L[x]' size mismatch\n"),
     "recompile_limit", "tensor 'L[x]' size mismatch"),
    # torch 2.13 guards.py
    ("Recompiling function f in a.py:5\n    triggered by the following guard failure(s):\n    - 0/0: size mismatch\n",
     "recompile", "0/0: size mismatch"),
    # torch 2.13 exc.py of dynamo and inductor, triton_heuristics.py
    ("torch._dynamo.exc.InternalTorchDynamoError: KeyError: 'x'", "compile_error", "InternalTorchDynamoError"),
    ("torch._inductor.exc.InductorError: CppCompileError: C++ compile error", "compile_error", "InductorError"),
    ("torch._dynamo.exc.Unsupported: Observed exception\n  Explanation: x", "compile_error", "Unsupported"),
    ("No valid triton configs. OutOfMemoryError: out of resource: triton_mm Required: 264224 Hardware limit:232448",
     "compile_error", "No valid triton configs"),
    ("No valid triton configs. OutOfMemoryError: CUDA out of memory.", "compile_error", "No valid triton configs"),
    # c10/cuda/CUDACachingAllocator.cpp, CUDAException.cpp; before torch 2.1 with the capacity in parentheses
    (("RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 7.79 GiB total capacity; 6.19 GiB already "
     "allocated; 5.31 MiB free; 6.36 GiB reserved in total by PyTorch) If reserved memory is >> allocated memory"),
     "cuda_out_of_memory", None),
    # c10/cuda/CUDAException.cpp; torch 2.8 on torch.AcceleratorError, and where to look the error up
    ("RuntimeError: CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be asynchronously",
     "cuda_error", "an illegal memory access was encountered"),
    (("torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device\nSearch for "
     "`cudaErrorNoKernelImageForDevice' in https://docs.nvidia.com/cuda/"), "cuda_error",
     "no kernel image is available for execution on the device"),
    (("[rank2]:[E323 21:33:26.170490902 ProcessGroupNCCL.cpp:1896] [PG ID 2 PG GUID 3 Rank 2] Process group watchdog "
     "thread terminated with exception: CUDA error: an illegal memory access was encountered\nCUDA kernel errors"),
     "cuda_error", "an illegal memory access was encountered"),
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 31.36 GiB",
     "cuda_out_of_memory", None),
    ("RuntimeError: CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
     "cuda_out_of_memory", None),
    ("torch._inductor.exc.InductorError: OutOfMemoryError: CUDA out of memory. Tried", "cuda_out_of_memory", None),
    ("torch.AcceleratorError: CUDA error: device-side assert triggered\nCUDA kernel errors might", "cuda_error",
     "device-side assert triggered"),
    ("RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "cuda_error", "CUDNN_STATUS_EXECUTION_FAILED"),
    ("RuntimeError: CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", "cuda_error",
     "CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "reason"), OTHERS)
def it_reports_each_cause_under_its_own_name(text: str, name: str, reason: str | None) -> None:
    assert [(match.signature.name, match.reason) for match in matches(text)] == [(name, reason)]


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        ("Kronos prediction completed for ETHUSD in 2249.3 ms", "kronos"),
        ("Toto unavailable, Kronos forecast finished in 3,081.4 ms", "kronos"),
        ("kronos_forecaster: Toto inference took 512 ms", "toto"),
        ("Completed Kronos forecast", "kronos"),
        ('{"event": "prediction_completed", "symbol": "ETHUSD", "model": "toto"}', "toto"),
        ("prediction completed", None),
    ],
)
def it_counts_completed_predictions_and_their_model(message: str, subject: str | None) -> None:
    assert [(match.signature.name, match.subject) for match in matches(line(message))] == [
        ("prediction_completed", subject)
    ]


@pytest.mark.parametrize(
    "message",
    [
        "Kronos prediction failed: x",
        "Toto failed",
        "failed to run Kronos forecast",
        "error during inference",
        "forecast failed",
    ],
)
def it_reports_failed_predictions(message: str) -> None:
    assert names(line(message, "ERROR")) == ["prediction_failed"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Kronos inference time: 3.08s", [("kronos_inference_ms", None, 3080.0)]),
        ("Kronos prediction completed for ETHUSD in 2249.3 ms (GPU memory 336 MB)",
         [("kronos_inference_ms", None, 2249.3), ("kronos_memory_mb", None, 336.0)]),
        ("Kronos inference 2249 ms, Toto inference 512 ms",
         [("kronos_inference_ms", None, 2249.0), ("toto_inference_ms", None, 512.0)]),
        ("Toto unavailable, Kronos forecast took 3,081.4 ms", [("kronos_inference_ms", None, 3081.4)]),
        ("Toto GPU memory: 0.65 GiB", [("toto_memory_mb", None, pytest.approx(665.6))]),
        ("kronos_inference_ms=2249 kronos_memory_mb=336",
         [("kronos_inference_ms", None, 2249.0), ("kronos_memory_mb", None, 336.0)]),
        ('{"model": "toto", "inference_ms": 512.5, "memory_mb": 650}',
         [("toto_inference_ms", None, 512.5), ("toto_memory_mb", None, 650.0)]),
        ("ETHUSD MaxDiff 0.1043 Sharpe 18.24", [("maxdiff_return", "ETHUSD", 0.1043)]),
        ("ETHUSD MaxDiff return 10.43 %, Sharpe 18.24", [("maxdiff_return", "ETHUSD", pytest.approx(0.1043))]),
        ("MaxDiff ETHUSD return=-0.02", [("maxdiff_return", "ETHUSD", -0.02)]),
        ("Strategy BTC-USD: MaxDiff=1e-3", [("maxdiff_return", "BTC-USD", 0.001)]),
        ("Combined inference (Kronos + Toto): 3.5 s", []),
        ("MaxDiff is a strategy", []),
    ],
)  # fmt: skip
def it_reads_numbers_in_the_unit_they_are_stored_in(message: str, expected: list[object]) -> None:
    assert samples(line(message)) == expected


def it_finds_every_signatures_own_fixed_texts_in_whatever_it_matches() -> None:
    """The first stage may never miss what the second would find."""
    for text in [*GRAPH_REUSE.values(), *SKIPS, *(text for text, _, _ in OTHERS)]:
        for signature in built_in().signatures:
            if signature.find(RecordText(text).searched):
                assert signature.literals is not None
                assert any(literal in text for literal in signature.literals), (signature.name, text)
