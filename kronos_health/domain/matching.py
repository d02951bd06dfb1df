"""Which alerts are meant: matchers over what an alert is about, the same for silences and for routes.

``kind=graph_reuse`` is equality, a value with ``*`` or ``?`` is a glob, ``key=~kronos/.*`` a regular expression that
must match as a whole; ``!=`` and ``!~`` are the opposites. All matchers of a list must hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

FIELDS = ("alert", "kind", "key", "severity", "source", "target")
_WRITTEN = re.compile(r"\s*([a-z]+)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_LONGEST = 300
# What the beginning of a key names, by kind; a name may hold slashes itself, so every beginning is tried.
_SOURCES = (
    "graph_reuse",
    "log_errors",
    "log_gap",
    "log_history",
    "new_error",
    "no_predictions",
    "predictions_out_of_bounds",
)
_TARGETS = (
    "compiled_broken",
    "criterion_met",
    "all_criteria_met",
    "candidate_tried",
    "figure_regression",
    "switch_proposed",
    "switch_settled",
)
_CHECKER = {"source": ("source/", "lag/", "run/scan/"), "target": ("probe/",)}  # keys of ``checker_unhealthy``


@dataclass(frozen=True, slots=True)
class Subject:
    """What an alert is about, as matchers see it; plain words, so that settings and rows can say the same."""

    kind: str
    key: str
    severity: str

    def values(self, field: str) -> tuple[str, ...]:
        """What ``field`` may be compared with; empty where the alert has no such thing."""
        match field:
            case "alert":
                return (f"{self.kind}:{self.key}",)
            case "kind" | "key" | "severity":
                return (getattr(self, field),)
            case _:
                return _beginnings(self._named(field))

    def _named(self, field: str) -> str:
        if self.kind in (_SOURCES if field == "source" else _TARGETS):
            return self.key
        if self.kind == "checker_unhealthy":
            for prefix in _CHECKER[field]:
                if self.key.startswith(prefix):
                    return self.key.removeprefix(prefix)
        return ""


def _beginnings(name: str) -> tuple[str, ...]:
    parts = name.split("/") if name else []
    return tuple("/".join(parts[:count]) for count in range(1, len(parts) + 1))


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition; ``operator`` is ``=``, ``!=``, ``=~`` or ``!~``."""

    field: str
    operator: str
    value: str

    def holds(self, subject: Subject) -> bool:
        """Whether ``subject`` meets the condition; what has no such field meets only the negative ones."""
        pattern = _pattern(self.value, self.operator.endswith("~"))
        found = any(pattern.fullmatch(value) for value in subject.values(self.field))
        return found is not self.operator.startswith("!")

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.value}"


@lru_cache(maxsize=512)
def _pattern(value: str, is_regex: bool) -> re.Pattern[str]:
    if is_regex:
        return re.compile(value)
    # A bracket is no wildcard here: keys hold them.
    return re.compile(translate(value.replace("[", "[[]"))) if set("*?") & set(value) else re.compile(re.escape(value))


def parse_matcher(text: str) -> Matcher:
    """The matcher that ``text`` writes; a bare ``kind:key`` means that one alert.

    Raises ``ValueError`` with a sentence for people.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a matcher of {len(text)} characters is too long: at most {_LONGEST} are read.")
    found = _WRITTEN.fullmatch(text)
    if found is None:
        if re.fullmatch(r"[a-z_]+:\S.*", text):
            return Matcher("alert", "=", text)
        raise ValueError(f"{text!r} is no matcher. Write e.g. kind=graph_reuse, key=kronos/* or source=~prod.*")
    field, operator, value = found.groups()
    if field not in FIELDS:
        raise ValueError(f"{text!r} matches {field!r}, which no alert has. There are: {', '.join(FIELDS)}.")
    if not value or not value.isprintable():
        raise ValueError(f"{text!r} names no printable value to compare {field} with.")
    if operator.endswith("~"):
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{text!r} holds no regular expression: {error}.") from error
    return Matcher(field, operator, value)


def all_hold(matchers: Iterable[Matcher], subject: Subject) -> bool:
    """Whether every matcher holds."""
    return all(matcher.holds(subject) for matcher in matchers)
