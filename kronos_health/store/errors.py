"""What can go wrong with the database, in words for people."""

from __future__ import annotations


class StoreError(Exception):
    """Base of the store's errors; the text says what happened, where, and what to do."""


class DatabaseUnreachable(StoreError):
    """The database cannot be opened, is locked beyond the timeout, or went away."""


class SchemaOutdated(StoreError):
    """The schema is older than this program: ``kronos-health db upgrade`` mends it."""


class SchemaTooNew(StoreError):
    """The schema was made by a newer program: upgrade kronos-health, the data is left alone."""


class SwitchMoved(StoreError):
    """A proposal was answered or moved on by somebody else first; nothing of this answer was stored."""


class CursorMoved(StoreError):
    """Another scan moved the cursor first; nothing of this one was stored, and nothing is lost."""
