"""Next steps: commands to paste, with what cannot be said in them as their comment."""

from __future__ import annotations

import shlex

from kronos_health.settings.command import PROGRAM


def command(*words: str, note: str = "") -> str:
    """``kronos-health WORDS  # note``, every word quoted for a shell where it needs to be."""
    text = f"{PROGRAM} {shlex.join(words)}"
    return f"{text}  # {' '.join(note.split())}" if note else text
