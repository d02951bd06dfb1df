"""Alembic's entry: migrations run on the connection that :func:`kronos_health.store.migrations.upgrade` opened."""

from alembic import context

from kronos_health.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot alter columns in place
    user_module_prefix="store_types.",
    transaction_per_migration=False,
)
context.run_migrations()
