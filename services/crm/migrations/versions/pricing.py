"""What pricing says of an order: size, alloy and unit of its model, the problems that were found, and a picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "crm_0002"
down_revision = "crm_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of orders of the past nothing of it is known."""
    op.add_column("files", sa.Column("model_bytes", sa.BigInteger))
    for name in ("alloy", "unit", "problems", "picture"):
        op.add_column("files", sa.Column(name, sa.Text))
