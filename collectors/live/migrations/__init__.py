"""The collector's schema, step by step (Alembic)."""
