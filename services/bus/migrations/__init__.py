"""Alembic for every service that uses the bus: the environment, and the schema of the bus itself."""
