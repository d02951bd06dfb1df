"""One realistic observation of each kind of alert, and every message its life can cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from kronos_health.alerts.messages import compose
from kronos_health.alerts.policies import policy_for
from kronos_health.alerts.policy import decide
from kronos_health.domain.alerts import (
    Alert,
    AlertKind,
    Fact,
    Message,
    Observation,
    ObservationState,
    TransitionKind,
)
from kronos_health.domain.logs import Severity
from kronos_health.settings.models import Alerts
from tests.alerts.timeline import START

_CRITICAL, _WARNING, _INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO

_TRACE = """RuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run.
Stack trace: File "/srv/trading/external/kronos/model/module.py", line 384, in forward
    return output * self.weight
To prevent overwriting, clone the tensor outside of torch.compile() or call cudagraph_mark_step_begin()."""


def _bad(
    kind: AlertKind, key: str, severity: Severity, title: str, summary: str, next_step: str, **values: object
) -> Observation:
    return Observation(kind, key, ObservationState.BAD, severity, title, summary, next_step, **values)  # type: ignore[arg-type]


OBSERVATIONS: dict[AlertKind, Observation] = {
    one.kind: one
    for one in (
        _bad(
            AlertKind.GRAPH_REUSE, "trading", _CRITICAL, "CUDA graph outputs reused in trading",
            "Production runs a compiled model although the decision is EAGER.",
            "kronos-health verify", occurrences=42, excerpt=_TRACE, evidence=("finding:0198-1", "finding:0198-2"),
            facts=(Fact("Source", "trading"), Fact("First line", "1,204"), Fact("Frame", "module.py:384 in forward")),
        ),
        _bad(
            AlertKind.COMPILED_BROKEN, "kronos/compiled", _CRITICAL, "kronos/compiled is broken again",
            "It passed on 2026-11-16 and fails now: graph_reuse in 5 of 5 iterations.",
            "kronos-health probe --target kronos --variant compiled", excerpt=_TRACE, evidence=("probe:0199-7",),
            facts=(Fact("torch", "2.13.0"), Fact("GPU", "NVIDIA H200")),
        ),
        _bad(
            AlertKind.CRITERION_MET, "3/kronos/compiled_clone", _INFO, "Criterion 3 is met by kronos/compiled_clone",
            "5 of 5 compiled iterations passed.", "kronos-health status", evidence=("criterion_evaluation:0199-3",),
            facts=(Fact("Value", "5 of 5"), Fact("Threshold", "5 of 5")),
        ),
        _bad(
            AlertKind.ALL_CRITERIA_MET, "kronos/compiled_clone", _INFO, "COMPILED can be proposed: compiled_clone",
            "Criteria 3 and 4 hold on production's GPU. Nothing was changed: a person decides.",
            "kronos-health report", evidence=("decision:0199-4",),
            facts=(Fact("Speed-up", "2.1"), Fact("Confidence", "high")),
        ),
        _bad(
            AlertKind.TORCH_RELEASE, "2.14.0", _INFO, "torch 2.14.0 is out",
            "Production has 2.13.0. A probe with the new release tells whether compiled works.",
            "kronos-health probe --variant all --candidate torch=2.14.0", facts=(Fact("Installed", "2.13.0"),),
        ),
        _bad(
            AlertKind.KRONOS_UPDATED, "4f1c2ab", _INFO, "Kronos has 3 new commits",
            "model/module.py changed: RMSNorm.forward, the failing frame of the baseline.",
            "kronos-health probe --variant all --candidate kronos=4f1c2ab01234", evidence=("upstream_commit:0199-9",),
            facts=(Fact("Newest", "4f1c2ab Clone the output of RMSNorm"),),
        ),
        _bad(
            AlertKind.CANDIDATE_TRIED, "kronos/torch=2.15.0/fixed with opt-in compiled_whole_step", _INFO,
            "Compiled kronos with torch 2.15.0: fixed with opt-in compiled_whole_step",
            "With torch 2.15.0, compiled_whole_step passes on CUDA (compiled: 0 of 5, graph_reuse; "
            "compiled_whole_step: 5 in a row).",
            "kronos-health probe --target kronos --variant all --candidate torch=2.15.0 --no-production",
            facts=(
                Fact("Verdict", "fixed with opt-in compiled_whole_step"), Fact("Candidate", "torch=2.15.0"),
                Fact("compiled", "0 of 5, graph_reuse"), Fact("compiled_whole_step", "5 in a row"),
                Fact("In production's environment", "0 of 5, graph_reuse"),
            ),
            evidence=("probe:0199-8", "probe:0199-9"),
        ),
        _bad(
            AlertKind.SETTINGS_DRIFT, ".env.compile:KRONOS_COMPILE", _WARNING, "KRONOS_COMPILE=1 is set",
            "The decision is EAGER, and .env.compile compiles Kronos.",
            "sed -i '/^KRONOS_COMPILE=/d' .env.compile && kronos-health watch",
            facts=(Fact("Expected", "not 1"), Fact("Found", "1")), evidence=("settings_drift:0199-2",),
        ),
        _bad(
            AlertKind.PREDICTIONS_OUT_OF_BOUNDS, "kronos_inference_ms", _WARNING, "Kronos is slower than expected",
            "The median of the last 200 predictions is 7,400 ms.", "kronos-health verify", occurrences=118,
            facts=(Fact("Expected", "3,000 to 5,000 ms"), Fact("Median", "7,400 ms"), Fact("p95", "9,120 ms")),
        ),
        _bad(
            AlertKind.NO_PREDICTIONS, "trading", _CRITICAL, "No predictions in trading",
            "Neither Kronos nor Toto has completed a prediction for 45 min.", "kronos-health scan --source trading",
            facts=(Fact("Last prediction", "2026-11-23 11:15 UTC"), Fact("Cadence", "15 min")),
        ),
        _bad(
            AlertKind.LOG_ERRORS, "trading/recompile_limit", _WARNING, "Recompile limit reached in trading",
            "torch._dynamo falls back to eager for the function it names.", "kronos-health verify", occurrences=3,
            excerpt="W1123 12:00:00 torch/_dynamo/convert_frame.py:1358] torch._dynamo hit config.recompile_limit (8)",
            evidence=("finding:0199-5",),
        ),
        _bad(
            AlertKind.LOG_GAP, "trading", _WARNING, "Part of the log trading vanished unread",
            "It was rotated away before it was read: what happened in it is unknown.",
            "kronos-health scan --source trading", facts=(Fact("Missing", "12.4 MiB"), Fact("File", "trading.log.3")),
            evidence=("gap:0199-6",),
        ),
        _bad(
            AlertKind.LOG_HISTORY, "trading", _INFO, "First reading of trading: what its history holds",
            "Nobody was paged for what is past.", "kronos-health verify",
            facts=(Fact("graph_reuse", "12, last 2025-10-29"), Fact("predictions", "48,211"), Fact("Read", "1.2 GiB")),
        ),
        _bad(
            AlertKind.FIGURE_REGRESSION, "kronos/eager/production/saturated/cuda/steady_latency", _WARNING,
            "kronos eager on CUDA: steady latency is 20% above its level",
            "2,700 ms where 2,250 ms were usual: +20.0% against the median of 30, the second in a row.",
            "kronos-health query figure_trend --param target=kronos --param variant=eager "
            "--param figure=steady_latency", evidence=("probe:0199-8",),
            facts=(Fact("Now", "2,700 ms"), Fact("Before", "2,250 ms"),
                   Fact("Bounds now", "2,137 ms to 2,363 ms, from 30 probes")),
        ),
        _bad(
            AlertKind.FIGURE_IMPROVED, "0199-9/peak_memory", _INFO,
            "kronos compiled_clone on CUDA: peak memory fell by 30%",
            "620 MiB where 886 MiB were usual: -30.0% against the median of 30, the second in a row. "
            "From here on it is held against the new level.",
            "kronos-health query figure_trend --param target=kronos --param variant=compiled_clone "
            "--param figure=peak_memory", evidence=("probe:0199-9",),
            facts=(Fact("Now", "620 MiB"), Fact("Before", "886 MiB")),
        ),
        _bad(
            AlertKind.CHECKER_UNHEALTHY, "source/trading", _WARNING, "The log trading cannot be read",
            "/srv/trading/logs/trade.log: permission denied. Its alerts are frozen, none is resolved.",
            "sudo setfacl -m u:airflow:r /srv/trading/logs/trade.log && kronos-health scan --source trading",
        ),
        _bad(
            AlertKind.DIGEST, "2026-W47", _INFO, "Still watching: week 47",
            "Production follows the decision EAGER. 0 findings.", "kronos-health status",
            facts=(Fact("Scanned", "812 MiB"), Fact("Probes", "14"), Fact("Predictions", "3,920")),
        ),
    )
}  # fmt: skip


HIT = OBSERVATIONS[AlertKind.GRAPH_REUSE]
OK_AGAIN = replace(HIT, state=ObservationState.GOOD, positives=20, summary="20 predictions completed since.")
DRIFT = OBSERVATIONS[AlertKind.SETTINGS_DRIFT]


def life(kind: AlertKind) -> Iterator[Message]:
    """Every message the alert's policy can say, in order: driven through the policy, not made by hand."""
    observation, policy = OBSERVATIONS[kind], policy_for(kind, Alerts())
    good = replace(
        observation, state=ObservationState.GOOD, positives=20, occurrences=0, excerpt=None, evidence=(), facts=(),
        title="All is well", summary="It has not been seen again.",
    )  # fmt: skip
    day = 24.0
    story = [
        (0.0, observation),
        (2.0, replace(observation, occurrences=5)),
        (2.0 + day, replace(observation, occurrences=0)),
    ]
    story += [(3.0 + day, good), (5.0 + day, good)]
    alert: Alert | None = None
    for hours, seen in story:
        decision = decide(alert, seen, policy, START + timedelta(hours=hours))
        for step in decision.transitions:
            if step.announce:
                yield compose(seen, step, alert, decision.next, observation.title, observation.severity)
        alert = decision.next


def every_message() -> dict[str, Message]:
    """All messages by the name of their golden file."""
    return {f"{kind.value}.{message.transition.value}": message for kind in AlertKind for message in life(kind)}


def message(
    kind: AlertKind = AlertKind.GRAPH_REUSE, transition: TransitionKind = TransitionKind.FIRED, **values: object
) -> Message:
    found = next(one for one in life(kind) if one.transition is transition)
    return replace(found, **values)  # type: ignore[arg-type]
