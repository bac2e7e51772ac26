"""The adapter's tables: its copy of orders, the prices that it awaits, what it owes the vendor, how far it read."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, MetaData, SmallInteger, Table, Text, false, text

from services.columns import Number

_OWED: Final = text("done_at IS NULL")
# Written out wherever it is asked for, not bound: only so do planners see that the partial indexes serve.
ASKED: Final = text("state = 'asked'")

metadata = MetaData()

# Moments are microseconds since 1970 UTC. `at`, `source`, `sequence`: the event that the status is from. `said_at`: the
# time of the last status that this system said itself. `by_workers`: the pricing workers, not the vendor, price it.
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
    Column("said_at", BigInteger),
    Column("by_workers", Boolean, nullable=False, server_default=false()),
)

# A price that the workers were asked for. `request`: the command's id, which answers name; `cause`: the message that
# made us ask; `heard_at`: when the workers last said something of it. An order awaits one price at most.
pricings = Table(
    "adapter_pricings",
    metadata,
    Column("request", Text, primary_key=True),
    Column("cause", Text, nullable=False, unique=True),
    Column("order_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("heard_at", BigInteger, nullable=False),
    Column("progress", Float),
    Column("amount", Text),
    Column("currency", Text),
    Column("valid_until", BigInteger),
    Index("adapter_pricings_order", "order_id"),
    Index("adapter_pricings_awaited", "order_id", unique=True, sqlite_where=ASKED, postgresql_where=ASKED),
    Index("adapter_pricings_late", "heard_at", sqlite_where=ASKED, postgresql_where=ASKED),
)

# `owed_at`: since when a call is owed; of those from before this was noted nobody knows it.
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
    Column("owed_at", BigInteger),
    Index("adapter_calls_due", "due_at", sqlite_where=_OWED, postgresql_where=_OWED),
    Index("adapter_calls_order", "order_id", "number", sqlite_where=_OWED, postgresql_where=_OWED),
)

feed = Table(
    "adapter_feed",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)
