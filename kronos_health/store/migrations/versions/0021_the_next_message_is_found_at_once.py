"""the next message is found at once, however many wait"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_OPEN = "state in ('pending', 'sending', 'unknown')"
_IN_ORDER = ["channel", "fingerprint", "episode", "sequence"]


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "outbox", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def upgrade() -> None:
    # Each message of a backlog cost a visit to, and a sort of, all that waited with it.
    op.drop_index("ix_outbox_due", "outbox")
    _index("ix_outbox_due", ["channel", "next_at", "created_at", "fingerprint", "episode", "sequence"], _OPEN)
    _index("ix_outbox_open_of_alert", _IN_ORDER, _OPEN)
    _index("ix_outbox_told_elsewhere", _IN_ORDER, "told_in is not null")
    _index("ix_outbox_leased", ["channel", "lease_until"], "state = 'sending'")
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"])


def downgrade() -> None:
    for name in ("sent_at", "leased", "told_elsewhere", "open_of_alert", "due"):
        op.drop_index(f"ix_outbox_{name}", "outbox")
    _index("ix_outbox_due", ["channel", "next_at"], _OPEN)
