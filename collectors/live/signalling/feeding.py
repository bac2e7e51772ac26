"""What the account takes from the database: the past, once, and then what other collectors have taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.live import moved, store
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.live.signalling.moves import Tracker

READ_AT_ONCE: Final = 1_000


class Feed:
    """Two steps, each a transaction of its own, to be run until there is no more.

    What is read is handed over within the transaction, while the orders are locked; ``torn`` is set from then on until
    the caller knows that the transaction was committed, and says so.
    """

    def __init__(self, tracker: Tracker, clock: Callable[[], int]) -> None:
        self.tracker, self.clock = tracker, clock
        self.torn = False

    async def read_past(self, connection: AsyncConnection) -> bool:
        """Read the next orders of the past; return whether there may be more."""
        await self._check(connection)
        tracker = self.tracker
        names = await store.names_after(connection, tracker.read, READ_AT_ONCE, tracker.bound)
        if not names:
            return False
        locked = await store.lock_orders(connection, names)
        numbers = np.array(sorted(order["number"] for order in locked.values()))
        rows = await store.events_of(connection, numbers.tolist())
        await moved.forget(connection, numbers.tolist())
        tracker.pending.append(tracker.past(numbers, rows, self.clock()))
        tracker.read, self.torn = int(numbers[-1]), True
        return True

    async def take_moved(self, connection: AsyncConnection) -> bool:
        """Take what others have written down, once the past has been read; return whether there may be more."""
        await self._check(connection)
        spans = await moved.take(connection, READ_AT_ONCE)
        if not spans:
            return False
        rows = await store.events_of(connection, sorted({span.order for span in spans}))
        self.tracker.pending += self.tracker.told(spans, rows, self.clock())
        self.torn = True
        return True

    async def _check(self, connection: AsyncConnection) -> None:
        """Make sure that nobody else begins the account anew before this transaction ends."""
        if await moved.generation(connection) != self.tracker.generation:
            raise TouchstoneError("the account of the signals was begun anew by another collector")
