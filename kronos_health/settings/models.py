"""The shape of ``kronos_health.toml``: every key, its unit, its default and its bounds.

Unknown keys are errors. Paths are resolved against the folder of the settings file by :mod:`.loading`.
"""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

TOTO = "toto"
LOADERS = ("kronos", "kronos_checkout", "production_wrapper", TOTO)
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Section(BaseModel):
    """A table of the settings file: unknown keys are refused, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Database(Section):
    """Where the history is kept; never Airflow's own metadata database."""

    url: SecretStr = Field(
        SecretStr(""), description="SQLAlchemy URL; empty means SQLite at <state_dir>/kronos_health.db"
    )
    airflow_connection: str = Field(
        "kronos_health_db", description="Airflow connection that overrides url if it exists"
    )
    busy_timeout_seconds: Positive = Field(30.0, description="how long SQLite waits for another writer")


class Production(Section):
    """The system under watch."""

    env_file: Path | None = Field(None, description="its .env.compile")
    checkout: Path | None = Field(
        None, description="git checkout of the trading system; a new revision is a deployment"
    )
    process: str = Field(
        "", description="regular expression over command lines of the running program, e.g. trade_stock_e2e\\.py"
    )
    expected: dict[str, str] = Field(
        default_factory=lambda: {"TOTO_DISABLE_COMPILE": "1", "ADD_LATEST": "1"},
        description="variables the decision demands",
    )
    forbidden: dict[str, str] = Field(
        default_factory=lambda: {"KRONOS_COMPILE": "1"}, description="variable = value pairs the decision forbids"
    )


class Upstream(Section):
    """What to watch for news."""

    torch_package: str = "torch"
    torch_interpreter: Path | None = Field(None, description="python whose pip is asked; default: this one")
    kronos_checkout: Path | None = Field(None, description="git checkout of external/kronos")
    kronos_ref: str = Field("origin/HEAD", description="remote ref that carries upstream's fixes")
    timeout_seconds: Positive = 60.0


class Evaluation(Section):
    """The series that forecasts are scored on, and production's window."""

    csv: Path | None = Field(None, description="OHLCV file; default: a seeded synthetic series")
    rows: Count = 600
    synthetic_seed: int = 20251030
    lookback: Annotated[int, Field(ge=8)] = 256
    pred_len: Count = 1
    sample_count: Count = 8
    max_context: Annotated[int, Field(ge=8)] = 256


def _time_of_day(value: Any) -> time:
    """A wall clock time from ``"9:30"`` or TOML's own ``09:30:00``; numbers are refused, for nobody means seconds."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", value.strip()) if isinstance(value, str) else None
    if match is not None and int(match[1]) < 24 and max(int(match[2]), int(match[3] or 0)) < 60:
        return time(int(match[1]), int(match[2]), int(match[3] or 0))
    if isinstance(value, time) and value.tzinfo is None:
        return value
    raise ValueError('must be a time of day such as "09:30"; midnight is "00:00"')


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


class Blackout(Section):
    """A window of every week in which production has the machine alone; the default is New York's trading hours."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        ("mon", "tue", "wed", "thu", "fri"), description="days on which it begins"
    )
    start: TimeOfDay = Field(time(9, 30), description="wall clock time at which it begins")
    end: TimeOfDay = Field(
        time(16), description="wall clock time at which it ends; at or before start: on the next day"
    )
    timezone: str = Field("America/New_York", description="time zone of start and end")
    rehearsals: bool = Field(False, description="true: rehearsals wait too; measured probes always do")

    @field_validator("days")
    @classmethod
    def _has_a_day(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one day")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no time zone known here; write a name such as America/New_York") from None
        return value

    def __str__(self) -> str:
        """The window for people, e.g. ``mon tue 09:30-16:00 America/New_York``."""
        return f"{' '.join(self.days)} {self.start:%H:%M}-{self.end:%H:%M} {self.timezone}"


