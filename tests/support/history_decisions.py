"""Rows of decisions, criteria, evidence and standings."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, insert

from kronos_health.store.tables.revisit import criterion_evaluation, criterion_evidence, decision, variant_standing
from kronos_health.store.types import new_id
from tests.support.history_probes import MENDED


def insert_baseline_decision(connection: Connection, at: datetime) -> None:
    """The team's own decision of 2025-10-30."""
    connection.execute(
        insert(decision).values(
            id=new_id(),
            target="kronos",
            decided_at=at,
            mode="EAGER",
            confidence="VERY HIGH",
            sentence="EAGER, decided by the team on 2025-10-30.",
            reason="compiled survived 0 of 5 iterations",
            next_step="source .env.compile && python trade_stock_e2e.py",
            imported=True,
        )
    )


def insert_decision(connection: Connection, at: datetime, day: int, compiled: str, mended: str, eager: str) -> str:
    """EAGER on the ``day``-th day; confidence grows with the days. The last three are ids of probes."""
    identifier = new_id()
    confidence = ("MODERATE", "HIGH", "HIGH", "VERY HIGH")[min(day, 3)]
    connection.execute(
        insert(decision).values(
            id=identifier,
            target="kronos",
            decided_at=at,
            mode="EAGER",
            confidence=confidence,
            sentence=f"EAGER, {confidence} confidence: stock compiled Kronos is BROKEN (CUDA graph outputs reused).",
            reason="compiled passed 0 of 5 on CUDA, eager 5 of 5",
            next_step=f"kronos-health probe --variant {MENDED}",
            evidence_at=at - timedelta(minutes=17),
            imported=False,
        )
    )
    _criteria(connection, identifier, compiled, mended)
    _standing(connection, identifier, "eager", passed=5 * (day + 1), confidence=confidence)
    _standing(connection, identifier, "compiled", failed=5 * (day + 1), broken=True)
    _standing(connection, identifier, MENDED, passed=5 * (day + 1), admissible=False)
    return identifier


def _criteria(connection: Connection, decision_id: str, compiled: str, mended: str) -> None:
    rows = (
        (
            "torch_release",
            "unknown",
            "2.15.0 untried",
            "a release that passes",
            "torch 2.15.0 has not been probed",
            None,
        ),
        ("kronos_update", "unknown", "unknown since 27 h", "a revision that passes", "upstream cannot be seen", None),
        ("compiled_iterations", "not_met", "0 of 5", "5 of 5", "compiled breaks at the first iteration", compiled),
        ("accuracy", "unknown", "no pairs", "upper bound < 0.05", "nothing to compare: measured on CPU only", mended),
    )
    for name, state, value, threshold, explanation, evidence in rows:
        identifier = new_id()
        connection.execute(
            insert(criterion_evaluation).values(
                id=identifier,
                decision_id=decision_id,
                name=name,
                variant="compiled" if evidence == compiled else MENDED if evidence else None,
                state=state,
                value=value,
                threshold=threshold,
                explanation=explanation,
            )
        )
        if evidence:
            connection.execute(
                insert(criterion_evidence).values(
                    id=new_id(),
                    evaluation_id=identifier,
                    table_name="probe",
                    row_id=evidence,
                    admissible=evidence == compiled,
                    note="measured on CUDA" if evidence == compiled else "not admissible: measured on CPU",
                )
            )


def _standing(
    connection: Connection,
    decision_id: str,
    variant: str,
    *,
    passed: int = 0,
    failed: int = 0,
    broken: bool = False,
    confidence: str = "LOW",
    admissible: bool = True,
) -> None:
    connection.execute(
        insert(variant_standing).values(
            id=new_id(),
            decision_id=decision_id,
            variant=variant,
            fingerprint="cuda-fingerprint" if admissible else "cpu-fingerprint",
            passed=passed,
            failed=failed,
            days=(passed + failed) // 5,
            broken=broken,
            confidence=confidence,
            e_value_half=1.0 if failed else 2.0 ** min(passed, 30),
            e_value_four_fifths=1.0,
            e_value_nine_tenths=1.0,
            lower_bound=0.0 if failed else 0.05 ** (1 / max(passed, 1)),
            last_outcome="graph_reuse" if failed else "passed",
            admissible=admissible,
        )
    )
