"""The bus's tables, in the database of every service that uses it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

# SQLite numbers rows by itself only in a column of exactly this type.
NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

# The last sequence given to each stream; its row lock is what orders writers.
streams = Table(
    "bus_streams",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

# The history of all that was said; in PostgreSQL partitioned by month of `recorded_at` (microseconds since 1970 UTC).
outbox = Table(
    "bus_outbox",
    metadata,
    Column("position", NUMBER, primary_key=True, autoincrement=True),
    Column("recorded_at", BigInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("sequence", BigInteger),
    Column("time", Text, nullable=False),
    Column("traceparent", Text),
    Column("data", Text, nullable=False),
    Index("bus_outbox_stream", "subject", "source", "sequence"),
)

# What of it is not sent yet, and whereto. A row goes when the broker has confirmed it.
pending = Table(
    "bus_pending",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("target", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False, server_default="0"),
    Column("due_at", BigInteger, nullable=False, server_default="0"),
    Index("bus_pending_due", "due_at", "number"),
)

# The last sequence that each consumer has applied of each stream.
inbox = Table(
    "bus_inbox",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("applied", BigInteger, nullable=False, server_default="0"),
)

# Messages that came and are not applied: parked behind a missing one, waiting for a retry, or dead. The key is the
# place, not the id: two sources may give one id. What cannot be read has no place: its subject is its id, its place 0.
held = Table(
    "bus_held",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("type", Text),
    Column("body", LargeBinary, nullable=False),
    Column("arrived_at", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False, server_default="0"),
    Column("due_at", BigInteger),
    Column("dead_at", BigInteger),
    Column("reason", Text),
    Index("bus_held_id", "consumer", "id"),
    Index("bus_held_due", "consumer", "due_at"),
)
