"""The workers' tables: who asked for what, what is measured or to be, in which slabs, and what came of it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, SmallInteger, Table, Text, text

_UNANSWERED: Final = text("done_at IS NULL")
_OPEN: Final = text("closed_at IS NULL")

metadata = MetaData()

# Moments are microseconds since 1970 UTC. `class`: see pricing.messages.PriceClass.
requests = Table(
    "pricing_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("alloy", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("terms", Text),
    Column("reply_to", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("traceparent", Text),
    Column("done_at", BigInteger),
    Column("outcome", Text),
    Index("pricing_requests_key", "key", sqlite_where=_UNANSWERED, postgresql_where=_UNANSWERED),
    Index("pricing_requests_class", "class", "asked_at", sqlite_where=_UNANSWERED, postgresql_where=_UNANSWERED),
)

# `due_at`: from when on somebody may take the work; that of a worker is its lease. `turn` counts the claims.
measurings = Table(
    "pricing_measurings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("unit", Text),
    Column("class", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("worker", Text),
    Column("turn", Integer, nullable=False, server_default="0"),
    Column("failures", SmallInteger, nullable=False, server_default="0"),
    Column("losses", SmallInteger, nullable=False, server_default="0"),
    Column("begun_at", BigInteger),
    Column("progress", Float, nullable=False, server_default="0"),
    Column("told_at", BigInteger),
    Column("triangles", BigInteger),
    Column("prepared", Text),
    Column("result", Text),
    Column("reason", Text),
    Column("closed_at", BigInteger),
    Index("pricing_measurings_open", "class", "asked_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

slabs = Table(
    "pricing_slabs",
    metadata,
    Column("key", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("worker", Text),
    Column("turn", Integer, nullable=False, server_default="0"),
    Column("failures", SmallInteger, nullable=False, server_default="0"),
    Column("losses", SmallInteger, nullable=False, server_default="0"),
    Column("output", Text),
    Column("closed_at", BigInteger),
    Index("pricing_slabs_open", "asked_at", "number", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

# The caches. `terms` is empty for none: databases take no NULL in a key.
quotes = Table(
    "pricing_quotes",
    metadata,
    Column("key", Text, primary_key=True),
    Column("materials", Text, primary_key=True),
    Column("alloy", Text, primary_key=True),
    Column("quantity", Integer, primary_key=True, autoincrement=False),
    Column("terms", Text, primary_key=True),
    Column("document", Text, nullable=False),
)

# `marks`: a digest of the places that are marked. `name`: SHA-256 of the PNG, NULL where it could not be drawn.
pictures = Table(
    "pricing_pictures",
    metadata,
    Column("key", Text, primary_key=True),
    Column("marks", Text, primary_key=True),
    Column("name", Text),
)
