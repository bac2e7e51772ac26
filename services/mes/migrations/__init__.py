"""The schema of the manufacturing system and its adapter, for Alembic."""
