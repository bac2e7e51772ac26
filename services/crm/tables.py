"""The desk's tables: a file per order, the statuses heard, the dialogue, and two that only ever grow."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    text,
)

from services.columns import Moment, Number, Sentences

if TYPE_CHECKING:
    from sqlalchemy import Dialect

NEVER: Final = 2**62  # after every moment: what is not promised comes last
# Written out wherever they are asked for, not bound: only so do planners see that the partial indexes serve.
ON_DESK: Final = text("tray = 'waiting'")
TO_CLOSE: Final = text("close_at IS NOT NULL")


class Amount(TypeDecorator[Decimal]):
    """An amount of money, kept as text, because SQLite has no exact numbers with decimals."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Write an amount."""
        return None if value is None else f"{value:f}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the same
        """Read an amount."""
        return None if value is None else Decimal(value)


metadata = MetaData()

files = Table(
    "files",
    metadata,
    Column("order_id", Text, primary_key=True),
    *(Column(name, Text) for name in ("channel", "product", "customer", "customer_name", "model", "alloy", "unit")),
    Column("item", Text),
    Column("model_bytes", BigInteger),
    Column("promised_at", Moment),
    Column("status", Text),
    Column("status_at", Moment),
    Column("source", Text),
    Column("sequence", BigInteger),
    Column("tray", Text, nullable=False, server_default="pricing"),
    Column("question", Text, nullable=False, server_default="none"),
    Column("answer", Text),
    Column("why", Text),
    Column("amount", Amount),
    Column("currency", Text),
    Column("valid_until", Moment),
    Column("problems", Sentences),
    Column("picture", Text),
    Column("asked_at", Moment),
    Column("paused_us", BigInteger, nullable=False, server_default="0"),
    Column("due_us", BigInteger, nullable=False, server_default=str(NEVER)),
    Column("shipped_at", Moment),
    Column("close_at", Moment),
    Column("unwanted", Text),
    Index("files_on_desk", "due_us", "order_id", sqlite_where=ON_DESK, postgresql_where=ON_DESK),
    Index("files_to_close", "close_at", sqlite_where=TO_CLOSE, postgresql_where=TO_CLOSE),
    Index("files_by_status", "status", "order_id"),
    Index("files_by_customer", "customer", "order_id"),
)

history = Table(
    "history",
    metadata,
    Column("order_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("progress", Float),
    Column("reason", Text),
    Column("by", Text),
    PrimaryKeyConstraint("order_id", "source", "sequence"),
)

# Only ever grows: triggers refuse to change or delete what stands in it.
decisions = Table(
    "decisions",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("order_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("action", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("amount", Amount),
    Column("currency", Text),
    Column("says", Text),
    Index("decisions_of_order", "order_id", "number"),
)

# What customers and the desk said to each other; `id` is the message's, so that one counts once.
dialogue = Table(
    "dialogue",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("order_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("model", Text),
    Index("dialogue_of_order", "order_id", "number"),
)

# Only ever grows, like decisions; the last row of a customer counts.
standings = Table(
    "standings",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("customer", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("standing", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("standings_of_customer", "customer", "number"),
)
