"""The first schema of the bus."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "bus_0001"
down_revision = None
branch_labels = ("bus",)
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "bus_streams",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    _outbox()
    op.create_table(
        "bus_pending",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("due_at", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "bus_inbox",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("consumer", "subject", "source")),
        sa.Column("applied", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "bus_held",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("consumer", "subject", "source")),
        sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("type", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("arrived_at", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.BigInteger, nullable=False, server_default="0"),
        *(sa.Column(name, sa.BigInteger) for name in ("due_at", "dead_at")),
        sa.Column("reason", sa.Text),
    )
    op.create_index("bus_pending_due", "bus_pending", ["due_at", "number"])
    op.create_index("bus_held_id", "bus_held", ["consumer", "id"])
    op.create_index("bus_held_due", "bus_held", ["consumer", "due_at"])


def _outbox() -> None:
    partitioned = op.get_bind().dialect.name == "postgresql"
    columns: list[sa.schema.SchemaItem] = [
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("traceparent", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
    ]
    if partitioned:
        # A partitioned table cannot number its own rows before PostgreSQL 17, and its key must hold what it is cut by.
        op.execute("CREATE SEQUENCE bus_outbox_position")
        position = sa.Column("position", sa.BigInteger, server_default=sa.text("nextval('bus_outbox_position')"))
        columns = [position, sa.Column("recorded_at", sa.BigInteger, nullable=False), *columns]
        key = sa.PrimaryKeyConstraint("position", "recorded_at")
        op.create_table("bus_outbox", *columns, key, postgresql_partition_by="RANGE (recorded_at)")
        op.execute("CREATE TABLE bus_outbox_rest PARTITION OF bus_outbox DEFAULT")
    else:
        position = sa.Column("position", sa.Integer, primary_key=True, autoincrement=True)
        recorded = sa.Column("recorded_at", sa.BigInteger, nullable=False)
        op.create_table("bus_outbox", position, recorded, *columns, sqlite_autoincrement=True)
    op.create_index("bus_outbox_stream", "bus_outbox", ["subject", "source", "sequence"])
