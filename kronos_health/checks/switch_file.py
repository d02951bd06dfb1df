"""What a proposal changes in production's settings file, and how it is written when a person said yes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kronos_health.checks.context import Context
from kronos_health.domain.switch import Switch, Values
from kronos_health.logs.masking import mask
from kronos_health.probe.variants import UnknownVariant, find_variant
from kronos_health.revisit.switching import File
from kronos_health.settings.models import Settings
from kronos_health.upstream import env_file
from kronos_health.upstream.env_file import Content, FileTrouble
from kronos_health.upstream.shell_edit import CannotEdit, edited, values_of


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the file: its content before and after, the variables as they are to be and as they are."""

    before: Content
    after: Content
    changes: Values
    former: Values

    def diff(self, path: Path) -> str:
        """Unified, with three lines around it; secrets in those lines are masked, line ends made visible as such."""
        lines = difflib.unified_diff(
            self.before.text.splitlines(), self.after.text.splitlines(), f"{path.name}", f"{path.name} (proposed)", "",
            "", lineterm="",
        )  # fmt: skip
        shown = "\n".join(lines).encode("utf-8", "replace").decode("utf-8")
        return mask(shown)


def variables(settings: Settings, target: str, variant: str) -> dict[str, str]:
    """What production's settings have to say to run ``target`` as ``variant``; empty where nobody knows."""
    known = settings.targets.get(target)
    own = known.compiled_env_in_force if known else {}
    return {**own, **settings.switch.carried.get(variant, {})}


def code_change(settings: Settings, variant: str) -> str | None:
    """What production's code would have to do first; ``None`` where it can run ``variant`` as it is."""
    if variant in settings.switch.carried:
        return None
    try:
        known = find_variant(variant)
    except UnknownVariant:
        return f"what {variant} does"
    return None if known.settings_suffice else known.production_change


def by_hand_because(settings: Settings, switch: Switch) -> str | None:
    """Why a person and not the checker writes the file; ``None`` where the checker does."""
    if not settings.switch.enabled:
        return "writing is off: [switch] enabled"
    needed = None if switch.is_way_back else code_change(settings, switch.variant)
    return f"production's code has to change first: {needed}" if needed else None


def plan(path: Path, changes: Mapping[str, str | None]) -> Change:
    """The change that sets ``changes``. Raises ``FileTrouble`` or ``CannotEdit``."""
    before = env_file.read(path)
    former = values_of(before.text, changes)
    after = Content(edited(before.text, changes))
    return Change(before, after, tuple(sorted(changes.items())), tuple(sorted(former.items())))


def plan_back(path: Path, undone: Switch) -> Change:
    """The way back: the backup, where nothing else was changed since, else only the variables as they were.

    Raises ``FileTrouble`` or ``CannotEdit``.
    """
    before = env_file.read(path)
    kept = _kept(undone) if before.sha256 == undone.after_sha256 else None
    after = kept or Content(edited(before.text, dict(undone.former)))
    return Change(before, after, undone.former, tuple(sorted(values_of(before.text, dict(undone.former)).items())))


def _kept(undone: Switch) -> Content | None:
    """The backup, if it is there and still what was backed up."""
    try:
        content = env_file.read(Path(undone.backup)) if undone.backup else None
    except FileTrouble:
        return None
    return content if content is not None and content.sha256 == undone.before_sha256 else None


def look(context: Context, switch: Switch) -> File:
    """What the file holds, as seen from ``switch``.

    The values count where they say more than the text: a person who applies the diff by hand may add a comment.
    """
    path = Path(switch.file)
    if context.settings.production.env_file != path:
        return File.UNREADABLE
    try:
        content = env_file.read(path)
        values = values_of(content.text, dict(switch.changes))
    except (FileTrouble, CannotEdit):
        return File.UNREADABLE
    if content.sha256 == switch.after_sha256 or values == dict(switch.changes):
        return File.AS_PROPOSED
    if switch.state.is_open:
        return File.AS_BEFORE if content.sha256 == switch.before_sha256 else File.OTHERWISE
    return File.AS_BEFORE if values == dict(switch.former) else File.OTHERWISE


def write(switch: Switch, undone: Switch | None) -> str | None:
    """Write what was approved, if the file is still what the person saw; why not, in words, or ``None``.

    Doing it again where it was done changes nothing.
    """
    path = Path(switch.file)
    try:
        content = env_file.read(path)
        if content.sha256 != switch.before_sha256:
            return None  # written already, or changed meanwhile: what follows sees which
        change = plan_back(path, undone) if undone else plan(path, dict(switch.changes))
        if change.after.sha256 != switch.after_sha256:
            return f"what would be written to {path} is not what was approved (its backup is gone); reject it"
        env_file.replace(path, change.before, change.after, Path(switch.backup or f"{path}.bak"))
    except (FileTrouble, CannotEdit) as trouble:
        return str(trouble)
    return None
