"""What can be wrong with a log or with the catalogue, in one line for people."""

from __future__ import annotations


class LogProblem(Exception):
    """A log cannot be read; the text names the file, what is wrong and what to do. Nothing of it is lost."""


class NoLog(LogProblem):
    """A file is no text log at all; in a folder full of logs that is no reason to worry."""


class CatalogueError(Exception):
    """The catalogue or a user's pattern cannot be used; the text names file, entry and key."""
