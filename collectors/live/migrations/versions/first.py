"""The first schema of the collector."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    _events()
    _orders()
    op.create_table(
        "totals",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("arrived_at", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.Text, nullable=False),
    )
    op.create_table(
        "followed",
        sa.Column("path", sa.Text, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("inode", "position", "generation")),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("header", sa.Text),
    )
    op.create_table(
        "notes",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("arrival", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("order_number", sa.BigInteger, nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("attributes", sa.Text),
        sa.UniqueConstraint("source", "id"),
    )


def _orders() -> None:
    counts = ("events", "unknown", "repeats", "skewed")
    op.create_table(
        "orders",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("settled", sa.SmallInteger, nullable=False, server_default="-1"),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in counts),
        sa.Column("gap", sa.SmallInteger, nullable=False, server_default="0"),
        *(sa.Column(name, sa.BigInteger) for name in ("start_at", "end_at", "cancelled_at")),
        sa.Column("tail_stage", sa.SmallInteger, nullable=False, server_default="-1"),
        *(sa.Column(name, sa.BigInteger) for name in ("tail_from", "stage_since")),
        sa.Column("last_rank", sa.Float, nullable=False, server_default="-1"),
        sa.Column("last_at", sa.BigInteger),
        sa.Column("attributes", sa.Text, nullable=False, server_default="{}"),
        sa.Column("stages", sa.LargeBinary),
    )
    for name, column, where in (
        ("orders_in_flight", "number", sa.text("settled = 4")),
        ("orders_ended", "end_at", sa.text("settled in (2, 3)")),
    ):
        op.create_index(name, "orders", [column], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop every table."""
    for name in ("notes", "followed", "quarantine", "totals", "orders", "events"):
        op.drop_table(name)
