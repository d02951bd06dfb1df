"""Rows of environments, campaigns, probes, iterations, predictions and comparisons."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select

from kronos_health.store.tables.plans import campaign_probe, interruption
from kronos_health.store.tables.probes import campaign, comparison, environment, iteration, leak, prediction, probe
from kronos_health.store.types import new_id

MENDED = "compiled_static_rope_mark_step"
OVERWRITTEN = (
    "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. Stack trace: … "
    "To prevent overwriting, clone the tensor outside of torch.compile() or call "
    "torch.compiler.cudagraph_mark_step_begin() before each model invocation."
)
STACK = (
    '  File "external/kronos/model/kronos.py", line 357, in decode_s1\n    x = self.norm(x)\n'
    '  File "external/kronos/model/module.py", line 265, in forward\n    return output * self.weight'
)
FRAME = {
    "frame_file": "external/kronos/model/module.py",
    "frame_line": 265,
    "frame_function": "forward",
    "frame_code": "return output * self.weight",
}
FAILURE = {"error_class": "RuntimeError", "message": OVERWRITTEN, **FRAME}
BASELINE_MAE = (34254.85, 34141.65, 39055.57, 37419.44, 35927.19)
BASELINE_MS = (6410.9, 2442.2, 2265.3, 2294.6, 1992.4)


def insert_environment(connection: Connection, device: str, python: str = "3.11.7") -> str:
    """An environment on ``cuda`` or ``cpu``."""
    on_cuda = device == "cuda"
    identifier = new_id()
    connection.execute(
        insert(environment).values(
            id=identifier,
            fingerprint=f"{device}-fingerprint" if python == "3.11.7" else f"{device}-fingerprint-{python}",
            device=device,
            python=python,
            torch="2.13.0+cu130" if on_cuda else "2.13.0+cpu",
            cuda="13.0" if on_cuda else None,
            triton="3.5.0" if on_cuda else None,
            driver="580.65" if on_cuda else None,
            gpu="NVIDIA L4" if on_cuda else None,
            host="trader-1",
            target_revision="67b630e",
            weights_revision="random:1000",
            dtype="float32",
            model_shape="base" if on_cuda else "mini",
            timing_method="cuda_event" if on_cuda else "perf_counter",
            protocol_version=1,
        )
    )
    return identifier


def insert_campaign(connection: Connection, at: datetime, origin: str = "airflow") -> str:
    """A finished campaign of a daily DAG run."""
    identifier = new_id()
    connection.execute(
        insert(campaign).values(
            id=identifier,
            started_at=at,
            finished_at=at + timedelta(minutes=15),
            origin=origin,
            airflow_dag_id="kronos_compile_probe" if origin == "airflow" else None,
            airflow_run_id=f"scheduled__{at:%Y-%m-%d}" if origin == "airflow" else None,
        )
    )
    return identifier


def insert_baseline(connection: Connection, at: datetime) -> None:
    """What the team measured: eager 5/5, compiled 0/5."""
    campaign_id = insert_campaign(connection, at, origin="import")
    common = {
        "campaign_id": campaign_id,
        "target": "kronos",
        "candidate": "production",
        "kind": "measured",
        "regime": "saturated",
        "imported": True,
        "started_at": at,
        "finished_at": at,
        "requested": 5,
    }
    eager = {
        "mae_mean": 36159.74,
        "mae_std": 1883.15,
        "latency_mean_ms": 3081.08,
        "latency_std_ms": 1671.3,
        "memory_mb": 336.0,
    }
    connection.execute(
        insert(probe).values(id=new_id(), variant="eager", outcome="passed", passed=5, **common, **eager)
    )
    connection.execute(
        insert(probe).values(id=new_id(), variant="compiled", outcome="graph_reuse", passed=0, **common, **FAILURE)
    )


def insert_probe(
    connection: Connection,
    campaign_id: str,
    environment_id: str,
    variant: str,
    at: datetime,
    *,
    slower: int = 0,
    broken: bool = False,
    on_cpu: bool = False,
    rehearsed: bool = False,
) -> str:
    """A probe of five iterations of four predictions; ``slower`` adds 10 ms each, ``broken`` fails every iteration."""
    identifier = new_id()
    figures = _figures(slower, on_cpu)
    connection.execute(
        insert(probe).values(
            id=identifier,
            campaign_id=campaign_id,
            environment_id=environment_id,
            target="kronos",
            variant=variant,
            candidate="production",
            kind="rehearsed" if rehearsed else "measured",
            regime="saturated",
            imported=False,
            started_at=at,
            finished_at=at + timedelta(minutes=3),
            outcome="graph_reuse" if broken else "passed",
            requested=5,
            passed=0 if broken else 5,
            **(FAILURE if broken else figures),
        )
    )
    for index in range(5):
        started_at = at + timedelta(seconds=30 * index)
        if broken:
            broken_iteration = _broken_iteration(connection, identifier, index, started_at)
            if rehearsed:
                _leaks(connection, broken_iteration)
        else:
            _passing_iteration(connection, identifier, index, started_at, figures["steady_median_ms"], on_cpu)
    return identifier


def _figures(slower: int, on_cpu: bool) -> dict[str, float]:
    scale = 0.1 if on_cpu else 1.0
    return {
        "mae_mean": 36100.0,
        "mae_std": 900.0,
        "latency_mean_ms": (2500 + 10 * slower) * scale,
        "latency_std_ms": 300.0 * scale,
        "first_call_median_ms": 3900.0 * scale,
        "steady_median_ms": (2250 + 10 * slower) * scale,
        "steady_iqr_ms": 60.0 * scale,
        "steady_p95_ms": (2400 + 10 * slower) * scale,
        "memory_mb": 410.0 if on_cpu else 336.0,
    }


def _iteration(connection: Connection, probe_id: str, index: int, at: datetime, **values: object) -> str:
    identifier = new_id()
    common = {"regime": "saturated", "duration_ms": 25_000.0, "exit_status": 0, "load_ms": 900.0, "rss_peak_mb": 410.0}
    row = {"id": identifier, "probe_id": probe_id, "index": index, "started_at": at}
    connection.execute(insert(iteration).values(**row, **common, **values))
    return identifier


def _leaks(connection: Connection, iteration_id: str) -> None:
    """Both causes, as the rehearsal of stock finds them: the handoff that was read, and a rotary table kept."""
    common = {"iteration_id": iteration_id, "producer": "Kronos.decode_s1"}
    rotary = {
        "frame_file": "external/kronos/model/module.py",
        "frame_line": 293,
        "frame_function": "_update_cos_sin_cache",
        "frame_code": "self.cos_cached = emb.cos()[None, None, :, :]",
    }
    handoff = {
        "reader": "Kronos.decode_s2",
        "read_file": "external/kronos/model/kronos.py",
        "read_line": 444,
        "read_function": "auto_regressive_inference",
        "read_code": "s2_logits = model.decode_s2(context, sample_pre)",
    }
    rows = (
        {"read": True, "output": 1, "shape": "float32[2, 64, 832]", "keeper": "handoff", "kept_by": "context"}
        | FRAME
        | handoff,
        {"read": False, "output": 3, "shape": "float32[1, 1, 64, 52]", "keeper": "parked"}
        | {"kept_by": "model.transformer[0].self_attn.rotary.cos_cached"}
        | rotary,
    )
    for index, row in enumerate(rows):
        connection.execute(insert(leak).values(id=new_id(), index=index, **common, **row))


def _broken_iteration(connection: Connection, probe_id: str, index: int, at: datetime) -> str:
    return _iteration(
        connection,
        probe_id,
        index,
        at,
        outcome="graph_reuse",
        cache_state="warm" if index else "cold",
        frames_total=11,
        frames_ok=11,
        stack=STACK,
        **FAILURE,
    )


def _passing_iteration(
    connection: Connection, probe_id: str, index: int, at: datetime, steady: float, on_cpu: bool
) -> None:
    mae = 36_000.0 + 100 * index
    identifier = _iteration(
        connection,
        probe_id,
        index,
        at,
        outcome="passed",
        cache_state="none",
        first_call_ms=steady * 1.7,
        steady_median_ms=steady,
        mae=mae,
        device_allocated_mb=None if on_cpu else 336.0,
    )
    rows = [
        {
            "id": new_id(),
            "iteration_id": identifier,
            "index": number,
            "seed": 1000 + 1000 * index + number,
            "latency_ms": steady * (1.7 if number == 0 else 1.0),
            "value": 68_000.0,
            "absolute_error": mae,
            "naive_error": 36_500.0,
        }
        for number in range(4)
    ]
    connection.execute(insert(prediction), rows)


def insert_plan(connection: Connection, campaign_id: str, probe_ids: list[str], at: datetime) -> None:
    """The plan as it stands when all of it is measured; the first probe's second iteration was killed once."""
    columns = ("target", "variant", "candidate", "kind", "regime", "requested")
    for position, probe_id in enumerate(probe_ids):
        found = connection.execute(select(*(probe.c[name] for name in columns)).where(probe.c.id == probe_id)).one()
        row = {**found._mapping, "iterations": found.requested}
        del row["requested"]
        window = {"rows": 600, "synthetic_seed": 20251030, "lookback": 256, "pred_len": 1, "sample_count": 8}
        plain = {"id": new_id(), "campaign_id": campaign_id, "position": position, "probe_id": probe_id}
        order = {"predictions": 4, "seed": 1000, "max_context": 256, "accuracy_windows": 16, **window}
        connection.execute(insert(campaign_probe).values(**plain, **row, **order))
    began = at + timedelta(seconds=30)
    connection.execute(
        insert(interruption).values(
            id=new_id(),
            probe_id=probe_ids[0],
            index=1,
            started_at=began,
            last_seen_at=began + timedelta(seconds=12),
            noticed_at=began + timedelta(minutes=5),
            reason="killed: process 4242 on trader-1 gave no more sign of life",
        )
    )


def insert_comparison(connection: Connection, campaign_id: str, baseline: str, candidate: str, at: datetime) -> None:
    """The mended variant against eager, both on CPU: equal forecasts."""
    connection.execute(
        insert(comparison).values(
            id=new_id(),
            campaign_id=campaign_id,
            baseline_probe_id=baseline,
            candidate_probe_id=candidate,
            pairs=20,
            accuracy="pass",
            accuracy_reason="upper bound 0.0000 is below the margin 0.05 over 20 pairs",
            scaled_difference=0.0,
            upper_bound=0.0,
            margin=0.05,
            mae_ratio=1.0,
            speed_up=1.08,
            memory_ratio=1.1,
            created_at=at + timedelta(minutes=15),
        )
    )
