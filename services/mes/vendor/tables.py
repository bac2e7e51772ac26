"""The vendor's own tables. The adapter never reads them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, SmallInteger, Table, Text, text

from services.columns import Number

# Written out wherever it is asked for, not bound: only so do planners see that the partial index serves.
OPEN_WORK: Final = text("state BETWEEN 40 AND 70")
TO_CALCULATE: Final = text("state <= 20")

metadata = MetaData()

orders = Table(
    "vendor_orders",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("reference", Text, nullable=False, unique=True),
    Column("product", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("model_hash", Text),
    Column("model_bytes", BigInteger),
    Column("due_ms", BigInteger),
    Column("state", SmallInteger, nullable=False),
    Column("state_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("queued", BigInteger, nullable=False),
    Column("percent", SmallInteger, nullable=False, server_default="0"),
    Column("calculation_from_ms", BigInteger),
    Column("calculation_takes_ms", BigInteger),
    Column("price", Text),
    Column("currency", Text),
    Column("valid_ms", BigInteger),
    Column("reason", Text),
    Column("operator", Text),
    Index("vendor_orders_changed", "changed_ms", "number"),
    Index("vendor_orders_calculation", "queued", sqlite_where=TO_CALCULATE, postgresql_where=TO_CALCULATE),
    Index("vendor_orders_work", "operator", "due_ms", "number", sqlite_where=OPEN_WORK, postgresql_where=OPEN_WORK),
)

changes = Table(
    "vendor_changes",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("order_number", BigInteger, nullable=False),
    Column("reference", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("percent", SmallInteger),
    Column("price", Text),
    Column("currency", Text),
    Column("valid_ms", BigInteger),
    Column("reason", Text),
)

# One row: the last number of the journal. Its lock makes the system do one thing at a time.
journal = Table(
    "vendor_journal",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)

requests = Table("vendor_requests", metadata, Column("key", Text, primary_key=True))

operators = Table(
    "vendor_operators",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("skills", Text, nullable=False),
    Column("at_work", Boolean, nullable=False),
    Column("capacity", SmallInteger, nullable=False),
    Column("lead", Boolean, nullable=False),
)

moves = Table(
    "vendor_moves",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("reference", Text, nullable=False),
    Column("previous", Text),
    Column("operator", Text),
    Column("moved_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("vendor_moves_reference", "reference", "number"),
)
