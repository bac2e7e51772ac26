"""Decisions are recorded: which period the stages are judged against, and when maintenance is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables of decisions."""
    op.create_table(
        "reference_decisions",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("begin", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "maintenance",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("begin", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables of decisions."""
    op.drop_table("maintenance")
    op.drop_table("reference_decisions")
