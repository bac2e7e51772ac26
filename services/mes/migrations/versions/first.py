"""The first schema: the vendor's tables, and the adapter's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "mes_0001"
down_revision = None
branch_labels = ("mes",)
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def upgrade() -> None:
    """Create every table."""
    _vendor_orders()
    _vendor_journal()
    _workshop()
    _adapter()


def _vendor_orders() -> None:
    op.create_table(
        "vendor_orders",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("reference", sa.Text, nullable=False, unique=True),
        *_texts("product", "channel"),
        sa.Column("model_hash", sa.Text),
        sa.Column("model_bytes", sa.BigInteger),
        sa.Column("due_ms", sa.BigInteger),
        sa.Column("state", sa.SmallInteger, nullable=False),
        *_integers("state_ms", "changed_ms", "queued"),
        sa.Column("percent", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("calculation_from_ms", sa.BigInteger),
        sa.Column("calculation_takes_ms", sa.BigInteger),
        sa.Column("price", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("valid_ms", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("operator", sa.Text),
    )
    op.create_index("vendor_orders_changed", "vendor_orders", ["changed_ms", "number"])
    _partial("vendor_orders_calculation", "vendor_orders", ["queued"], "state <= 20")
    _partial("vendor_orders_work", "vendor_orders", ["operator", "due_ms", "number"], "state BETWEEN 40 AND 70")


def _vendor_journal() -> None:
    op.create_table(
        "vendor_changes",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("order_number", sa.BigInteger, nullable=False),
        *_texts("reference"),
        sa.Column("state", sa.SmallInteger, nullable=False),
        *_integers("at_ms"),
        sa.Column("percent", sa.SmallInteger),
        sa.Column("price", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("valid_ms", sa.BigInteger),
        sa.Column("reason", sa.Text),
    )
    for name in ("vendor_journal", "adapter_feed"):
        op.create_table(
            name, sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False), *_integers("last")
        )
        op.execute(f"INSERT INTO {name} (id, last) VALUES (1, 0)")
    op.create_table("vendor_requests", sa.Column("key", sa.Text, primary_key=True))


def _workshop() -> None:
    op.create_table(
        "vendor_operators",
        sa.Column("id", sa.Text, primary_key=True),
        *_texts("name", "skills"),
        sa.Column("at_work", sa.Boolean, nullable=False),
        sa.Column("capacity", sa.SmallInteger, nullable=False),
        sa.Column("lead", sa.Boolean, nullable=False),
    )
    op.create_table(
        "vendor_moves",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        *_texts("reference"),
        sa.Column("previous", sa.Text),
        sa.Column("operator", sa.Text),
        *_texts("moved_by", "reason"),
        *_integers("at_ms"),
        sa.Index("vendor_moves_reference", "reference", "number"),
    )


def _adapter() -> None:
    op.create_table(
        "adapter_orders",
        sa.Column("order_id", sa.Text, primary_key=True),
        *_texts("facts"),
        sa.Column("status", sa.Text),
        sa.Column("since", sa.BigInteger),
        sa.Column("at", sa.BigInteger),
        sa.Column("source", sa.Text),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("traceparent", sa.Text),
        sa.Column("submitted", sa.Boolean, nullable=False),
        sa.Column("vendor_number", sa.BigInteger),
    )
    op.create_table(
        "adapter_calls",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        *_texts("order_id", "kind", "payload"),
        *_integers("due_at"),
        sa.Column("attempts", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("failure", sa.Text),
        sa.Column("done_at", sa.BigInteger),
        sa.Column("refused", sa.Boolean, nullable=False),
    )
    _partial("adapter_calls_due", "adapter_calls", ["due_at"], "done_at IS NULL")
    _partial("adapter_calls_order", "adapter_calls", ["order_id", "number"], "done_at IS NULL")


def _partial(name: str, table: str, columns: list[str], rows: str) -> None:
    chosen = sa.text(rows)
    op.create_index(name, table, columns, sqlite_where=chosen, postgresql_where=chosen)
