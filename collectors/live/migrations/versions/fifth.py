"""A maintenance window that was declared by mistake is withdrawn, and what it was is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add when and why a window was withdrawn."""
    op.add_column("maintenance", sa.Column("withdrawn_at", sa.BigInteger, nullable=True))
    op.add_column("maintenance", sa.Column("withdrawn_why", sa.Text, nullable=True))


def downgrade() -> None:
    """Forget it; windows that were withdrawn must not come back."""
    op.execute("DELETE FROM maintenance WHERE withdrawn_at IS NOT NULL")
    op.drop_column("maintenance", "withdrawn_why")
    op.drop_column("maintenance", "withdrawn_at")
