"""Messages that tell several alerts, kept up to date: each of their lines shows how its alert stands.

As with first messages (:mod:`kronos_health.alerts.standing`), whoever delivers compares what each shows with how things
stand. An episode that was shown to be over stays so: what begins anew is another episode, with a message of its own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection

from kronos_health.alerts.grouping import readable
from kronos_health.alerts.listing import Episode, Stand, listed_anew
from kronos_health.alerts.messages import from_json, to_json
from kronos_health.alerts.standing import standing_of
from kronos_health.domain.alerts import AlertState, Standing
from kronos_health.domain.silences import Silence
from kronos_health.settings.command import spelled
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as store
from kronos_health.store import outbox, together
from kronos_health.store import silences as silence_store
from kronos_health.store.alerts import StoredAlert
from kronos_health.store.together import Followed

_AT_ONCE = 200  # messages looked after in one run; the rest follow in the next
_AFTERWARDS = "kronos-health query alert_timeline  # nothing to do: this is how it went"


def queue_lists(connection: Connection, channels: Collection[str], settings: Settings, now: datetime) -> int:
    """Have every message that tells several alerts show how they stand, where it shows something else.

    Called by whoever delivers. One query where nothing is followed; returns how many are to be shown anew.
    """
    followed = together.followed(connection, channels) if channels else ()
    if not followed:
        return 0
    held = {stored.alert.fingerprint: stored for stored in store.open_alerts(connection)}
    silences, afterwards = silence_store.active(connection, now), spelled(_AFTERWARDS, settings)
    count = 0
    for one in followed:
        if count >= _AT_ONCE:
            break
        count += _show(connection, one, _stands(connection, one, held, silences, now), afterwards, now)
    return count


def _stands(
    connection: Connection,
    one: Followed,
    held: Mapping[str, StoredAlert],
    silences: Sequence[Silence],
    now: datetime,
) -> dict[Episode, Stand]:
    stands = _shown_as_over(one)
    over = []
    for episode in one.episodes:
        stored = held.get(episode[0])
        if episode in stands:
            continue
        if stored is not None and stored.alert.episode == episode[1]:
            stands[episode] = Stand(standing_of(stored, silences))
        else:
            over.append(episode)
    ends = together.ends(connection, over)
    for episode in over:
        end = ends.get(episode)
        standing = Standing(AlertState.OK, end.occurrences if end else 0)
        stands[episode] = Stand(standing, end.at if end else now)
    return {episode: stands[episode] for episode in one.episodes}


def _show(connection: Connection, one: Followed, stands: dict[Episode, Stand], afterwards: str, now: datetime) -> bool:
    wanted = _digest(stands)
    over = all(stand.ended_at is not None for stand in stands.values())
    queued = one.shown != wanted and _queue(connection, one.id, stands, wanted, afterwards, now)
    if over:
        together.note_over(connection, one.id, now)
    return queued


def _queue(
    connection: Connection, row_id: str, stands: dict[Episode, Stand], wanted: str, afterwards: str, now: datetime
) -> bool:
    carrier = outbox.by_id(connection, row_id)
    if carrier is None:
        return False
    try:
        posted = from_json(carrier.message)
    except ValueError:  # of a newer program: left as it is
        return False
    told = [one for _row, one in readable(together.told_by(connection, row_id))]
    anew = listed_anew(told, posted.title, stands, afterwards)
    if carrier.shown is None and replace(anew, transition=posted.transition) == posted:
        together.note_shown(connection, carrier, wanted)  # nothing happened since it was posted
        return False
    return together.show(connection, carrier, to_json(anew), wanted, now)


def _digest(stands: Mapping[Episode, Stand]) -> str:
    return json.dumps([[*episode, asdict(stand)] for episode, stand in stands.items()], default=str, sort_keys=True)


def _shown_as_over(one: Followed) -> dict[Episode, Stand]:
    """What it shows to be over; nothing where that was written by a program that wrote it otherwise."""
    try:
        shown = [(episode, stand) for *episode, stand in json.loads(one.shown or "[]") if stand["ended_at"]]
        return {
            (fingerprint, number): Stand(
                Standing(AlertState.OK, stand["standing"]["occurrences"]), datetime.fromisoformat(stand["ended_at"])
            )
            for (fingerprint, number), stand in shown
        }
    except (ValueError, TypeError, KeyError):
        return {}
