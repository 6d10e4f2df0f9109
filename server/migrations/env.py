"""Alembic's way in: with the connection that `server.migrations.upgrade` holds, or through `flask db`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from server.models import metadata


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif "connection" in context.config.attributes:
    _run(context.config.attributes["connection"])
else:
    from flask import current_app

    from server.store.database import write

    with write(current_app.extensions["dishu"].engine) as _connection:
        _run(_connection)
