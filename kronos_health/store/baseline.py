"""Importing results of the original system: the same file twice gives the same rows once."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import IntegrityError

from kronos_health.domain.probes import ProbeResult
from kronos_health.domain.revisit import Decision
from kronos_health.store.probes import add_probe, fitted
from kronos_health.store.tables.probes import campaign, probe
from kronos_health.store.tables.revisit import decision

ORIGIN = "import"
_TIME_CHARS = len("019a326a-0400")  # what an id says of the time; the rest of an imported one is its content


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows were new; 0 and 0 says that all of it was there."""

    probes: int
    decisions: int


def import_baseline(
    connection: Connection, recorded_at: datetime, probes: Iterable[ProbeResult], decisions: Iterable[Decision]
) -> Imported:
    """Store imported probes, in one campaign per date, and the decisions taken on them; doing it again adds nothing.

    What is known is told by target and content alone, whatever date it came with: a file that was touched, or is given
    another date, is the same file. Raises ``ValueError`` for a probe that is not flagged imported.
    """
    probes, decisions = tuple(probes), tuple(decisions)
    if any(not result.imported for result in probes):
        raise ValueError("only probes read from a results file can be imported")
    new = [result for result in probes if not _is_known(connection, probe, _probe_id(result))]
    if new:
        campaign_id = _content_id(recorded_at, "campaign")
        row = {"id": campaign_id, "started_at": recorded_at, "finished_at": recorded_at, "origin": ORIGIN}
        _add(connection, campaign, row)
    return Imported(
        probes=sum(_add_probe(connection, campaign_id, result) for result in new),
        decisions=sum(_add(connection, decision, _decision_row(taken)) for taken in decisions),
    )


def _add_probe(connection: Connection, campaign_id: str, result: ProbeResult) -> bool:
    probe_id = _probe_id(result)
    try:
        with connection.begin_nested():
            add_probe(connection, campaign_id, result, probe_id)
    except IntegrityError:  # another importer was first
        return False
    return True


def _probe_id(result: ProbeResult) -> str:
    content = asdict(result)
    for dated in (content, *content["iterations"]):
        dated.pop("started_at")
        dated.pop("finished_at", None)
    return _content_id(result.started_at, content)


def _decision_row(taken: Decision) -> dict[str, Any]:
    identity = [taken.target, taken.mode.value, taken.confidence.value, taken.reason]
    return {
        "id": _content_id(taken.decided_at, identity),
        "target": taken.target,
        "decided_at": taken.decided_at,
        "mode": taken.mode.value,
        "variant": taken.variant,
        "confidence": taken.confidence.value,
        "sentence": taken.sentence,
        "reason": taken.reason,
        "next_step": taken.next_step,
        "evidence_at": taken.evidence_at,
        "imported": True,
    }


def _is_known(connection: Connection, table: Table, row_id: str) -> bool:
    """Whether a row with the same content is there: the ids then differ in their time at most."""
    same = table.c.id == row_id
    if table is not campaign:  # a campaign is one per date
        same = table.c.imported.is_(True) & table.c.id.like(f"%{row_id[_TIME_CHARS:]}")
    return connection.execute(select(table.c.id).where(same)).first() is not None


def _add(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    if _is_known(connection, table, row["id"]):
        return False
    try:
        with connection.begin_nested():
            connection.execute(table.insert().values(fitted(table, row)))
    except IntegrityError:
        return False
    return True


def _content_id(moment: datetime, content: object) -> str:
    """A UUID of version 7 whose time is ``moment`` and whose random bits come from the content."""
    text = json.dumps(content, sort_keys=True, default=str)
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:10], "big")
    number = int(moment.timestamp() * 1000) << 80 | digest
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=number))
