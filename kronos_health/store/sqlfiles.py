"""(placeholder until history's builder lands) views and queries from sql/."""

from __future__ import annotations


def views(dialect: str) -> list[tuple[str, str]]:
    """Views of ``dialect`` in the order they are created."""
    return []
