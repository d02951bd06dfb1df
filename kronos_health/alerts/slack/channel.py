"""Slack by bot token: posts that can be read back, so that nothing is lost and nothing is sent twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kronos_health.alerts.channels import Channel, ChannelCheck, Outcome, Parcel, Verdict
from kronos_health.alerts.slack.client import Answer, SlackClient
from kronos_health.alerts.slack.render import SlackPayload, render, render_plain, render_resolved_parent
from kronos_health.alerts.slack.upload import stage
from kronos_health.domain.alerts import TransitionKind

EVENT_TYPE = "kronos_health_alert"
_CLOCK_SLACK = timedelta(minutes=10)  # how far Slack's clock and ours may differ
_PAGE, _MAX_PAGES = 200, 100
_READING_TIME = 3.0  # seconds Slack is given to read a picture before a message shows it
_PICTURE_ATTEMPTS = 4  # then the message goes without
_CONVERSATION_ID = re.compile(r"[CGD][A-Z0-9]{5,}")


class SlackChannel(Channel):
    """One message per episode; it shows how the alert stands, later ones answer in its thread, and it turns green.

    The external id of a message is ``<conversation>:<ts>``. Reading back needs the conversation's id: where only a
    name is configured, it is known once one message was delivered.
    """

    name = "slack"
    pace_seconds = 1.0  # Slack: one message a second per channel
    refreshes = True

    def __init__(self, client: SlackClient, conversation: str, page_url: str = "", interactive: bool = False) -> None:
        self._client = client
        self._conversation = conversation
        self._page_url = page_url
        self._interactive = interactive  # somebody listens to buttons

    def send(self, parcel: Parcel) -> Outcome:
        """Post the message; one that ends an episode first turns the episode's first message green.

        Updates may be repeated without harm, so a failure of one leaves the whole parcel surely not delivered.
        """
        if parcel.message.transition is TransitionKind.REFRESHED:
            return self._refresh(parcel)
        if parcel.png and not parcel.staged and not parcel.plain and parcel.attempts <= _PICTURE_ATTEMPTS:
            staged = self._stage(parcel, parcel.png)
            if staged is not None:
                return staged
        if parcel.message.transition is TransitionKind.RESOLVED and parcel.parent_id and parcel.parent:
            updated = self._turn_green(parcel, parcel.parent_id)
            if updated is not None:
                return updated
        outcome = self._post(parcel, parcel.parent_id)
        if outcome.verdict is Verdict.PAYLOAD and parcel.staged and not parcel.plain:
            if parcel.attempts <= _PICTURE_ATTEMPTS:  # it may still be reading the picture
                return Outcome(Verdict.REFUSED, error=f"{outcome.error}: the picture cannot be shown yet")
            outcome = self._post(replace(parcel, staged=None), parcel.parent_id)
        if outcome.verdict is Verdict.PARENT_GONE and parcel.parent_id:
            return replace(self._post(parcel, None), orphaned=True)
        return outcome

    def _stage(self, parcel: Parcel, png: bytes) -> Outcome | None:
        """Bring the picture along; ``None`` where the message is to go without it."""
        assert parcel.message.picture is not None  # noqa: S101 - for the type checker: there is a PNG
        staged = stage(self._client, parcel.message.picture, png)
        if not isinstance(staged, Outcome):
            return Outcome(Verdict.STAGED, staged=staged, retry_after=_READING_TIME)
        if staged.error.startswith("missing_scope") or staged.verdict in (Verdict.PAYLOAD, Verdict.REFUSED):
            return None  # the words matter more
        return self._surely_not(staged, "the picture")

    def _refresh(self, parcel: Parcel) -> Outcome:
        """Let the first message of the episode show how the alert stands; one that is gone shows nothing."""
        if not parcel.parent_id:
            return Outcome(Verdict.DELIVERED)
        reference = parcel.reference if self._interactive else ""
        payload = render_plain(parcel.message) if parcel.plain else render(parcel.message, self._page_url, reference)
        answer = self._update(parcel.parent_id, payload)
        if not isinstance(answer, Outcome) or answer.verdict in (Verdict.PARENT_GONE, Verdict.REFUSED):
            return Outcome(Verdict.DELIVERED)
        return self._surely_not(answer, "chat.update")

    def _update(self, external_id: str, payload: SlackPayload) -> Answer | Outcome:
        conversation, ts = _split(external_id)
        return self._client.call("chat.update", json={"channel": conversation, "ts": ts, **_content(payload)})

    @staticmethod
    def _surely_not(outcome: Outcome, what: str) -> Outcome:
        """What may be repeated without harm is not delivered, even if it may have worked."""
        if outcome.verdict is Verdict.UNKNOWN:
            return Outcome(Verdict.NOT_DELIVERED, error=f"{what}: {outcome.error}")
        return outcome

    def _turn_green(self, parcel: Parcel, parent_id: str) -> Outcome | None:
        assert parcel.parent is not None  # noqa: S101 - for the type checker; send() looked
        payload = (
            SlackPayload(render_resolved_parent(parcel.parent, parcel.message).text)
            if parcel.plain
            else render_resolved_parent(
                parcel.parent, parcel.message, self._page_url, parcel.reference if self._interactive else ""
            )
        )
        answer = self._update(parent_id, payload)
        if not isinstance(answer, Outcome) or answer.verdict is Verdict.PARENT_GONE:
            return None
        return self._surely_not(answer, "chat.update")

    def _post(self, parcel: Parcel, parent_id: str | None) -> Outcome:
        # Buttons stand under the first message only; it is the one that shows what came of pressing them.
        reference = parcel.id if self._interactive and not parent_id else ""
        payload = (
            render_plain(parcel.message)
            if parcel.plain
            else render(parcel.message, self._page_url, reference, parcel.staged or "")
        )
        body: dict[str, Any] = {
            "channel": self._conversation,
            **_content(payload),
            "unfurl_links": False,
            "unfurl_media": False,
            "client_msg_id": parcel.id,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"id": parcel.id}},
        }
        if parent_id:
            conversation, ts = _split(parent_id)
            body |= {"channel": conversation, "thread_ts": ts}
        answer = self._client.call("chat.postMessage", json=body)
        if isinstance(answer, Outcome):
            return answer
        if not answer.get("ts") or not answer.get("channel"):
            return Outcome(Verdict.UNKNOWN, error="Slack's answer names no message")
        return Outcome(Verdict.DELIVERED, external_id=f"{answer['channel']}:{answer['ts']}")

    def find(self, parcel: Parcel) -> Outcome:
        """Look for the parcel's id in the thread it belongs to, or in the channel."""
        if parcel.message.transition is TransitionKind.REFRESHED:
            return Outcome(Verdict.ABSENT)  # done again without harm
        conversation = self._address(parcel)
        if conversation is None:
            return Outcome(Verdict.UNREADABLE, error="slack.channel is a name; only by its id (C…) can it be read back")
        if parcel.parent_id:
            thread, ts = _split(parcel.parent_id)
            outcome = self._search("conversations.replies", {"channel": thread, "ts": ts}, parcel, thread)
            if outcome.verdict is not Verdict.PARENT_GONE:
                return outcome
        return self._search("conversations.history", {"channel": conversation}, parcel, conversation)

    def _address(self, parcel: Parcel) -> str | None:
        if _CONVERSATION_ID.fullmatch(self._conversation):
            return self._conversation
        return _split(parcel.known_address)[0] if parcel.known_address else None

    def _search(self, method: str, where: dict[str, Any], parcel: Parcel, conversation: str) -> Outcome:
        oldest = ((parcel.since or datetime.now(UTC)) - _CLOCK_SLACK).timestamp()
        params = {**where, "include_all_metadata": True, "limit": _PAGE, "oldest": f"{oldest:.6f}", "inclusive": True}
        for page in self._pages(method, params):
            if isinstance(page, Outcome):
                return _readable(page)
            for message in page.get("messages") or ():
                if parcel.id in _identities(message):
                    return Outcome(Verdict.DELIVERED, external_id=f"{conversation}:{message['ts']}")
        return Outcome(Verdict.ABSENT)

    def _pages(self, method: str, params: dict[str, Any]) -> Iterator[Answer | Outcome]:
        for _page in range(_MAX_PAGES):
            answer = self._client.call(method, params=params)
            yield answer
            if isinstance(answer, Outcome):
                return
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            params = {**params, "cursor": cursor}
        yield Outcome(Verdict.UNREADABLE, error=f"more than {_PAGE * _MAX_PAGES:,} messages since the first attempt")

    def check(self) -> ChannelCheck:
        """Ask Slack whether the token holds, and whether the channel can be read."""
        answer = self._client.call("auth.test", params={})
        if isinstance(answer, Outcome):
            return ChannelCheck(False, _sentence(answer))
        who = f"{answer.get('user', 'the app')} in {answer.get('team', 'the workspace')}"
        if not _CONVERSATION_ID.fullmatch(self._conversation):
            return ChannelCheck(True, f"{who}; {self._conversation} is a name and was not looked up")
        history = self._client.call("conversations.history", params={"channel": self._conversation, "limit": 1})
        if not isinstance(history, Outcome):
            return ChannelCheck(True, f"{who}, posting to {self._conversation}")
        if history.error.startswith("missing_scope"):
            return ChannelCheck(True, f"{who}; without channels:history a lost answer may double a message")
        return ChannelCheck(False, _sentence(history))


def _content(payload: SlackPayload) -> dict[str, Any]:
    # An empty list, not its absence, makes chat.update drop the coloured form.
    return {"text": payload.text, "attachments": list(payload.attachments)}


def _split(external_id: str) -> tuple[str, str]:
    conversation, _, ts = external_id.partition(":")
    return conversation, ts


def _identities(message: Any) -> tuple[object, object]:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return payload.get("id"), message.get("client_msg_id")


def _readable(problem: Outcome) -> Outcome:
    """A missing scope to read is no reason to stop posting: the message goes out again, perhaps doubled."""
    if problem.error.startswith("missing_scope"):
        return Outcome(Verdict.UNREADABLE, error=f"cannot look whether it arrived: {problem.error}")
    return problem


def _sentence(outcome: Outcome) -> str:
    return f"Slack says {outcome.error}. {outcome.advice}".strip()
