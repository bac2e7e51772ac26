"""Following the vendor's journal: each line becomes an event, in the transaction that notes how far was read."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from services.contract import STATUS_CHANGED, StatusChanged
from services.mes import store
from services.mes.model import Belief, VendorChange, believe, micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Bus, Database
    from services.mes.adapter import Vendor
    from services.mes.calling import Entering

LOG: Final = logging.getLogger("touchstone.mes")
PAGE: Final = 200


class Follower:
    """Publishes what the vendor's journal says, exactly once."""

    def __init__(self, database: Database, bus: Bus, vendor: Vendor, entering: Entering) -> None:
        self.database, self.bus, self.vendor, self.entering = database, bus, vendor, entering

    async def step(self) -> bool:
        """Publish the next lines; return whether there may be more at once. Raises Unreachable or Refused."""
        async with self.database.reading() as connection:
            last = await store.feed_position(connection)
        changes = await self.vendor.changes(last, PAGE)
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
            if change.status is not None:
                said = StatusChanged(
                    status=change.status,
                    previous=order.belief.status if order.belief else None,
                    order=order.facts,
                    progress=change.progress,
                    price=change.price,
                    valid_until=change.valid_until,
                    reason=change.reason,
                )
                message = await self.bus.publish(connection, STATUS_CHANGED, order.id, said.document(), change.at)
                at = micros(change.at)
                heard = Belief(said.status, at, at, message.source, message.sequence or 0)
                order.belief = believe(order.belief, heard)
            await store.save_order(connection, order)
