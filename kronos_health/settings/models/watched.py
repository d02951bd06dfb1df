"""What is watched: production, upstream, and the logs, with what is normal there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from kronos_health.settings.models.section import Count, Positive, Section


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


class Source(Section):
    """A log under watch, or several."""

    path: str = Field(
        description="the live file, a folder, a pattern such as /var/log/trading/*.log, or an address such as "
        "s3://bucket/logs/*.log; rotated siblings (.1, .2.gz, -YYYYMMDD …) are found beside each"
    )
    format: Literal["text", "journald"] = Field(
        "text", description="journald: written by journalctl -o export or -o json"
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="of an address: what fsspec's file system is made with, e.g. endpoint_url"
    )
    airflow_connection: str = Field("", description="of an address: Airflow connection with the storage's credentials")
    host: str = Field("", max_length=255, description="the machine it tells of; default: the one it is read on")
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
        if "@" in value.partition("://")[2].partition("/")[0]:
            raise ValueError("must carry no user or password: those belong into options or the library's own files")
        return value


class Logs(Section):
    """How logs are read."""

    catalogue: Path | None = Field(None, description="TOML with further signatures and sample patterns")
    patterns: dict[str, str] = Field(
        default_factory=dict,
        description="regular expressions of your own log lines by name, e.g. prediction_completed, kronos_inference_ms",
    )
    engine: Literal["auto", "ahocorasick", "plain"] = Field(
        "auto", description="what searches; auto: the fast wheel, and Python's own expressions where that is missing"
    )
    max_bytes: Count = Field(8 * 1024**3, description="budget of one scan")
    max_seconds: Positive = 240.0
    max_record_bytes: Count = 1024**2
    max_record_lines: Count = 2000
    stored_record_chars: Count = 8000
    findings_per_fingerprint: Count = Field(
        1000, description="full records stored per fingerprint and scan; the rest are counted"
    )
    samples_per_metric: Count = Field(
        1000, description="newest numbers of each metric and symbol that a scan keeps one by one; all count by the hour"
    )
    error_kinds: Count = Field(
        200, description="kinds of unknown errors that a scan tells apart; the rest are one kind"
    )
    max_events: Count = Field(200_000, description="rows of findings and samples of one scan; what is left is lag")
    idle_seconds: Annotated[float, Field(ge=0)] = Field(
        1.0, description="a log not written to for so long has ended its last record"
    )


class Follow(Section):
    """How logs are followed between two scans, so that what is critical is told within seconds."""

    enabled: bool = Field(True, description="false: logs are read by the regular scan only")
    look_seconds: Annotated[float, Field(ge=0.05, le=60)] = Field(
        0.5, description="how often files are looked at; a look costs one stat per file that did not grow"
    )
    pause_seconds: Annotated[float, Field(ge=0, le=300)] = Field(
        3.0, description="at most one wake-up of a scan per log in so long; what comes meanwhile wakes at its end"
    )


class ExpectedReturn(Section):
    """What a strategy is expected to return on a symbol, as a ratio: 0.1043 is 10.43 %."""

    symbol: str = Field(min_length=1)
    strategy: str = Field(
        "maxdiff", pattern=r"^[A-Za-z]\w*$", description="its returns are the metric <strategy>_return"
    )
    expected: float
    tolerance: Positive = Field(0.05, description="how far the median may be away, as a ratio")

    @property
    def metric(self) -> str:
        """The name of its numbers in the logs."""
        return f"{self.strategy.lower()}_return"

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest return that is as expected."""
        return self.expected - self.tolerance, self.expected + self.tolerance


class Bounds(Section):
    """What production is expected to do (2025-10-30): lowest and highest median, and returns by strategy and symbol."""

    kronos_inference_ms: tuple[float, float] = (3000.0, 5000.0)
    toto_inference_ms: tuple[float, float] = (0.0, 1000.0)
    kronos_memory_mb: tuple[float, float] = (0.0, 1024.0)
    toto_memory_mb: tuple[float, float] = (0.0, 1024.0)
    returns: tuple[ExpectedReturn, ...] = Field(
        (ExpectedReturn(symbol="ETHUSD", expected=0.1043),), description="returns by strategy and symbol"
    )

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value by metric, whatever symbol a line names."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "returns"}

    def of(self, metric: str, subject: str | None) -> tuple[float, float] | None:
        """What is expected of a metric and symbol; ``None``: nothing is."""
        found = (item.bounds for item in self.returns if (item.metric, item.symbol) == (metric, subject))
        return self.ranges.get(metric) or next(found, None)
