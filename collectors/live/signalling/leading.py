"""Which one of several collectors on one PostgreSQL tells the signals: the one that holds a lock there.

Each has an account in memory; two of them would tell two truths. SQLite has one process only, which always leads.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Database

_LOCK: Final = 0x7369676E616C73  # any number that only this lock has in PostgreSQL
_PATIENCE_S: Final = 5.0


class Leadership:
    """A lock that ends with its connection, however the process ends."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._connection: AsyncConnection | None = None
        self._held = contextlib.AsyncExitStack()

    async def held(self) -> bool:
        """Return whether this collector leads now; it does from now on where nobody else did."""
        if self.database.embedded:
            return True
        if self._connection is not None:
            # A time-out is an OSError: over a wire that was cut, an answer is waited for without an end.
            with contextlib.suppress(DBAPIError, OSError):
                async with asyncio.timeout(_PATIENCE_S):
                    await self._connection.execute(text("SELECT 1"))
                return True
            await self.close()
        async with contextlib.AsyncExitStack() as tried:
            connection = await tried.enter_async_context(self.database.glancing())
            if not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
                return False
            self._connection, self._held = connection, tried.pop_all()
        return True

    async def close(self) -> None:
        """Let another one lead."""
        if self._connection is not None:
            # Given back to the pool, the connection would keep its lock.
            with contextlib.suppress(DBAPIError, OSError):
                await self._connection.invalidate()
            self._connection = None
        await self._held.aclose()