class Probe(Section):
    """How probes run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    iterations: Count = 5
    predictions: Annotated[int, Field(ge=2)] = 4
    warmups: Annotated[tuple[Annotated[int, Field(ge=0, le=100)], ...], Field(max_length=50)] = Field(
        (0, 1, 2, 3, 5),
        description="warm-up calls of compiled variants before their predictions: each iteration takes the next number",
    )
    seed: int = 1000
    accuracy_windows: Annotated[int, Field(ge=0)] = Field(
        16,
        description="frozen windows on which logits are compared with a float64 copy; under 16 never pass, 0: none",
    )
    regimes: tuple[Literal["saturated", "growing"], ...] = ("saturated",)
    variants: tuple[str, ...] = ("eager", "compiled")
    targets: tuple[str, ...] = ("kronos",)
    rehearse: Literal["auto", "always", "never"] = Field("auto", description="auto: where there is no CUDA")
    rehearsal_iterations: Count = 5
    iteration_deadline_seconds: Positive = 900.0
    memory_limit_mb: Positive | None = Field(
        None, description="resident memory of the child's whole tree; None: 80 % of the machine's free memory"
    )
    min_free_gpu_mb: Positive = Field(4096.0, description="a probe is skipped when the GPU has less free")
    gpu_lock_wait_seconds: Annotated[float, Field(ge=0)] = 0.0
    gpu_lock_dir: Path | None = Field(
        None, description="folder of the lock file per GPU; None: <state_dir>/locks. Installations on a host share one"
    )
    nice: Annotated[int, Field(ge=0, le=19)] = Field(10, description="how far probes stand back for other programs")
    blackout: tuple[Blackout, ...] = Field((), description="windows in which no probe runs, e.g. market hours")
    threads: Count | None = None
    evaluation: Evaluation = Evaluation()


class TargetCriteria(Section):
    """What running compiled must reach for this target, beside criteria 3 and 4. ``None``: as the loader has it."""

    recompiles_below: Count | None = Field(None, description="fewer recompilations than this in every process")
    minimum_speed_up: Positive | None = Field(None, description="times as fast as eager, steady state")
    maximum_cudagraph_skips: Annotated[int, Field(ge=0)] | None = Field(
        None, description="CUDA graphs that torch may skip in a process"
    )


# The team's, of 2025-10-30: below 10 recompilations, twice as fast, and no CUDA graph skipped.
_CRITERIA = {TOTO: TargetCriteria(recompiles_below=10, minimum_speed_up=2.0, maximum_cudagraph_skips=0)}


class Target(Section):
    """A model under watch."""

    loader: str = Field(
        "kronos",
        description="kronos (sktime copy), kronos_checkout (upstream checkout), production_wrapper, toto, or "
        "module:factory",
    )
    size: Literal["auto", "mini", "small", "base", "tiny"] = Field(
        "auto", description="auto: mini on CPU, base on CUDA; Toto comes as tiny and base"
    )
    checkout: Path | None = Field(None, description="checkout of upstream Kronos, or of production for its wrapper")
    weights: str = Field("", description="local folder or hub id; empty: seeded random weights")
    tokenizer: str = Field("", description="local folder or hub id of the tokenizer")
    interpreter: Path | None = Field(
        None, description="python that has torch and the model; default: this one, for Toto one made for it"
    )
    python_path: tuple[Path, ...] = Field((), description="folders put on the child's sys.path for module:factory")
    options: dict[str, str] = Field(default_factory=dict, description="handed to the factory as keyword arguments")
    queue: str = Field("", description="Airflow worker queue that has its GPU")
    requirements: tuple[str, ...] = Field(
        (), description="what a made environment needs besides torch; default: what the loader needs"
    )
    criteria: TargetCriteria = TargetCriteria()

    @field_validator("loader")
    @classmethod
    def _is_a_loader(cls, value: str) -> str:
        if value not in LOADERS and not _FACTORY.fullmatch(value):
            raise ValueError("is no loader")
        return value

    @property
    def criteria_in_force(self) -> TargetCriteria:
        """The criteria beside 3 and 4, each as set, else the loader's own; ``None`` is then not asked for."""
        own = _CRITERIA.get(self.loader, TargetCriteria())
        return own.model_copy(update=self.criteria.model_dump(exclude_none=True))


class Candidates(Section):
    """Environments other than production's, made to try targets in."""

    automatic: bool = Field(True, description="whether news that the upstream watch sees is probed by itself")
    variants: tuple[str, ...] = Field(
        (), description="what is tried with news; empty: eager, stock, and every mitigation that keeps CUDA graphs"
    )
    attempts: Count = Field(3, description="how often news is tried while probing itself fails")
    keep_days: Positive = Field(30.0, description="an environment or checkout not used for so long is removed")
    budget_mb: Positive = Field(20_000.0, description="disk space for all of them; the longest unused go first")
    index: str = Field("", description="package index asked beside pip's own, e.g. one with CPU builds of torch")
    cuda_packages: Literal["auto", "allow", "refuse"] = Field(
        "auto", description="whether pip may bring gigabytes of CUDA libraries; auto: where there is a GPU"
    )
    make_deadline_seconds: Positive = Field(3600.0, description="then making an environment is given up")

    @field_validator("index")
    @classmethod
    def _without_password(cls, value: str) -> str:
        if "@" in value.partition("://")[2].partition("/")[0]:
            raise ValueError("must carry no user or password: those belong into pip's own configuration")
        return value


class Source(Section):
    """A log under watch."""

    path: str = Field(description="the live file; rotated siblings (.1, .2.gz, -YYYYMMDD …) are found beside it")
    timezone: str = Field("UTC", description="time zone of stamps that carry none")
    encoding: str = "utf-8"
    queue: str = Field("", description="Airflow worker queue that can read the file")
    cadence_seconds: Positive | None = Field(
        None,
        description="longest normal silence of Kronos; without it, its silence counts only where Toto is silent too",
    )

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("is an address, only files of this machine can be read")
        return value


