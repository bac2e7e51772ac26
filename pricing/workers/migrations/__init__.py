"""The schema of the pricing workers, for Alembic."""
