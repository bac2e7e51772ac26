"""Following the vendor's journal: each line becomes an event, in the transaction that notes how far was read."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from services.contract import Status
from services.mes import pricings, store
from services.mes.model import micros
from services.mes.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Bus, Database
    from services.mes.adapter import Vendor
    from services.mes.calling import Entering
    from services.mes.model import Order, VendorChange

LOG: Final = logging.getLogger("touchstone.mes")
PAGE: Final = 200
PRICES: Final = frozenset({Status.PRICE_CALCULATING, Status.PRICE_FAILED, Status.PRICE_CALCULATED})


class Follower:
    """Publishes what the vendor's journal says, exactly once.

    ``read_at``: when the vendor last let this process read it, or since when that is tried, microseconds since 1970.
    """

    def __init__(
        self, database: Database, bus: Bus, vendor: Vendor, clock: Callable[[], datetime], entering: Entering
    ) -> None:
        self.database, self.bus, self.vendor, self.clock, self.entering = database, bus, vendor, clock, entering
        self.read_at = 0

    def begin(self) -> None:
        """Count from now on how long the journal could not be read."""
        self.read_at = micros(self.clock())

    async def step(self) -> bool:
        """Publish the next lines; return whether there may be more at once. Raises Unreachable or Refused."""
        async with self.database.reading() as connection:
            last = await store.feed_position(connection)
        now = micros(self.clock())
        changes = await self.vendor.changes(last, PAGE)
        self.read_at = max(self.read_at, now)
        if changes:
            await self.database.write(partial(self._publish, last, changes))
        return len(changes) == PAGE

    async def _publish(self, last: int, changes: Sequence[VendorChange], connection: AsyncConnection) -> None:
        if not await store.advance_feed(connection, last, changes[-1].number):
            return  # another process has published these lines
        expected = last + 1
        for change in changes:
            if change.number != expected:
                LOG.error("the vendor's journal goes on with %d where %d is due", change.number, expected)
            expected = change.number + 1
            await self._take(connection, change)

    async def _take(self, connection: AsyncConnection, change: VendorChange) -> None:
        order = await store.find_order(connection, change.order, lock=True)
        if order is None:
            LOG.error("line %d of the vendor's journal names an order that is not ours: it is left out", change.number)
            return
        with self.entering("vendor journal", order.id, order.traceparent):
            order.vendor_number = order.vendor_number or change.order_number
            if change.status is not None and not await _told(connection, order, change):
                await say(
                    self.bus,
                    connection,
                    order,
                    change.status,
                    change.at,
                    progress=change.progress,
                    price=change.price,
                    valid_until=change.valid_until,
                    reason=change.reason,
                )
            await store.save_order(connection, order)


async def _told(connection: AsyncConnection, order: Order, change: VendorChange) -> bool:
    """Whether a line is about a price that is not the vendor's to tell: the workers find it, or have found it."""
    if change.status not in PRICES:
        return False
    if order.by_workers:
        return True
    if change.price is None or change.valid_until is None:
        return False
    return await pricings.given(connection, order.id, change.price, change.valid_until)
