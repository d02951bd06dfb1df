"""What each kind of alert says through its life: real observations of realistic things, through the real recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import create_engine

from kronos_health.alerts.condition import of_channel
from kronos_health.alerts.messages import from_json
from kronos_health.alerts.recording import record, record_due
from kronos_health.checks.observations import (
    checker,
    errors,
    figures,
    logs,
    predictions,
    probes,
    revisit,
    switch,
    trials,
    upstream,
)
from kronos_health.checks.observations.errors import NewKind
from kronos_health.checks.observations.logs import NewFindings
from kronos_health.checks.observations.predictions import Metric, RecentSamples, Silence
from kronos_health.checks.switch_words import summary_of_decision, summary_of_failure
from kronos_health.domain.alerts import AlertKind, Fact, Message, Observation, ObservationState, TransitionKind
from kronos_health.domain.figures import Figure, FigureLabel, FigureSeries, FigureVerdict
from kronos_health.domain.logs import ErrorKind, Gap, Severity
from kronos_health.domain.probes import (
    CacheState,
    Counters,
    Environment,
    Failure,
    Frame,
    Iteration,
    Memory,
    Outcome,
    ProbeResult,
    ProbeSpec,
    Regime,
)
from kronos_health.domain.revisit import (
    Confidence,
    Criterion,
    CriterionName,
    CriterionState,
    Decision,
    Evidence,
    Mode,
    Trial,
    TrialResult,
)
from kronos_health.domain.switch import Switch, SwitchState
from kronos_health.domain.upstream import Drift, DriftKind, Release, Revision
from kronos_health.logs.catalogue import load_catalogue
from kronos_health.revisit.switching import answered
from kronos_health.settings.models import Settings
from kronos_health.store import outbox
from kronos_health.store.types import METADATA
from tests.alerts.timeline import START

REUSE_RECORD = """\
2026-11-23 11:58:40 UTC | 2026-11-23 06:58:40 EST | trade_stock_e2e.py:forecast:2987 ERROR | Kronos prediction failed \
for ETHUSD
Traceback (most recent call last):
  File "/srv/stock-prediction/src/models/kronos_wrapper.py", line 633, in _predict
    forecast = predictor.predict_batch(frames, stamps)
  File "/srv/stock-prediction/external/kronos/model/kronos.py", line 492, in generate
    preds = auto_regressive_inference(self.tokenizer, self.model, x)
RuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. Stack trace: \
File "/srv/stock-prediction/external/kronos/model/kronos.py", line 276, in decode_s1
    x = self.norm(x)
  File "/srv/stock-prediction/external/kronos/model/module.py", line 261, in forward
    return output * self.weight. To prevent overwriting, clone the tensor outside of torch.compile() or call \
torch.compiler.cudagraph_mark_step_begin() before each model invocation."""
FAILED_RECORD = """\
2026-11-23 11:58:40 UTC | 2026-11-23 06:58:40 EST | trade_stock_e2e.py:forecast:2987 ERROR | Kronos prediction failed \
for BTCUSD
Traceback (most recent call last):
  File "/srv/stock-prediction/src/models/kronos_wrapper.py", line 618, in _predict
    frame = self._prepare(history)
ValueError: 3 of 256 rows hold no close"""
LIMIT_RECORD = """\
W1123 11:58:40.101000 4242 torch/_dynamo/convert_frame.py:1358] [1/8] torch._dynamo hit config.recompile_limit (8)
W1123 11:58:40.101000 4242 torch/_dynamo/convert_frame.py:1358] [1/8]    function: 'decode_s2' (kronos.py:300)
W1123 11:58:40.101000 4242 torch/_dynamo/convert_frame.py:1358] [1/8]    last reason: 1/7: tensor 'x' size mismatch \
at index 1. expected 249, actual 250"""
RECORDS = {"graph_reuse": REUSE_RECORD, "prediction_failed": FAILED_RECORD, "recompile_limit": LIMIT_RECORD}
REASONS = {"recompile_limit": ("tensor 'x' size mismatch at index 1. expected 249, actual 250",)}
SOURCE = "trading"
SCAN = "0198c1a2-scan"
WATCHED = {
    one.name: (one.title, one.next_step, one.severity)
    for one in load_catalogue().signatures
    if one.name in RECORDS
}  # fmt: skip
UNKNOWN_RECORD = """\
2026-11-23 11:58:40 UTC | trade_stock_e2e.py:order:412 ERROR | order 4711 refused for BTCUSD
Traceback (most recent call last):
  File "/srv/stock-prediction/src/orders.py", line 88, in send
    reply = self.session.post(order)
