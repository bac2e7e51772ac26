"""When each call to the vendor began to be owed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "mes_0003"
down_revision = "mes_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the moment; of the calls that are there already nobody knows it."""
    op.add_column("adapter_calls", sa.Column("owed_at", sa.BigInteger))
