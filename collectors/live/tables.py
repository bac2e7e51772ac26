"""The collector's tables: events as they came, one measured row an order, totals, and what could not be used."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# SQLite numbers rows by itself only in a column of exactly this type.
Number = BigInteger().with_variant(Integer(), "sqlite")
# Written out wherever they are asked for, not bound: only so do planners see that the partial indexes serve.
IN_FLIGHT: Final = text("settled = 4")
ENDED: Final = text("settled in (2, 3)")
HAS_GAP: Final = text("gap = 1")

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("arrival", Number, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("order_number", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger),
    Column("attributes", Text),
    Column("uncertainty_us", BigInteger),
    UniqueConstraint("source", "id"),
)

orders = Table(
    "orders",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("settled", SmallInteger, nullable=False, server_default="-1"),
    Column("events", BigInteger, nullable=False, server_default="0"),
    Column("unknown", BigInteger, nullable=False, server_default="0"),
    Column("repeats", BigInteger, nullable=False, server_default="0"),
    Column("skewed", BigInteger, nullable=False, server_default="0"),
    Column("gap", SmallInteger, nullable=False, server_default="0"),
    Column("start_at", BigInteger),
    Column("end_at", BigInteger),
    Column("cancelled_at", BigInteger),
    Column("tail_stage", SmallInteger, nullable=False, server_default="-1"),
    Column("tail_from", BigInteger),
    Column("stage_since", BigInteger),
    Column("last_rank", Float, nullable=False, server_default="-1"),
    Column("last_at", BigInteger),
    Column("attributes", Text, nullable=False, server_default="{}"),
    Column("stages", LargeBinary),
    Index("orders_in_flight", "number", sqlite_where=IN_FLIGHT, postgresql_where=IN_FLIGHT),
    Index("orders_with_gap", "number", sqlite_where=HAS_GAP, postgresql_where=HAS_GAP),
    Index("orders_ended", "end_at", sqlite_where=ENDED, postgresql_where=ENDED),
)

totals = Table(
    "totals",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("key", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("arrived_at", BigInteger, nullable=False),
    Column("raw", Text, nullable=False),
)

followed = Table(
    "followed",
    metadata,
    Column("path", Text, primary_key=True),
    Column("inode", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
    Column("header", Text),
)

# How far each polled system was read, and what was last seen of each order of those that show its status only.
polled = Table(
    "polled",
    metadata,
    Column("system", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
)

polled_orders = Table(
    "polled_orders",
    metadata,
    Column("system", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("seen", BigInteger, nullable=False),
)

notes = Table(
    "notes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Which events of which orders were taken in by collectors that do not keep the account of the signals (moved.py).
moved = Table(
    "moved",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("order_number", BigInteger, nullable=False, index=True),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
)


def _decided_periods(name: str, *more: Column[Any]) -> Table:
    """Return a table of decided periods, each with the reason given."""
    return Table(
        name,
        metadata,
        Column("number", Number, primary_key=True, autoincrement=True),
        Column("decided_at", BigInteger, nullable=False),
        Column("begin", BigInteger, nullable=False),
        Column("end", BigInteger, nullable=False),
        Column("why", Text, nullable=False),
        *more,
    )


# What the stages are judged against; the last one holds. ``document``: the fitted reference as JSON.
reference_decisions = _decided_periods("reference_decisions", Column("document", Text, nullable=False))
# What was declared by mistake is withdrawn, and kept: ``withdrawn_at`` and why.
maintenance = _decided_periods(
    "maintenance", Column("withdrawn_at", BigInteger, nullable=True), Column("withdrawn_why", Text, nullable=True)
)
