"""Events say how uncertain their time is, and pollers remember how far they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, the pollers' tables and the index of orders that lack an event."""
    where = sa.text("gap = 1")
    op.create_index("orders_with_gap", "orders", ["number"], sqlite_where=where, postgresql_where=where)
    op.add_column("events", sa.Column("uncertainty_us", sa.BigInteger))
    op.create_table(
        "polled",
        sa.Column("system", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "polled_orders",
        sa.Column("system", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("polled_orders")
    op.drop_table("polled")
    op.drop_index("orders_with_gap", "orders")
    op.drop_column("events", "uncertainty_us")
