"""Alembic's entry: migrate over the connection that the collector hands in."""

from __future__ import annotations

from alembic import context

from collectors.live.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
