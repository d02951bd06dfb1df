"""The chart that goes with the weekly digest. Without one, for whatever reason, the digest goes in words."""

from __future__ import annotations

import uuid
from datetime import timedelta

from kronos_health.checks.context import Context
from kronos_health.domain.alerts import Picture
from kronos_health.history.charts import latency_chart, latency_in_words
from kronos_health.store import pictures as store
from kronos_health.store.database import reading, writing

DAYS = 30
_NAMESPACE = uuid.UUID("b8f3b7a8-40a9-5c0b-8b52-35cbd3f3ad0b")  # drawn once, for the identities of pictures
_LARGEST = 4_000_000  # bytes; one is about fifty thousand


def draw_latency(context: Context, name: str) -> Picture | None:
    """Draw and keep the steady latency of the first target that has any; ``None`` when nothing was measured.

    ``name`` is what the picture is for (the digest's key): drawn again for the same, the first one stays.
    """
    now = context.now()
    for target in context.settings.probe.targets:
        with reading(context.engine) as connection:
            words = latency_in_words(connection, now, target, DAYS)
            if not words:
                continue
            cache = context.settings.state_dir / "cache" / "matplotlib"
            png = latency_chart(connection, now, target, DAYS, "png", cache)
        if len(png) > _LARGEST:
            return None
        since = now - timedelta(days=DAYS)
        picture = Picture(
            id=str(uuid.uuid5(_NAMESPACE, f"{name}\n{target}")),
            title=f"{target}: steady latency of one prediction, {since:%b %d} to {now:%b %d}",
            alt_text=f"Steady latency of one prediction of {target} over {DAYS} days. Last measured: {words}.",
        )
        with writing(context.engine) as connection:
            store.keep(connection, picture.id, png, now)
        return picture
    return None
