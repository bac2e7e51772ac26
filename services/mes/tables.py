"""The adapter's tables: its copy of every order, the calls that it owes the vendor, and how far it read the journal."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, SmallInteger, Table, Text, text

from services.columns import Number

_OWED: Final = text("done_at IS NULL")

metadata = MetaData()

# Moments are microseconds since 1970 UTC. `at`, `source`, `sequence`: the event that the status is from.
orders = Table(
    "adapter_orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("facts", Text, nullable=False),
    Column("status", Text),
    Column("since", BigInteger),
    Column("at", BigInteger),
    Column("source", Text),
    Column("sequence", BigInteger),
    Column("traceparent", Text),
    Column("submitted", Boolean, nullable=False),
    Column("vendor_number", BigInteger),
)

calls = Table(
    "adapter_calls",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("order_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("failure", Text),
    Column("done_at", BigInteger),
    Column("refused", Boolean, nullable=False),
    Index("adapter_calls_due", "due_at", sqlite_where=_OWED, postgresql_where=_OWED),
    Index("adapter_calls_order", "order_id", "number", sqlite_where=_OWED, postgresql_where=_OWED),
)

feed = Table(
    "adapter_feed",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)
