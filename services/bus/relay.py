"""The relay: takes what is unsent from an outbox to the transport. Several may run; each claims rows of its own."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from services.bus import outbox
from services.bus.transport import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus.database import Database
    from services.bus.outbox import Unsent
    from services.bus.transport import Transport

LOG: Final = logging.getLogger("touchstone.bus")
WINDOW: Final = 500
IDLE_S: Final = 0.05
TROUBLE_S: Final = 1.0
LONGEST_WAIT_US: Final = 5_000_000
FIRST_WAIT_US: Final = 100_000


class Relay:
    """Sends one service's outbox."""

    def __init__(
        self, database: Database, transport: Transport, clock: Callable[[], int], window: int = WINDOW
    ) -> None:
        self.database, self.transport, self.clock, self.window = database, transport, clock, window
        self.offered = self.confirmed = 0

    async def once(self) -> int:
        """Send one window; return how many messages were confirmed."""
        if self.database.embedded:
            # One process holds this file, so no other relay can claim the same rows; and a transaction held open
            # while receivers store would keep a receiver that shares the file from storing.
            async with self.database.reading() as connection:
                unsent = await outbox.unsent(connection, self.clock(), self.window)
            if not unsent:
                return 0
            confirmed = await self._send(unsent)
            await self.database.write(lambda connection: self._settle(connection, unsent, confirmed))
            return len(confirmed)
        async with self.database.glancing() as connection:
            waiting = await outbox.any_unsent(connection, self.clock())
        return await self.database.write(self._claimed) if waiting else 0

    async def _claimed(self, connection: AsyncConnection) -> int:
        unsent = await outbox.unsent(connection, self.clock(), self.window)
        if not unsent:
            return 0
        confirmed = await self._send(unsent)
        await self._settle(connection, unsent, confirmed)
        return len(confirmed)

    async def _send(self, unsent: list[Unsent]) -> set[int]:
        self.offered += len(unsent)
        confirmed = await self.transport.publish([Outgoing(row.target, row.message) for row in unsent])
        self.confirmed += len(confirmed)
        return confirmed

    async def _settle(self, connection: AsyncConnection, unsent: list[Unsent], confirmed: set[int]) -> None:
        now = self.clock()
        await outbox.sent(connection, [unsent[place].number for place in sorted(confirmed)])
        failed = [row for place, row in enumerate(unsent) if place not in confirmed]
        await outbox.later(connection, {row.number: now + _wait_us(row.attempts) for row in failed})

    async def run(self) -> None:
        """Send until cancelled; trouble with broker or database is waited out."""
        while True:
            try:
                sent = await self.once()
            except Exception as error:  # noqa: BLE001 - whatever it is, the outbox keeps what it has
                LOG.warning("the outbox cannot be sent now: %s: %s", type(error).__name__, error)
                await asyncio.sleep(TROUBLE_S)
                continue
            if not sent:
                await asyncio.sleep(IDLE_S)


def _wait_us(attempts: int) -> int:
    return min(FIRST_WAIT_US << min(attempts, 20), LONGEST_WAIT_US)
