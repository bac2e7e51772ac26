"""The first schema of the shop."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "shop_0001"
down_revision = None
branch_labels = ("shop",)
depends_on = None


def upgrade() -> None:
    """Create every table."""
    _catalogue()
    _models()
    _orders()
    _accounts()
    op.create_table(
        "requests",
        sa.Column("customer", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _catalogue() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "product", "description")),
        *(sa.Column(name, sa.Text) for name in ("model", "amount", "currency")),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    op.create_table(
        "catalogue",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
    )
    op.create_table(
        "uploads",
        sa.Column("customer", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text) for name in ("customer", "customer_name")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("channel", "product")),
        *(sa.Column(name, sa.Text) for name in ("model", "item", "note")),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("promised_at", sa.BigInteger),
        sa.Column("status", sa.Text),
        sa.Column("since", sa.BigInteger),
        sa.Column("source", sa.Text),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("progress", sa.Float),
        *(sa.Column(name, sa.Text) for name in ("reason", "amount", "currency")),
        sa.Column("valid_until", sa.BigInteger),
        sa.Column("answer", sa.Text),
        sa.Column("answered_to", sa.BigInteger),
        sa.Column("cancel_asked_at", sa.BigInteger),
    )
    op.create_index("orders_of_customer", "orders", ["customer", "placed_at", "id"])
    op.create_table(
        "order_statuses",
        sa.Column("order", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("progress", sa.Float),
        *(sa.Column(name, sa.Text) for name in ("amount", "currency")),
        sa.Column("valid_until", sa.BigInteger),
        *(sa.Column(name, sa.Text) for name in ("reason", "by")),
    )


def _accounts() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "customers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "password_hash")),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("standing", sa.Text, nullable=False, server_default="good"),
    )
    op.create_table(
        "customer_sessions",
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Text, sa.ForeignKey("customers.id", ondelete="CASCADE"), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
    )
    op.create_index("customer_sessions_expiry", "customer_sessions", ["expires_at"])
    op.create_index("customer_sessions_customer", "customer_sessions", ["customer_id"])


def downgrade() -> None:
    """Drop every table."""
    for name in (
        "customer_sessions",
        "customers",
        "requests",
        "order_statuses",
        "orders",
        "uploads",
        "models",
        "catalogue",
        "items",
    ):
        op.drop_table(name)
