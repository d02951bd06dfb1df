"""Acting on alerts: acknowledge, silence, and the way back, each with its row in the audit trail, in one transaction.

The same for every face: the command line, Slack's buttons and the page call these functions. Each may be called again
(a button pressed twice, an answer that was lost): what is so already is not done and not noted twice.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from kronos_health.alerts import acts
from kronos_health.alerts.policy_step import OPEN
from kronos_health.alerts.text import clean_line, moment, shorten
from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.domain.alerts import Alert, AlertDecision, AlertState
from kronos_health.domain.matching import Matcher, parse_matcher
from kronos_health.domain.silences import ActionKind, Silence, Via
from kronos_health.store import alerts as alert_store
from kronos_health.store import silences as store
from kronos_health.store.alerts import StoredAlert
from kronos_health.store.database import writing
from kronos_health.store.types import new_id

_SAME = timedelta(minutes=1)  # two silences whose ends lie closer are one: a button pressed twice
_LONGEST = timedelta(days=366)
_WHO, _COMMENT, _MATCHERS = 200, 2_000, 20


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of it. ``changed`` is false where it was so already; ``sentence`` says it to people."""

    changed: bool
    sentence: str
    alert: Alert | None = None
    silence: Silence | None = None


def acknowledge(
    context: Context, fingerprint: str, who: str, via: Via, *, episode: int | None = None, at: datetime | None = None
) -> Acted:
    """``who`` takes an open alert on: no reminder or escalation until its episode is over or gets worse.

    ``episode``, where given, must be the one that is open: a button under an old message acknowledges nothing new.
    ``at`` defaults to now. Raises ``CheckError``: no such alert, not open, another episode.
    """
    return _act(context, fingerprint, who, via, episode, at, ActionKind.ACKNOWLEDGE, acts.acknowledge)


def unacknowledge(
    context: Context, fingerprint: str, who: str, via: Via, *, episode: int | None = None, at: datetime | None = None
) -> Acted:
    """Take an acknowledgement back, on the same terms as :func:`acknowledge`."""
    return _act(context, fingerprint, who, via, episode, at, ActionKind.UNACKNOWLEDGE, acts.unacknowledge)


def _act(
    context: Context,
    fingerprint: str,
    who: str,
    via: Via,
    episode: int | None,
    at: datetime | None,
    kind: ActionKind,
    decide: Callable[[Alert, str, datetime], AlertDecision],
) -> Acted:
    who, now = _person(who), at or context.now()
    with writing(context.engine) as connection:
        held = _open(connection, fingerprint, episode)
        decision = decide(held.alert, who, now)
        if not decision.transitions:
            return Acted(False, f"{held.title}: {decision.reason} already.", held.alert)
        alert_store.save_alert(connection, replace(held, alert=decision.next))
        for step in decision.transitions:
            alert_store.add_transition(connection, fingerprint, step)
        detail = f"episode {held.alert.episode}: {held.title}"
        store.note(connection, kind, who, via, now, fingerprint=fingerprint, detail=detail)
    return Acted(True, f"{held.title}: {decision.reason}.", decision.next)


