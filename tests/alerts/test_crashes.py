"""Deliveries that were cut short, clocks that jump, faults of our own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kronos_health.alerts.registry import open_channels
from kronos_health.domain.alerts import DeliveryState
from kronos_health.store import alerts as store
from kronos_health.store import next_message, outbox
from kronos_health.store.database import writing
from tests.alerts.conftest import Desk, settings_for
from tests.alerts.samples import DRIFT, HIT
from tests.support.slack_server import (
    SlackServer,
    rate_limited,
)


class DescribeAnUnreachableSlack:
    def it_tries_again_with_growing_patience_and_never_looks(self, desk: Desk, slack: SlackServer) -> None:
        settings = settings_for(slack, slack={"base_url": "http://127.0.0.1:1/api/"})
        desk.channels = open_channels(settings, desk.console)
        desk.record(HIT, DRIFT)
        summary = desk.deliver(patience_seconds=100)
        assert desk.clock.slept == [10.0, 10.0, 20.0, 20.0, 40.0]
        assert (summary.sent, summary.waiting) == (0, 2)
        assert "Connection refused" in summary.problems[0]
        assert desk.states() == ["pending", "pending"]
        desk.channels = open_channels(desk.settings, desk.console)
        desk.clock.forward(200)
        assert desk.deliver().sent == 2


class DescribeCrashes:
    def _claim(self, desk: Desk) -> None:
        """What a run leaves that is killed after its claim."""
        with writing(desk.engine) as connection:
            store.lock_channel(connection, "slack")
            row = next_message.next_row(connection, "slack", desk.clock.now)
            assert row is not None
            assert outbox.claim(connection, row, "dead", desk.clock.now, desk.clock.now + timedelta(seconds=60))

    def it_leaves_a_claimed_message_alone_until_the_lease_runs_out(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        self._claim(desk)
        summary = desk.deliver()
        assert (summary.sent, summary.waiting) == (0, 1)
        assert summary.waiting_until == desk.clock.now + timedelta(seconds=60)

    def it_looks_for_what_a_dead_run_may_have_sent(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        self._claim(desk)
        assert desk.deliver(patience_seconds=61).sent == 1
        assert (slack.count("conversations.history"), len(slack.messages)) == (1, 1)

    def it_does_not_send_what_a_dead_run_did_send(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        desk.deliver()
        with writing(desk.engine) as connection:  # as if the run had been killed between sending and settling
            connection.exec_driver_sql(
                "UPDATE outbox SET state = 'sending', lease_owner = 'dead', lease_until = next_at, sent_at = NULL, "
                "external_id = NULL"
            )
        assert desk.deliver(patience_seconds=61).sent == 1
        assert slack.count("chat.postMessage") == 1

    def it_cannot_settle_what_somebody_else_took_over(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        self._claim(desk)
        row = desk.rows()[0]
        with writing(desk.engine) as connection:
            assert not outbox.settle(connection, row.id, "somebody else", DeliveryState.PENDING)
            assert outbox.settle(connection, row.id, "dead", DeliveryState.PENDING)

    def it_goes_on_when_a_channel_is_broken(
        self, desk: Desk, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def explode(_parcel: object) -> None:
            raise ZeroDivisionError("a fault of ours")

        monkeypatch.setattr(desk.channels["slack"], "send", explode)
        desk.record(HIT)
        summary = desk.deliver()
        assert "ZeroDivisionError: a fault of ours" in summary.problems[0]
        monkeypatch.undo()
        assert desk.deliver(patience_seconds=60).sent == 1

    def it_does_not_let_a_message_nobody_can_read_hold_up_the_rest(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        with writing(desk.engine) as connection:
            connection.exec_driver_sql('UPDATE outbox SET message = \'{"kind": "from_the_future"}\'')
        desk.record(DRIFT)
        summary = desk.deliver()
        assert (summary.dead, summary.sent) == (1, 1)

    def it_is_not_stopped_by_a_clock_that_was_set_back(self, desk: Desk, slack: SlackServer) -> None:
        desk.clock.forward(86_400 * 365)
        slack.misbehave("chat.postMessage", rate_limited(10))
        desk.record(HIT)
        desk.deliver()
        desk.clock.forward(-86_400 * 365)
        desk.record(DRIFT)
        assert desk.deliver().sent == 2
