"""What pricing says of an order: its alloy, its unit, the problems that were found, and a picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "shop_0003"
down_revision = "shop_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of orders of the past nothing of it is known."""
    for name in ("alloy", "unit"):
        op.add_column("orders", sa.Column(name, sa.Text))
    for table in ("orders", "order_statuses"):
        for name in ("problems", "picture"):
            op.add_column(table, sa.Column(name, sa.Text))


def downgrade() -> None:
    """Take them away again."""
    for table in ("order_statuses", "orders"):
        for name in ("picture", "problems"):
            op.drop_column(table, name)
    for name in ("unit", "alloy"):
        op.drop_column("orders", name)
