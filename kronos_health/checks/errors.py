"""What a use case refuses, apart from what it needs: a face may import this before it knows which use case it is."""

from __future__ import annotations


class CheckError(Exception):
    """A use case was asked for something that does not exist or cannot be done; the text says what to do instead."""
