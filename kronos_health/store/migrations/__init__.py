"""The schema's history (Alembic) and the one way to bring a database up to date.

Views are not part of a revision: they are dropped before and recreated after every upgrade from ``sql/views``.
"""

from kronos_health.store.migrations.revision import Revisions, check, revisions
from kronos_health.store.migrations.run import upgrade

__all__ = ["Revisions", "check", "revisions", "upgrade"]
