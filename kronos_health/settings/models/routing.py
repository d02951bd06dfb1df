"""Where messages go: channels, and routes that choose among them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, field_validator

from kronos_health.settings.models.section import Section

_CHANNEL = re.compile(r"console|slack|slack_webhook|apprise:[A-Za-z0-9_-]{1,24}")


def _channel(value: str) -> str:
    if not _CHANNEL.fullmatch(value):
        raise ValueError("must be console, slack, slack_webhook, or apprise:NAME with a NAME of [apprise.urls]")
    return value


Channel = Annotated[str, AfterValidator(_channel)]
Severity = Literal["info", "warning", "critical"]
Kind = Literal[
    "graph_reuse", "compiled_broken", "criterion_met", "all_criteria_met", "torch_release", "kronos_updated",
    "candidate_tried", "settings_drift", "predictions_out_of_bounds", "no_predictions", "log_errors", "log_gap",
    "log_history", "new_error", "figure_regression", "figure_improved", "checker_unhealthy", "digest",
    "switch_proposed", "switch_settled",
]  # fmt: skip


class Route(Section):
    """Messages of matching alerts go to these channels; of several routes the first that matches holds."""

    kind: str = Field("", description="of the alert; * and ? are wildcards, as in all of these; empty: any")
    severity: str = Field("", description="info, warning or critical")
    source: str = Field("", description="the log it is about")
    target: str = Field("", description="the model it is about")
    key: str = Field("", description="what it is about, as kronos-health alerts lists it after the kind")
    channels: tuple[Channel, ...] = Field((), description="where it goes; none: it is recorded and not sent")
    go_on: bool = Field(False, description="true: routes below may match as well, and alerts.channels when none does")

    @field_validator("kind", "severity")
    @classmethod
    def _means_something(cls, value: str, info: object) -> str:
        known = get_args(Kind if getattr(info, "field_name", "") == "kind" else Severity)
        if value and not any(fnmatchcase(word, value) for word in known):
            raise ValueError(f"matches none of {', '.join(known)}")
        return value

    @property
    def conditions(self) -> tuple[str, ...]:
        """What must hold, each as a matcher is written."""
        fields = ("kind", "severity", "source", "target", "key")
        return tuple(f"{name}={getattr(self, name)}" for name in fields if getattr(self, name))

    def __str__(self) -> str:
        """The route for people."""
        where = " and ".join(self.channels) or "nowhere, only recorded"
        return f"{' '.join(self.conditions) or 'everything'} → {where}{', and routes below' if self.go_on else ''}"
