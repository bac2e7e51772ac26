"""The first schema: requests, measurings with their slabs, and the caches of quotes and pictures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pricing_0001"
down_revision = None
branch_labels = ("pricing",)
depends_on = None


def upgrade() -> None:
    """Create every table."""
    _requests()
    _measurings()
    _slabs()
    _caches()


def _texts(*names: str, key: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, primary_key=key) for name in names]


def _claimable() -> list[sa.Column[int] | sa.Column[str]]:
    counts = [
        sa.Column(name, kind, nullable=False, server_default="0")
        for name, kind in (("turn", sa.Integer), ("failures", sa.SmallInteger), ("losses", sa.SmallInteger))
    ]
    return [
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.Text),
        *counts,
        sa.Column("closed_at", sa.BigInteger),
    ]


def _requests() -> None:
    op.create_table(
        "pricing_requests",
        *_texts("id", key=True),
        *_texts("order_id", "key", "class", "alloy", "reply_to"),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("terms", sa.Text),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("traceparent", sa.Text),
        sa.Column("done_at", sa.BigInteger),
        sa.Column("outcome", sa.Text),
    )
    _partial("pricing_requests_key", "pricing_requests", ["key"], "done_at IS NULL")
    _partial("pricing_requests_class", "pricing_requests", ["class", "asked_at"], "done_at IS NULL")


def _measurings() -> None:
    op.create_table(
        "pricing_measurings",
        *_texts("key", key=True),
        *_texts("model", "class", "stage"),
        sa.Column("unit", sa.Text),
        *_claimable(),
        sa.Column("begun_at", sa.BigInteger),
        sa.Column("progress", sa.Float, nullable=False, server_default="0"),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("triangles", sa.BigInteger),
        *[sa.Column(name, sa.Text) for name in ("prepared", "result", "reason")],
    )
    _partial("pricing_measurings_open", "pricing_measurings", ["class", "asked_at"], "closed_at IS NULL")


def _slabs() -> None:
    op.create_table(
        "pricing_slabs",
        *_texts("key", key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first", sa.Integer, nullable=False),
        sa.Column("last", sa.Integer, nullable=False),
        *_claimable(),
        sa.Column("output", sa.Text),
    )
    _partial("pricing_slabs_open", "pricing_slabs", ["asked_at", "number"], "closed_at IS NULL")


def _caches() -> None:
    op.create_table(
        "pricing_quotes",
        *_texts("key", "materials", "alloy", key=True),
        sa.Column("quantity", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("terms", key=True),
        *_texts("document"),
    )
    op.create_table("pricing_pictures", *_texts("key", "marks", key=True), sa.Column("name", sa.Text))


def _partial(name: str, table: str, columns: list[str], rows: str) -> None:
    chosen = sa.text(rows)
    op.create_index(name, table, columns, sqlite_where=chosen, postgresql_where=chosen)
