"""Read the state of everything from the history, for the status screen, the report and the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from packaging.version import InvalidVersion, Version
from sqlalchemy import Connection

from kronos_health.domain.probes import Frame, Keeper, Leak
from kronos_health.history import words
from kronos_health.history.escaping import printable
from kronos_health.history.facts import (
    AgreementFacts,
    AlertFacts,
    ChannelFacts,
    CommitFacts,
    CriterionFacts,
    DecisionFacts,
    DriftFacts,
    EvidenceFacts,
    FigureFacts,
    FindingFacts,
    LookFacts,
    ProbeFacts,
    PulseFacts,
    ReleaseFacts,
    SourceFacts,
    StandingFacts,
    StatusView,
    TargetView,
)
from kronos_health.history.quiet import with_silences
from kronos_health.store.history import run_query

FINDINGS_WINDOW = timedelta(days=7)
_THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_EVIDENCE_ORDER = {"cuda": 0, "cpu": 1, "none": 2, "rehearsal": 3, "baseline": 4}

Facts = TypeVar("Facts")


def build_status(connection: Connection, now: datetime, targets: Iterable[str] = ()) -> StatusView:
    """The status at ``now`` (aware UTC), for the named ``targets`` and every other one the history knows.

    A target without a decision is there with ``decision=None``. Raises nothing of its own.
    """
    ask = _Asker(connection, now)
    decisions = {facts.target: facts for facts in ask(DecisionFacts, "current_decisions")}
    probes = ask(ProbeFacts, "latest_probes")
    baseline = ask(ProbeFacts, "baseline_probes")
    names = dict.fromkeys([*targets, *decisions, *(probe.target for probe in (*probes, *baseline))])
    since = now - FINDINGS_WINDOW
    return StatusView(
        at=now,
        findings_since=since,
        targets=tuple(_target(ask, name, decisions.get(name), probes, baseline) for name in names),
        sources=_sources(ask, since),
        looks=ask(LookFacts, "upstream_looks"),
        releases=_newest(ask(ReleaseFacts, "upstream_releases")),
        commits=ask(CommitFacts, "upstream_commits"),
        drift=ask(DriftFacts, "open_drift"),
        alerts=with_silences(connection, ask(AlertFacts, "open_alerts"), now),
        channels=ask(ChannelFacts, "delivery_state"),
        pulse=ask(PulseFacts, "check_pulse"),
    )


def open_alerts(connection: Connection, now: datetime) -> tuple[AlertFacts, ...]:
    """What is pending, firing or recovering, the most severe first, with the silences over it."""
    return with_silences(connection, facts_of(connection, now, AlertFacts, "open_alerts"), now)


def facts_of(connection: Connection, now: datetime, kind: type[Facts], query: str, **params: Any) -> tuple[Facts, ...]:
    """The rows of one named query as facts."""
    return _Asker(connection, now)(kind, query, **params)


class _Asker:
    """Named queries as tuples of facts, at one moment. Text may come from logs: nothing in it controls a terminal."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now

    def __call__(self, kind: type[Facts], query: str, **params: Any) -> tuple[Facts, ...]:
        return tuple(kind(**row) for row in self.rows(query, **params))

    def rows(self, query: str, **params: Any) -> list[dict[str, Any]]:
        found = run_query(self.connection, query, params, now=self.now).dicts()
        return [
            {key: printable(value) if isinstance(value, str) else value for key, value in row.items()} for row in found
        ]


def _target(
    ask: _Asker,
    name: str,
    decision: DecisionFacts | None,
    probes: tuple[ProbeFacts, ...],
    baseline: tuple[ProbeFacts, ...],
) -> TargetView:
    own = [probe for probe in probes if probe.target == name]
    # Eager first within each kind of evidence: it is what the others are held against.
    own.sort(key=lambda probe: (_EVIDENCE_ORDER[probe.evidence], probe.variant != "eager", probe.variant))
    standings = ask(StandingFacts, "variant_standings", decision_id=decision.decision_id) if decision else ()
    return TargetView(
        name=name,
        decision=decision,
        criteria=read_criteria(ask.rows("evidence_for_decision", target=name)) if decision else (),
        standings=standings,
        probes=tuple(own),
        baseline=tuple(probe for probe in baseline if probe.target == name),
        figures=ask(FigureFacts, "current_figures", target=name),
        leaks=read_leaks(ask.rows("rehearsal_leaks", target=name)),
        agreement=ask(AgreementFacts, "rehearsal_agreement", target=name),
    )


def read_leaks(rows: Iterable[dict[str, Any]]) -> dict[str, tuple[Leak, ...]]:
    """The leaks of each rehearsal, by probe id, from the rows of ``rehearsal_leaks``."""
    found: dict[str, tuple[Leak, ...]] = {}
    for row in rows:
        leak = Leak(
            read=row["was_read"],
            **{name: row[name] for name in ("producer", "output", "shape", "kept_by", "reader")},
            frame=_frame(row, "frame"),
            keeper=Keeper(row["keeper"]),
            read_at=_frame(row, "read"),
        )
        found[row["probe_id"]] = (*found.get(row["probe_id"], ()), leak)
    return found


def _frame(row: dict[str, Any], name: str) -> Frame | None:
    if row[f"{name}_file"] is None:
        return None
    parts = (row[f"{name}_{part}"] for part in ("line", "function", "code"))
    return Frame(row[f"{name}_file"], *parts)


def read_criteria(rows: Iterable[dict[str, Any]]) -> tuple[CriterionFacts, ...]:
    """Criteria in the team's order with their evidence, from the flat rows of ``evidence_for_decision``."""
    criteria: dict[tuple[str, str | None], CriterionFacts] = {}
    for row in rows:
        key = (row["criterion"], row["variant"])
        found = criteria.setdefault(
            key, CriterionFacts(*key, row["state"], row["value"], row["threshold"], row["explanation"])
        )
        if row["table_name"] is not None:
            item = EvidenceFacts(row["table_name"], row["row_id"], row["admissible"], row["note"])
            criteria[key] = replace(found, evidence=(*found.evidence, item))
    return tuple(sorted(criteria.values(), key=lambda facts: words.criterion_number(facts.name)))


def _sources(ask: _Asker, since: datetime) -> tuple[SourceFacts, ...]:
    """Each log with what was found since; where that is nothing of concern, with what was found before: a log of last
    month, read for the first time, must not look clean."""
    recent = ask(FindingFacts, "findings_by_signature", since=since)
    ever = ask(FindingFacts, "findings_by_signature", since=_THE_BEGINNING)
    return tuple(
        replace(source, findings=found, earlier=() if _serious(found) else _serious(_of(source, ever)))
        for source in ask(SourceFacts, "log_sources")
        for found in [_of(source, recent)]
    )


def _of(source: SourceFacts, findings: Iterable[FindingFacts]) -> tuple[FindingFacts, ...]:
    return tuple(found for found in findings if found.source == source.source)


def _serious(findings: Iterable[FindingFacts]) -> tuple[FindingFacts, ...]:
    return tuple(found for found in findings if found.severity != "info")


def _newest(releases: Iterable[ReleaseFacts]) -> tuple[ReleaseFacts, ...]:
    """The highest version of each package: versions do not sort in SQL."""
    best: dict[str, ReleaseFacts] = {}
    for release in releases:
        held = best.get(release.package)
        if held is None or _version(release.version) > _version(held.version):
            best[release.package] = release
    return tuple(best.values())


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")
