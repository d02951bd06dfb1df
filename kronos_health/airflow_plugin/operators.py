"""The operator that runs one probe and leaves nothing behind, however its task is ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from kronos_health.airflow_plugin import specs
from kronos_health.airflow_plugin.links import HealthPageLink
from kronos_health.airflow_plugin.tasks import opened

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kronos_health.probe.progress import Progress


_REPEAT_SECONDS = 15.0


class ProgressLog:
    """Writes a probe's progress into the task's log: every change, and in between only now and then."""

    def __init__(self, write: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._last: tuple[object, ...] = ()
        self._written_at = -_REPEAT_SECONDS

    def show(self, progress: Progress) -> None:
        """Take one snapshot; they come about once a second."""
        step = (progress.iteration, progress.phase, progress.detail, progress.prediction, progress.outcome)
        if step == self._last and self._clock() - self._written_at < _REPEAT_SECONDS:
            return
        self._last, self._written_at = step, self._clock()
        self._write("%s", progress.line)


class ProbeOperator(BaseOperator):
    """Runs one probe of a campaign.

    Whatever the probe finds is a row and the task succeeds; it fails only when probing itself could not be done. A task
    that was killed, stopped or cleared goes on with its own probe when it runs again. Made to be mapped over the specs
    that ``tasks.plan`` returns.

    :param campaign_id: id of the campaign the probe belongs to.
    :param spec: a :class:`~kronos_health.domain.probes.ProbeSpec` as JSON values.
    """

    template_fields: Sequence[str] = ("campaign_id", "spec")
    operator_extra_links: ClassVar[Sequence[Any]] = (HealthPageLink(),)  # type: ignore[misc]
    ui_color = "#dbe7f0"

    def __init__(self, *, campaign_id: str, spec: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.spec = spec
        self.probe_id: str | None = None

    @property
    def label(self) -> str:
        """The probe's name in the grid; the DAG's ``map_index_template`` shows it."""
        return specs.label(self.spec)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the probe; returns its id and outcome. Raises ``AirflowFailException`` when it could not be tried."""
        from airflow.sdk.exceptions import AirflowFailException

        from kronos_health.checks.probing import run_probe
        from kronos_health.probe.lifetime import die_with_parent

        self._stopping = threading.Event()
        die_with_parent()
        with opened(context["dag_run"]) as checks:
            done = run_probe(
                checks.ignoring_blackout() if context["params"].get("ignore_blackout") else checks,
                self.campaign_id,
                specs.from_json(self.spec),
                on_progress=ProgressLog(self.log.info).show,
                should_stop=self._stopping.is_set,
            )
        if self._stopping.is_set():
            raise AirflowFailException(f"the probe was stopped: {done.message or done.outcome.value}")
        self.probe_id = done.probe_id
        self.log.info("%s: %s, %d of %d iterations passed", self.label, done.outcome.value, done.passed, done.requested)
        if done.message:
            self.log.info("%s", done.message)
        return {"probe_id": done.probe_id, "outcome": done.outcome.value}

    def on_kill(self) -> None:
        """Ask the probe to end: its guard ends every process under it, and the outcome says that it was stopped."""
        stopping = getattr(self, "_stopping", None)
        if stopping is not None:
            stopping.set()
