"""When models were brought, which of them are cold, and uploads that go straight to the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "shop_0002"
down_revision = "shop_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the store of models needs to know."""
    op.add_column("models", sa.Column("at", sa.BigInteger))
    op.add_column("models", sa.Column("cold", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("orders_of_model", "orders", ["model"])
    op.create_index("uploads_of_model", "uploads", ["model"])
    op.create_table(
        "direct_uploads",
        *(sa.Column(name, sa.Text, primary_key=name == "upload", nullable=False) for name in ("upload", "customer")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("key", "remote")),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("parts", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text),
    )
    op.create_index("direct_uploads_of_customer", "direct_uploads", ["customer"])
    op.create_index("direct_uploads_expiry", "direct_uploads", ["expires_at"])


def downgrade() -> None:
    """Take it away again."""
    op.drop_table("direct_uploads")
    op.drop_index("uploads_of_model", "uploads")
    op.drop_index("orders_of_model", "orders")
    op.drop_column("models", "cold")
    op.drop_column("models", "at")