def _open(connection: Connection, fingerprint: str, episode: int | None) -> StoredAlert:
    held = alert_store.lock_alerts(connection, [fingerprint]).get(fingerprint)
    if held is None or not held.alert.episode:
        known = [stored.alert.fingerprint for stored in alert_store.open_alerts(connection)]
        near = difflib.get_close_matches(fingerprint, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else " Those that are open: kronos-health alerts"
        raise CheckError(f"there is no alert {shorten(clean_line(fingerprint), 200)!r}.{hint}")
    if episode is not None and episode != held.alert.episode:
        raise CheckError(
            f"that was episode {episode} of {fingerprint}; by now there was an episode {held.alert.episode}."
        )
    if held.alert.state not in OPEN:
        over = f" It ended at {moment(held.alert.resolved_at)}." if held.alert.resolved_at else ""
        raise CheckError(f"the alert {fingerprint} is not open ({_word(held.alert.state)}).{over} Nothing was done.")
    return held


def _word(state: AlertState) -> str:
    return "nobody was told yet: it has to last" if state is AlertState.PENDING else "all is well"


def silence(
    context: Context,
    matchers: Sequence[str | Matcher],
    until: datetime,
    author: str,
    comment: str,
    via: Via,
    *,
    at: datetime | None = None,
) -> Acted:
    """Let no matching alert be sent until ``until`` (aware); what is bad then is said then.

    ``matchers`` are written as in :mod:`kronos_health.domain.matching`. A silence in force with the same matchers is
    extended, or left alone where it lasts as long. Raises ``CheckError``: no matcher, one that cannot be read, an end
    in the past or more than a year away.
    """
    author, now = _person(author), at or context.now()
    wanted = _matchers(matchers)
    comment = shorten(clean_line(comment), _COMMENT)
    if until <= now:
        raise CheckError(f"a silence until {moment(until)} would be over already: it is {moment(now)}.")
    if until - now > _LONGEST:
        raise CheckError("a silence lasts a year at most; what nobody wants to hear of belongs into [[alerts.routes]].")
    with writing(context.engine) as connection:
        same = next((one for one in store.active(connection, now) if set(one.matchers) == set(wanted)), None)
        if same is not None and same.ends_at + _SAME >= until:
            return Acted(False, f"{same.author} has silenced that already, until {moment(same.ends_at)}.", silence=same)
        if same is not None:
            return _extend(connection, same, until, author, via, now)
        made = Silence(new_id(), wanted, now, until, author, comment, via)
        store.add(connection, made)
        detail = f"{_written(wanted)} until {moment(until)}" + (f": {comment}" if comment else "")
        store.note(connection, ActionKind.SILENCE, author, via, now, silence_id=made.id, detail=detail)
    return Acted(True, f"Silenced until {moment(until)}: {_written(wanted)} (silence {made.id}).", silence=made)


def _extend(connection: Connection, same: Silence, until: datetime, who: str, via: Via, now: datetime) -> Acted:
    store.end(connection, same.id, until)
    detail = f"{_written(same.matchers)} until {moment(until)} instead of {moment(same.ends_at)}"
    store.note(connection, ActionKind.EXTEND_SILENCE, who, via, now, silence_id=same.id, detail=detail)
    longer = replace(same, ends_at=until)
    return Acted(True, f"The silence {same.id} lasts until {moment(until)} now.", silence=longer)


def expire_silence(context: Context, silence_id: str, who: str, via: Via, *, at: datetime | None = None) -> Acted:
    """End a silence now; what is bad is said at the next look. One that is over stays so.

    Raises ``CheckError`` when there is no such silence.
    """
    who, now = _person(who), at or context.now()
    with writing(context.engine) as connection:
        found = store.find(connection, silence_id)
        if found is None:
            name = shorten(clean_line(silence_id), 60)
            raise CheckError(f"there is no silence {name!r}. Those in force: kronos-health alerts silences")
        if found.ends_at <= now:
            return Acted(False, f"The silence {found.id} has ended already, at {moment(found.ends_at)}.", silence=found)
        store.end(connection, found.id, now)
        alert_store.make_due(connection, found.id, now)
        detail = _written(found.matchers)
        store.note(connection, ActionKind.EXPIRE_SILENCE, who, via, now, silence_id=found.id, detail=detail)
    return Acted(True, f"The silence {found.id} is over: {detail}.", silence=replace(found, ends_at=now))


def _matchers(written: Sequence[str | Matcher]) -> tuple[Matcher, ...]:
    if not written:
        raise CheckError("a silence needs at least one matcher, e.g. kind=log_errors or source=prod*.")
    if len(written) > _MATCHERS:
        raise CheckError(f"a silence takes at most {_MATCHERS} matchers; write several silences.")
    try:
        return tuple(parse_matcher(str(one)) for one in written)
    except ValueError as error:
        raise CheckError(str(error)) from error


def _written(matchers: Sequence[Matcher]) -> str:
    return " ".join(str(matcher) for matcher in matchers)


def _person(who: str) -> str:
    """Who acts, fit for a row and for one line."""
    return shorten(clean_line(who), _WHO) or "somebody"
