"""What torch counted while the target was compiled and run.

Facts read in torch's sources, 2.6 to 2.15: ``torch._dynamo.utils.counters`` is global to the process;
``get_compilation_metrics()`` keeps the last 64 entries unless told otherwise; a hit of the recompile limit is only
logged.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

from .protocol import EventWriter

METRICS_KEPT = 4096
REASONS_KEPT = 20
REASON_CHARS = 500
LIMIT = re.compile(r"torch\._dynamo hit config\.\w*(?:recompile|cache_size)_limit")
SKIP_TEXT = "skipping cudagraph"


class TorchLog(logging.Handler):
    """Listens to torch's own log for what no counter tells: recompile limits, and why CUDA graphs were skipped."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.limits: list[str] = []
        self.skips: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the records that matter; called by :mod:`logging`."""
        text = record.getMessage()
        if LIMIT.search(text):
            self.limits.append(text)
        elif SKIP_TEXT in text:
            self.skips.append(text)


class Recorder:
    """Counts from :meth:`start` on, and tells the parent when torch begins and ends compiling."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._log = TorchLog()
        self._graphs: dict[str, int] = {}

    def start(self, device: str) -> None:
        """Clear torch's counters and listen; imports ``torch._dynamo``, so not worth it for code that runs eager."""
        import torch
        from torch._dynamo import callback, utils

        utils.counters.clear()
        utils.set_compilation_metrics_limit(METRICS_KEPT)
        callback.on_compile_start(self._compile_begins)
        callback.on_compile_end(self._compile_ends)
        for name in ("torch._dynamo", "torch._inductor"):
            logging.getLogger(name).addHandler(self._log)
        if device.startswith("cuda"):
            from torch._inductor.cudagraph_trees import CUDAGraphTreeManager

            self._graphs = {"recordings": 0, "replays": 0}
            self._count_calls(CUDAGraphTreeManager, "record_function", "recordings")
            self._count_calls(torch.cuda.CUDAGraph, "replay", "replays")

    def _count_calls(self, owner: Any, method: str, name: str) -> None:
        original = getattr(owner, method)
        counts = self._graphs

        def counted(*arguments: Any, **keywords: Any) -> Any:
            counts[name] += 1
            return original(*arguments, **keywords)

        setattr(owner, method, counted)

    def _compile_begins(self, *_: Any) -> None:  # torch 2.6 passes nothing, later versions their trigger
        self._writer.emit("phase", phase="compile", detail="begin")

    def _compile_ends(self, *_: Any) -> None:
        self._writer.emit("phase", phase="compile", detail="end")

    def figures(self) -> dict[str, Any]:
        """The fields of the counters event; zeros when nothing in this process ever used ``torch._dynamo``."""
        utils = sys.modules.get("torch._dynamo.utils")
        counted: Mapping[str, Any] = utils.counters if utils else {}
        metrics = list(utils.get_compilation_metrics()) if utils else []
        frames, inductor = counted.get("frames", {}), counted.get("inductor", {})
        breaks = counted.get("graph_break", {})
        guards = [reason for reasons in (utils.guard_failures.values() if utils else ()) for reason in reasons]
        reasons = [metric.recompile_reason for metric in metrics if getattr(metric, "recompile_reason", None)]
        return {
            "frames_total": frames.get("total", 0),
            "frames_ok": frames.get("ok", 0),
            "graphs": counted.get("stats", {}).get("unique_graphs", 0),
            "recompiles": _recompiles(metrics),
            "recompile_limit_hits": len(self._log.limits),
            "graph_breaks": sum(breaks.values()),
            "cudagraph_skips": inductor.get("cudagraph_skips", 0),
            "cudagraph_recordings": self._graphs.get("recordings", 0),
            "cudagraph_replays": self._graphs.get("replays"),
            "cache_hits": inductor.get("fxgraph_cache_hit", 0),
            "cache_misses": inductor.get("fxgraph_cache_miss", 0),
            "cache_bypasses": inductor.get("fxgraph_cache_bypass", 0),
            "reasons": self._reasons(metrics, reasons or guards, breaks),
        }

    def _reasons(self, metrics: list[Any], recompiles: list[str], breaks: Mapping[str, int]) -> list[str]:
        skips = [metric.cudagraph_skip_reason for metric in metrics if getattr(metric, "cudagraph_skip_reason", None)]
        told = [
            *(f"recompile limit: {text}" for text in self._log.limits),
            *(f"cudagraphs skipped: {text}" for text in [*skips, *self._log.skips]),
            *(f"graph break: {text}" for text in breaks),
            *(f"recompile: {text}" for text in recompiles),
        ]
        once = dict.fromkeys(" ".join(text.split())[:REASON_CHARS] for text in told)
        return list(once)[:REASONS_KEPT]


def _recompiles(metrics: list[Any]) -> int:
    """Compilations of code that had been compiled before; torch 2.6 does not store the reason, but numbers them."""
    return sum(
        bool(metric.recompile_reason) if hasattr(metric, "recompile_reason") else not _is_first(metric.compile_id)
        for metric in metrics
    )


def _is_first(compile_id: Any) -> bool:
    """True for the first compilation of a frame: ids read ``frame/compilation`` with ``_attempt`` after it."""
    return str(compile_id).partition("/")[2].partition("_")[0] in ("", "0")