class Logs(Section):
    """How logs are read."""

    catalogue: Path | None = Field(None, description="TOML with further signatures and sample patterns")
    patterns: dict[str, str] = Field(
        default_factory=dict,
        description="regular expressions of your own log lines by name, e.g. prediction_completed, kronos_inference_ms",
    )
    max_bytes: Count = Field(8 * 1024**3, description="budget of one scan")
    max_seconds: Positive = 240.0
    max_record_bytes: Count = 1024**2
    max_record_lines: Count = 2000
    stored_record_chars: Count = 8000
    findings_per_fingerprint: Count = Field(
        1000, description="full records stored per fingerprint and scan; the rest are counted"
    )
    max_events: Count = Field(200_000, description="findings and samples of one scan; what is left shows as lag")
    idle_seconds: Annotated[float, Field(ge=0)] = Field(
        1.0, description="a log not written to for so long has ended its last record"
    )


class Bounds(Section):
    """What production is expected to do (2025-10-30)."""

    kronos_inference_ms: tuple[float, float] = (3000.0, 5000.0)
    toto_inference_ms: tuple[float, float] = (0.0, 1000.0)
    kronos_memory_mb: tuple[float, float] = (0.0, 1024.0)
    toto_memory_mb: tuple[float, float] = (0.0, 1024.0)


class Revisit(Section):
    """When COMPILED may be proposed."""

    required_iterations: Count = Field(5, description="criterion 3: N of N")
    accuracy_margin: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="non-inferiority margin, share of naive error"
    )
    minimum_pairs: Annotated[int, Field(ge=2)] = 12
    minimum_speed_up: Positive = 1.1
    maximum_memory_ratio: Positive = 1.5
    stale_after_days: Positive = 7.0


class Regression(Section):
    """When a figure of passing probes got worse."""

    minimum_sample: Annotated[int, Field(ge=3)] = Field(6, description="probes before it that a figure is held against")
    window: Annotated[int, Field(ge=3)] = Field(30, description="the newest so many of them are looked at")
    threshold: Positive = Field(5.0, description="robust standard deviations from their median")
    minimum_change: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="smaller changes of latency or memory are none, as a share"
    )
    minimum_compile_change: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="the same of compile times, which scatter more"
    )
    accepted_after: Annotated[int, Field(ge=3)] = Field(
        30, description="after so many probes at a worse level it is the new normal"
    )
    count_disturbed: bool = Field(
        False, description="true: probes flagged as noisy count, e.g. where production always shares the GPU"
    )


class Alerts(Section):
    """Who is told, and how often."""

    channels: tuple[Literal["console", "slack", "slack_webhook"], ...] = ("console",)
    fallback: Literal["console", "slack", "slack_webhook"] = Field(
        "console", description="second route when a channel is refused"
    )
    remind_hours: Positive = 24.0
    silent_hours: Positive = Field(
        96.0,
        description="without a cadence: how long neither Kronos nor Toto may complete a prediction; "
        "four days outlast a weekend with a holiday",
    )
    update_minutes: Positive = 60.0
    graph_reuse_recover_predictions: Count = Field(20, description="completed predictions after the last hit")
    lease_seconds: Positive = 60.0
    batch: Count = 50


class Slack(Section):
    """Slack. Without token and webhook, the console and the database hold every message."""

    token: SecretStr = SecretStr("")
    channel: str = ""
    webhook_url: SecretStr = SecretStr("")
    base_url: str = Field("", description="API address; empty: Slack's own")
    airflow_connection: str = Field(
        "kronos_health_slack", description="Airflow connection that overrides token and base_url"
    )
    timeout_seconds: Positive = 10.0


class Heartbeat(Section):
    """An optional healthchecks-compatible ping."""

    url: SecretStr = SecretStr("")
    timeout_seconds: Positive = 5.0


class Retention(Section):
    """How long rows are kept, in days."""

    findings_days: Positive = 365.0
    samples_days: Positive = 180.0
    deliveries_days: Positive = 180.0
    airflow_days: Positive = 30.0
    lost_after_hours: Positive = 6.0


class Settings(Section):
    """All of ``kronos_health.toml``."""

    state_dir: Path = Path("var")
    database: Database = Database()
    production: Production = Production()
    upstream: Upstream = Upstream()
    probe: Probe = Probe()
    targets: dict[str, Target] = Field(default_factory=lambda: {"kronos": Target()})
    candidates: Candidates = Candidates()
    sources: dict[str, Source] = Field(default_factory=dict)
    logs: Logs = Logs()
    bounds: Bounds = Bounds()
    revisit: Revisit = Revisit()
    regression: Regression = Regression()
    alerts: Alerts = Alerts()
    slack: Slack = Slack()
    heartbeat: Heartbeat = Heartbeat()
    retention: Retention = Retention()
    page_url: str = Field("", description="address of the Airflow UI, for links in messages")
    command: str = Field(
        "", description="how people start this program, for the commands in messages; empty: as it was started itself"
    )

    @field_validator("targets")
    @classmethod
    def _has_a_target(cls, value: dict[str, Target]) -> dict[str, Target]:
        if not value:
            raise ValueError("at least one [targets.NAME] table is needed")
        return value

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL in force, with the SQLite default filled in."""
        url = self.database.url.get_secret_value()
        return url or f"sqlite:///{self.state_dir / 'kronos_health.db'}"
