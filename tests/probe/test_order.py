"""What a worker is told to do."""

from __future__ import annotations

from dataclasses import replace

from kronos_health.domain.probes import ProbeKind, ProbeSpec
from kronos_health.probe.order import worker_order
from kronos_health.probe.variants import find_variant
from kronos_health.probe.worker.spec import parse_spec
from kronos_health.settings.models import Target

SPEC = ProbeSpec("kronos", "eager", accuracy_windows=16)


def windows(spec: ProbeSpec, iteration: int) -> int:
    order = worker_order(spec, find_variant("eager"), Target(), "cpu", iteration, None)
    return parse_spec(order).accuracy_windows


def it_has_logits_compared_once_a_probe_and_never_in_a_rehearsal() -> None:
    assert (windows(SPEC, 0), windows(SPEC, 1)) == (16, 0)
    assert windows(replace(SPEC, kind=ProbeKind.REHEARSED), 0) == 0
