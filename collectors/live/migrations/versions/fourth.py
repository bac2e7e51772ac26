"""Several collectors on one database: who tells the signals, and what the others have taken in meanwhile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table of moved orders, and the note that every intake reads and that must therefore be there."""
    op.create_table(
        "moved",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("order_number", sa.BigInteger, nullable=False, index=True),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    notes = sa.table("notes", sa.column("name", sa.Text), sa.column("value", sa.Text))
    op.bulk_insert(notes, [{"name": "signals", "value": "0"}])


def downgrade() -> None:
    """Drop the table of moved orders."""
    op.drop_table("moved")
    op.execute("DELETE FROM notes WHERE name = 'signals'")
