"""What the services' tables have in common: moments and numbers that are the same in both databases, and inserting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import BigInteger, Integer, Text, TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Table
    from sqlalchemy.dialects.postgresql.dml import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite.dml import Insert as SqliteInsert
    from sqlalchemy.ext.asyncio import AsyncConnection

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
# SQLite numbers rows by itself only in a column of exactly this type.
Number = BigInteger().with_variant(Integer(), "sqlite")


class Moment(TypeDecorator[datetime]):
    """A moment, aware UTC, kept as microseconds since 1970: exact and sortable."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        """Write a moment."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the same
        """Read a moment."""
        return None if value is None else EPOCH + value * MICROSECOND


class Sentences(TypeDecorator[tuple[str, ...]]):
    """Sentences in their order, kept as a JSON list; none of them as NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the same
        """Write sentences."""
        return orjson.dumps(list(value)).decode() if value else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:  # noqa: ARG002 - the same
        """Read sentences."""
        return () if value is None else tuple(orjson.loads(value))


def inserting(connection: AsyncConnection, table: Table) -> PostgresInsert | SqliteInsert:
    """Return an INSERT that may say what to do about a row that is there already."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
