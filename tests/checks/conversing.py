"""People in a channel, and the checker they talk to, without a socket between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kronos_health.alerts.recording import record
from kronos_health.checks import conversing
from kronos_health.checks.context import Context
from kronos_health.checks.delivering import deliver
from kronos_health.domain.alerts import Observation
from kronos_health.store import conversation as store
from kronos_health.store import outbox
from kronos_health.store.database import reading, writing
from tests.support.slack_server import CHANNEL, TOKEN, SlackServer
from tests.support.slack_socket import APP_TOKEN


def slack_settings(server: SlackServer, **values: Any) -> dict[str, Any]:
    slack = {"token": TOKEN, "app_token": APP_TOKEN, "channel": CHANNEL, "base_url": server.base_url}
    return {"alerts": {"channels": ["slack"]}, "slack": slack | {"timeout_seconds": 2.0} | values}


@dataclass
class Chat:
    """What people do reaches the checker as Slack would bring it; what they are told is in ``told``."""

    context: Context
    server: SlackServer
    told: list[str] = field(default_factory=list)

    def alert(self, *observations: Observation) -> str:
        """Raise them and post them; returns the id of the newest message."""
        with writing(self.context.engine) as connection:
            record(connection, observations, self.context.settings, self.context.now())
        deliver(self.context)
        with reading(self.context.engine) as connection:
            return next(row.id for row in outbox.recent(connection) if row.external_id)

    def press(self, action_id: str, value: str, **changes: Any) -> None:
        self.receive("interactive", self.server.socket.press(action_id, value, **changes))

    def command(self, text: str, **changes: Any) -> None:
        self.receive("slash_commands", self.server.socket.command(text, **changes))

    def receive(self, kind: str, payload: dict[str, Any]) -> bool:
        new = conversing.receive(self.context, kind, payload, "envelope")
        conversing.work_off(self.context)
        conversing.answer_people(self.context, self._post)
        return new

    def _post(self, _address: str, text: str) -> bool:
        self.told.append(text)
        return True

    def verdicts(self) -> list[str | None]:
        with reading(self.context.engine) as connection:
            return [verdict for _request, verdict, _answer in store.history(connection)][::-1]