ConnectionError: HTTPSConnectionPool(host='api.exchange.test', port=443): Max retries exceeded"""
# Hours since the start, and what was seen then; None: nobody looked, and what is due is said.
Story = list[tuple[float, Observation | None]]


def new_errors(number: int) -> Observation:
    kinds = [
        NewKind(
            f"0199-kind-{index}",
            ErrorKind(
                f"{index:032x}", 1, "ConnectionError", "HTTPSConnectionPool(host=<quoted>)",
                UNKNOWN_RECORD, 88, 3 - index % 3, START - timedelta(minutes=4), START,
            ),
        )
        for index in range(number)
    ]  # fmt: skip
    return errors.of_new_errors(SOURCE, kinds, SCAN)[0]


def found(signature: str, count: int, at: datetime | None = START) -> NewFindings:
    title, next_step, severity = WATCHED[signature]
    first = at - timedelta(minutes=4) if at and count > 1 else at
    return NewFindings(
        signature, severity, count, title, next_step, first, at, RECORDS[signature], REASONS.get(signature, ()),
        f"0198c1a2-{signature}",
    )  # fmt: skip


def seen(signature: str, item: NewFindings | None = None, completed: int = 0, *, readable: bool = True) -> Observation:
    """What a scan says of one signature: nothing new of it where ``item`` is missing."""
    (one,) = logs.of_signatures(
        SOURCE,
        {signature: WATCHED[signature]},
        [item] if item else [],
        readable=readable,
        completed_since_hit=completed,
    )
    return one


HIT = seen("graph_reuse", found("graph_reuse", 42, None))
OK_AGAIN = seen("graph_reuse", completed=20)

_FAILURE = Failure(
    "RuntimeError",
    "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run.",
    Frame("/srv/stock-prediction/external/kronos/model/module.py", 261, "forward", "return output * self.weight"),
    REUSE_RECORD[REUSE_RECORD.index("Traceback") :],
)
_H200 = Environment(
    "fingerprint", "cuda", "3.12.11", "2.13.0", "13.0", "3.6.0", "580.95", "NVIDIA H200", "trader-1", "8a1f2c3d4e5f",
    None, "float32", "base", "cuda_event", 1,
)  # fmt: skip


def result(outcome: Outcome, passed: int = 0, reason: str | None = None) -> ProbeResult:
    good = Iteration(
        0, Outcome.PASSED, START, 1.0, Regime.SATURATED, CacheState.WARM, 0, None, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
        Memory(), Counters(),
    )  # fmt: skip
    failure = _FAILURE if outcome is Outcome.GRAPH_REUSE else None
    return ProbeResult(
        ProbeSpec("kronos", "compiled"), outcome, START, START, _H200, (good,) * passed, failure, skipped_reason=reason
    )


def variant(outcome: Outcome, passed: int = 0) -> Observation:
    one = probes.of_variant("0199-probe", result(outcome, passed), passed_before=True)
    assert one is not None
    return one


def decision(mode: Mode) -> Decision:
    proposed = mode is Mode.COMPILED
    state, value = (CriterionState.MET, "5 of 5") if proposed else (CriterionState.NOT_MET, "0 of 5")
    criteria = tuple(
        Criterion(
            name, "compiled_clone", state, value, "5 of 5 on CUDA", f"{value} fresh processes passed on CUDA.",
            (Evidence("probe", "0199-probe", True, "NVIDIA H200"),),
        )
        for name in (CriterionName.COMPILED_ITERATIONS,)
    )  # fmt: skip
    told = (
        "COMPILED (compiled_clone), confidence HIGH: 60 of 60 fresh processes passed on CUDA and forecasts are not "
        "worse than eager's, 2.10 times as fast as eager."
        if proposed
        else "EAGER, confidence VERY HIGH: every compiled variant breaks on CUDA and eager passes."
    )
    return Decision(
        "kronos", START, mode, "compiled_clone" if proposed else None, Confidence.HIGH, told,
        "60 of 60 fresh processes passed on CUDA." if proposed else "Every compiled variant breaks on CUDA.",
        "kronos-health report  # the evidence; a person switches production's .env.compile",
        criteria, (), START,
    )  # fmt: skip


def decided(mode: Mode, index: int) -> Observation:
    return tuple(revisit.of_decision(decision(mode), "0199-decision"))[index]


_DRIFTS = (
    Drift("file .env.compile", "KRONOS_COMPILE", "not 1", "1", DriftKind.FORBIDDEN),
    Drift("file .env.compile", "TOTO_DISABLE_COMPILE", "1", None, DriftKind.MISSING),
)
_ROWS = {(one.where, one.key): f"0199-{one.key}" for one in _DRIFTS}


def drift(*drifts: Drift) -> Observation:
    (one,) = upstream.of_drift(["file .env.compile"], drifts, {}, _ROWS)
    return one


DRIFT = drift(*_DRIFTS)
_LATENCY = Metric("kronos_inference_ms", "Inference time of Kronos", "ms", 3000, 5000)


def bounds(samples: RecentSamples | None) -> Observation:
    recent = {_LATENCY.name: samples} if samples else {}
    (one,) = predictions.of_bounds(SOURCE, (_LATENCY,), recent, readable=True, scan_id=SCAN)
    return one


def silence(last: dict[str, datetime], at: datetime, cadence: float | None = None) -> Observation:
    known = Silence(last, START - timedelta(days=30), cadence, 96.0)
    return predictions.of_silence(SOURCE, known, at, readable=True, scan_id=SCAN)


def figure(what: Figure, *verdicts: FigureVerdict) -> Observation:
    series = FigureSeries("kronos", "eager", "production", "saturated", "f" * 64, "cuda", what)
    return tuple(figures.of_series(series, verdicts))[-1]


def _judged(hours: float, value: float, label: FigureLabel, reference: float | None = None) -> FigureVerdict:
    told = {
        FigureLabel.REGRESSION: "+20.0% against the median of 30, the second in a row",
        FigureLabel.IMPROVEMENT: "-30.0% against the median of 30, the second in a row",
    }.get(label, "+0.2% against the median of 30")
    at = START + timedelta(hours=hours)
    return FigureVerdict("0199-probe", at, value, label, told, 30, 2250.0, 2137.0, 2363.0, reference)


_LAST = {"Kronos": START - timedelta(days=5), "Toto": START - timedelta(days=4, hours=1)}
_SLOW = RecentSamples(20, 7400.0, 6120.5, 9120.0, "0198c1a2-sample")
_BUSY = "the GPU has 1,024 MiB free, and probe.min_free_gpu_mb asks for 4,096"
_COMMIT = Revision(
    "kronos", "4f1c2ab" + "0" * 33, START, "Clone the output of RMSNorm", "origin/master", contained=False
)
_KILLED = "/srv/stock-prediction/logs/trade_stock_e2e.log: permission denied. Let the checker's user read it."
_WEEK = (Fact("Scanned", "812 MiB of logs in 1 source"), Fact("Findings", "0 in the last seven days"))
DAY = 24.0

_TRIAL = Trial(
    "kronos", "torch=2.15.0", TrialResult.FIXED_WITH_OPT_IN, "compiled_whole_step",
    "With torch 2.15.0, compiled_whole_step passes on CUDA (compiled: 0 of 5, graph_reuse; compiled_whole_step: "
    "5 in a row).",
    variants=(("compiled", "0 of 5, graph_reuse"), ("compiled_whole_step", "5 in a row")),
    in_production="0 of 5, graph_reuse",
    evidence=(Evidence("probe", "0199-8", True, ""), Evidence("probe", "0199-9", True, "")),
)  # fmt: skip

_SWITCH = Switch(
    "0199-switch", "kronos", "compiled", "0199-decision", "e" * 32, Confidence.HIGH, SwitchState.PROPOSED, START,
    "/srv/stock-prediction/.env.compile", "b" * 64, "a" * 64,
    "--- .env.compile\n+++ .env.compile (proposed)\n@@ -13,3 +13,3 @@\n # Kronos\n-# export KRONOS_COMPILE=1\n"
    "+export KRONOS_COMPILE=1\n ",
    (("KRONOS_COMPILE", "1"),), (("KRONOS_COMPILE", None),), summary_of_decision(decision(Mode.COMPILED), None),
)  # fmt: skip
_REJECTED = answered(_SWITCH, False, "ann", "not before the release", START)
_WRITTEN = replace(
    answered(_SWITCH, True, "ann", "measured it", START), state=SwitchState.WRITTEN, written_at=START,
    backup="/srv/stock-prediction/.env.compile.20261123T120000Z.switch.bak",
)  # fmt: skip
_FAILED = replace(_WRITTEN, state=SwitchState.FAILED, problem="failed Kronos predictions: 2 of 9")
_WAY_BACK = replace(
    _SWITCH, switch_id="0199-back", undoes="0199-switch", changes=_SWITCH.former, former=_SWITCH.changes,
    summary=summary_of_failure(_FAILED), diff="-export KRONOS_COMPILE=1\n+# export KRONOS_COMPILE=1",
)  # fmt: skip
_WITHDRAWN = replace(_WAY_BACK, state=SwitchState.WITHDRAWN, problem="the file was changed meanwhile")
_READ_ONLY = "/srv/stock-prediction/.env.compile cannot be replaced: Read-only file system"

STORIES: dict[str, Story] = {
    "graph_reuse": [
        (0, seen("graph_reuse", found("graph_reuse", 42))),
        (2, seen("graph_reuse", found("graph_reuse", 5, START + timedelta(hours=2)))),
        (2 + DAY, seen("graph_reuse", completed=0)),
        (3 + DAY, OK_AGAIN),
    ],
    "compiled_broken": [
        (0, variant(Outcome.GRAPH_REUSE)),
        (2 + DAY, variant(Outcome.GRAPH_REUSE)),
        (3 + DAY, variant(Outcome.PASSED, passed=5)),
    ],
    "criterion_met": [(0, decided(Mode.COMPILED, 0)), (3 + DAY, decided(Mode.EAGER, 0))],
    "all_criteria_met": [(0, decided(Mode.COMPILED, 1)), (3 + DAY, decided(Mode.EAGER, 1))],
    "torch_release": [(0, upstream.of_release(Release("torch", "2.15.0"), ("kronos",), "0199-release"))],
    "kronos_updated": [(0, upstream.of_revision(_COMMIT, "8a1f2c3d4e5f6789", ("kronos",), "0199-commit"))],
    "kronos_updated.only_listed": [
        (0, upstream.of_revision(replace(_COMMIT, subject="", committed_at=None), None, ("kronos",), "0199-commit"))
    ],
    "kronos_updated.checked_out": [
        (0, upstream.of_revision(replace(_COMMIT, ref="HEAD"), _COMMIT.commit, ("kronos",), "0199-commit"))
    ],
    "candidate_tried": [(0, trials.of_trial(_TRIAL))],
    "switch_proposed": [
        (0, switch.of_proposal(_SWITCH)),
        (8 * DAY, switch.of_proposal(_SWITCH)),
        (9 * DAY, switch.of_proposal(replace(_REJECTED, settled_at=START))),
    ],
    "switch_proposed.way_back": [(0, switch.of_proposal(_WAY_BACK)), (1, switch.of_proposal(_WITHDRAWN))],
    "switch_settled": [(0, switch.of_outcome(_WRITTEN))],
    "switch_settled.passed": [(0, switch.of_outcome(replace(_WRITTEN, state=SwitchState.PASSED)))],
    "switch_settled.failed": [(0, switch.of_outcome(_FAILED))],
    "checker_unhealthy.switch": [
        (0, switch.of_writing(replace(_WRITTEN, state=SwitchState.APPROVED, problem=_READ_ONLY))),
        (1, switch.of_writing(_WRITTEN)),
    ],
    "settings_drift": [(0, DRIFT), (2 + DAY, DRIFT), (3 + DAY, drift())],
    "predictions_out_of_bounds": [
        (0, bounds(_SLOW)),
        (2 + DAY, bounds(None)),
        (3 + DAY, bounds(replace(_SLOW, median=3687.0))),
        (5 + DAY, bounds(replace(_SLOW, median=3687.0))),
    ],
    "no_predictions": [
        (0, silence(_LAST, START)),
        (2 + DAY, silence(_LAST, START + timedelta(hours=26))),
        (3 + DAY, silence({"Toto": START + timedelta(hours=27)}, START + timedelta(hours=27))),
    ],
    "no_predictions.with_cadence": [(0, silence({"Toto": START, "Kronos": _LAST["Kronos"]}, START, 86_400.0))],
    "log_errors": [
        (0, seen("recompile_limit", found("recompile_limit", 3))),
        (2, seen("recompile_limit", found("recompile_limit", 1, START + timedelta(hours=2)))),
        (2 + DAY, seen("recompile_limit", readable=False)),
        (3 + DAY, seen("recompile_limit")),
        (5 + DAY, seen("recompile_limit")),
    ],
    "log_errors.prediction_failed": [(0, seen("prediction_failed", found("prediction_failed", 1)))],
    "new_error": [(0, new_errors(1))],
    "new_error.several": [(0, new_errors(12))],
    "log_gap": [
        (0, logs.of_gap(SOURCE, Gap("0198-generation", 48_211, 13_050_000, "trading.log.3 was removed."), "0199-gap"))
    ],
    "log_history": [
        (
            0,
            logs.of_history(
                SOURCE, [found("graph_reuse", 7), found("prediction_failed", 1)], 48_211, START, SCAN
            ),
        )
    ],
    "log_history.clean": [(0, logs.of_history(SOURCE, [], 1, START, SCAN))],
    "figure_regression": [
        (0, figure(Figure.STEADY_LATENCY, _judged(0, 2700, FigureLabel.REGRESSION, 2250.0))),
        (8 * DAY, figure(Figure.STEADY_LATENCY, _judged(8 * DAY, 2710, FigureLabel.STEADY, 2250.0))),
        (9 * DAY, figure(Figure.STEADY_LATENCY, _judged(9 * DAY, 2255, FigureLabel.STEADY))),
    ],
    "figure_improved": [
        (
            0,
            figure(
                Figure.STEADY_LATENCY,
                _judged(-24, 1580, FigureLabel.SUSPICIOUS),
                _judged(0, 1575, FigureLabel.IMPROVEMENT),
            ),
        )
    ],
    "checker_unhealthy": [
        (0, logs.of_readability(SOURCE, _KILLED, 1, SCAN)),
        (2 + DAY, logs.of_readability(SOURCE, _KILLED, 1, SCAN)),
        (3 + DAY, logs.of_readability(SOURCE, None, 0, SCAN)),
    ],
    "checker_unhealthy.settings": [
        (0, upstream.of_settings("file .env.compile", ["file .env.compile: /srv/.env.compile: No such file"])),
        (1, upstream.of_settings("file .env.compile", [])),
    ],
    "checker_unhealthy.run": [(0, checker.of_run("scan", SOURCE, True, "0199-run", START - timedelta(hours=7)))],
    "checker_unhealthy.probe": [(0, probes.of_probing("0199-probe", result(Outcome.SKIPPED, reason=_BUSY)))],
    "checker_unhealthy.channel": [
        (0, of_channel("slack", ObservationState.BAD, "invalid_auth. Put a new token into slack.token."))
    ],
    "log_errors.worse": [
        (0, seen("recompile_limit", found("recompile_limit", 3))),
        (1, replace(seen("recompile_limit", found("recompile_limit", 900, None)), severity=Severity.CRITICAL)),
    ],
    "settings_drift.flapping": [
        *((hours / 2, DRIFT if hours % 2 == 0 else drift()) for hours in range(7)),
        (4, drift()),
        (4.5, DRIFT),
        (6.5, DRIFT),
        (7, drift()),
    ],
    "settings_drift.calm": [
        *((hours / 2, DRIFT if hours % 2 == 0 else drift()) for hours in range(7)),
        (4, drift()),
        (6, drift()),
    ],
    "graph_reuse.unacknowledged": [(0, seen("graph_reuse", found("graph_reuse", 42))), (0.6, None)],
    "digest": [(0, checker.of_week(START, [decision(Mode.EAGER).sentence], _WEEK, 1, ["0199-decision"]))],
}  # fmt: skip

OBSERVATIONS: dict[AlertKind, Observation] = {
    kind: one for kind in AlertKind if (one := STORIES[kind.value][0][1]) is not None
}
_ESCALATING = Settings.model_validate({"alerts": {"escalate_channel": "console"}})
_SETTINGS = {"graph_reuse.unacknowledged": _ESCALATING}


def told(story: Story, settings: Settings = Settings()) -> Iterator[Message]:  # noqa: B008 - frozen
    """Every message of a story, in order: what the outbox holds after the real recording of it."""
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        for hours, observation in story:
            now = START + timedelta(hours=hours)
            record(connection, [observation], settings, now) if observation else record_due(connection, settings, now)
        rows = sorted(outbox.recent(connection, 1_000), key=lambda row: (row.episode, row.sequence))
    engine.dispose()
    yield from (from_json(row.message) for row in rows)


def every_message() -> dict[str, Message]:
    """All messages by the name of their golden file."""
    return {
        f"{name}.{one.transition.value}": one
        for name, story in STORIES.items()
        for one in told(story, _SETTINGS.get(name, Settings()))
    }


def message(
    kind: AlertKind = AlertKind.GRAPH_REUSE, transition: TransitionKind = TransitionKind.FIRED, **values: object
) -> Message:
    one = next(one for one in told(STORIES[kind.value]) if one.transition is transition)
    return replace(one, **values)  # type: ignore[arg-type]
