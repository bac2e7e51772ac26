"""Prices that are asked of the pricing workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "mes_0002"
down_revision = "mes_0001"
branch_labels = None
depends_on = None

_ASKED = sa.text("state = 'asked'")


def upgrade() -> None:
    """Create the table of requests, and note of each order when it was last spoken of, and who prices it."""
    op.create_table(
        "adapter_pricings",
        sa.Column("request", sa.Text, primary_key=True),
        sa.Column("cause", sa.Text, nullable=False, unique=True),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("heard_at", sa.BigInteger, nullable=False),
        sa.Column("progress", sa.Float),
        sa.Column("amount", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("valid_until", sa.BigInteger),
    )
    op.create_index("adapter_pricings_order", "adapter_pricings", ["order_id"])
    for name, column, unique in (("awaited", "order_id", True), ("late", "heard_at", False)):
        op.create_index(
            f"adapter_pricings_{name}",
            "adapter_pricings",
            [column],
            unique=unique,
            sqlite_where=_ASKED,
            postgresql_where=_ASKED,
        )
    op.add_column("adapter_orders", sa.Column("said_at", sa.BigInteger))
    op.add_column("adapter_orders", sa.Column("by_workers", sa.Boolean, nullable=False, server_default=sa.false()))
