"""Making the calls that are owed to the vendor: never inside a transaction, each order's calls one after another."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from services.contract import Status
from services.mes import pricings, store
from services.mes.adapter import Rejected
from services.mes.model import SECOND_US, Call, CallKind, micros, wait_us
from services.mes.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Bus, Database
    from services.mes.adapter import Vendor
    from services.mes.model import Order

    # What surrounds a piece of work: its name, its order, the trace that it continues.
    Entering = Callable[[str, str, str | None], AbstractContextManager[object]]

LOG: Final = logging.getLogger("touchstone.mes")
AT_ONCE: Final = 16
# Longer than all tries of one call together: until then nobody else makes it.
LEASE_US: Final = 120 * SECOND_US


class Caller:
    """Makes calls, and notes what became of them."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        vendor: Vendor,
        *,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        entering: Entering,
    ) -> None:
        self.database, self.bus, self.vendor = database, bus, vendor
        self.clock, self.chance, self.entering = clock, chance, entering

    def _now(self) -> int:
        return micros(self.clock())

    async def step(self) -> bool:
        """Make the calls that are due; return whether there were any."""
        now = self._now()
        async with self.database.reading() as connection:
            if not await store.anything_due(connection, now):
                return False
        claim = partial(store.claim_due, now=now, until=now + LEASE_US, limit=AT_ONCE)
        calls: list[Call] = await self.database.write(claim)
        await asyncio.gather(*map(self._make, calls))
        return bool(calls)

    async def _make(self, call: Call) -> None:
        with self.entering(f"vendor {call.kind}", call.order, call.traceparent):
            try:
                number = await self.vendor.make(call)
            except Rejected as error:
                LOG.error("the vendor refuses to %s the order: %s", call.kind, error)  # noqa: TRY400 - says it all
                await self.database.write(partial(self._refused, call, str(error)))
            except Exception as error:  # noqa: BLE001 - whatever it is, the call stays owed
                LOG.warning("the vendor cannot be asked to %s the order now: %s", call.kind, error)
                due_at = self._now() + wait_us(call.attempts, self.chance())
                await self.database.write(partial(store.put_off, call=call, failure=str(error), due_at=due_at))
            else:
                await self.database.write(partial(self._made, call, number))

    async def _made(self, call: Call, number: int, connection: AsyncConnection) -> None:
        if not await store.close_call(connection, call.number, self._now()):
            return
        order = await store.find_order(connection, call.order, lock=True)
        if order is None:
            return
        order.vendor_number = order.vendor_number or number
        if await _lost_price(connection, call, order):
            given, found = call.payload, call.payload["found"]
            quote = {"price": given["price"], "valid_until": given["valid_until"]}
            await say(self.bus, connection, order, Status.PRICE_CALCULATED, self.clock(), **quote, **found)
        await store.save_order(connection, order)

    async def _refused(self, call: Call, reason: str, connection: AsyncConnection) -> None:
        """Note that a call will never succeed; an order that cannot be priced, or priced again, goes to the desk."""
        if not await store.close_call(connection, call.number, self._now(), reason):
            return
        order = await store.find_order(connection, call.order, lock=True)
        if order is None or not _awaits_price(call, order):
            return
        await say(self.bus, connection, order, Status.PRICE_FAILED, self.clock(), reason=reason)
        await store.save_order(connection, order)


async def _lost_price(connection: AsyncConnection, call: Call, order: Order) -> bool:
    """Whether a price of the workers' was called off when the vendor refused it, which it now takes after all."""
    failed = order.belief is not None and order.belief.status == Status.PRICE_FAILED
    return failed and "found" in call.payload and await pricings.last(connection, order.id) == call.key


def _awaits_price(call: Call, order: Order) -> bool:
    """Whether somebody waits for what a call was to bring about: nobody asks to price again what is decided."""
    if call.kind == CallKind.REQUOTE:
        return not order.decided
    return call.kind == CallKind.SUBMIT
