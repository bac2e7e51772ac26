"""Orders at the vendor's: taken, quoted again, released to the workshop, withdrawn. Each call is safe to repeat."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from services.mes.vendor import store, workshop
from services.mes.vendor.model import (
    IN_CALCULATION,
    IN_WORKSHOP,
    QUOTED,
    Kind,
    State,
    Submission,
    VendorOrder,
    VendorRefusal,
    milliseconds,
    moment_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus.database import Database
    from services.mes.vendor.model import Change, GivenPrice

    # How a caller names an order: by the vendor's number, or by its own reference.
    Find = Callable[[AsyncConnection], Awaitable[VendorOrder]]


class Orders:
    """The vendor's order desk. ``quote_valid``: how long a price holds."""

    def __init__(self, database: Database, clock: Callable[[], datetime], quote_valid: timedelta) -> None:
        self.database, self.clock, self.quote_valid = database, clock, quote_valid

    @property
    def now_ms(self) -> int:
        """The vendor's clock."""
        return milliseconds(self.clock())

    async def submit(self, wanted: Submission, given: GivenPrice | None = None) -> tuple[VendorOrder, bool]:
        """Take an order; return it and whether it is new. The reference tells a repeat.

        One that comes with its price is calculated at once, past the queue.
        """

        async def work(connection: AsyncConnection) -> tuple[VendorOrder, bool]:
            await store.lock(connection)
            known = await store.find(connection, wanted.reference)
            if known is not None:
                return known, False
            now = self.now_ms
            row = asdict(wanted) | {"state": State.RECEIVED, "state_ms": now, "changed_ms": now}
            order = await store.by_number(connection, await store.add(connection, row))
            await store.record(connection, order)
            return order if given is None else await self._take_price(connection, order, given), True

        taken: tuple[VendorOrder, bool] = await self.database.write(work)
        return taken

    async def requote(
        self, find: Find, key: str, model_hash: str | None, model_bytes: int | None, given: GivenPrice | None = None
    ) -> VendorOrder:
        """Confirm a quote for another term, or calculate again for another model. ``key`` tells a repeat.

        A price that comes along is the new quote, and nothing is calculated. Raises VendorRefusal where the order is
        not (or no longer) one with a quote.
        """

        async def work(connection: AsyncConnection, order: VendorOrder) -> VendorOrder:
            if not await store.first_request(connection, key):
                return order
            if order.state not in QUOTED | IN_CALCULATION:
                raise VendorRefusal(Kind.CONFLICT, f"the order is {order.state.name}; only a quote can be renewed")
            if given is not None:
                model = {} if model_hash is None else {"model_hash": model_hash, "model_bytes": model_bytes}
                return await self._take_price(connection, order, given, **model)
            same = model_hash in {None, order.model_hash}
            if same and order.state in IN_CALCULATION:
                return order
            if same and order.state == State.CALCULATED:
                return await store.move(connection, order, State.CALCULATED, self.now_ms, valid_ms=self._valid_ms())
            return await self._calculate_again(connection, order, model_hash, model_bytes)

        return await self._change(find, work)

    async def _take_price(
        self, connection: AsyncConnection, order: VendorOrder, given: GivenPrice, **values: Any
    ) -> VendorOrder:
        quote = {
            "percent": 100,
            "price": f"{given.amount:f}",
            "currency": given.currency,
            "valid_ms": self._valid_ms() if given.valid_ms is None else given.valid_ms,
            "reason": None,
        }
        return await store.move(connection, order, State.CALCULATED, self.now_ms, **quote, **values)

    async def _calculate_again(
        self, connection: AsyncConnection, order: VendorOrder, model_hash: str | None, model_bytes: int | None
    ) -> VendorOrder:
        values: dict[str, Any] = dict.fromkeys(("price", "currency", "valid_ms", "reason"))
        if model_hash is not None:
            values |= {"model_hash": model_hash, "model_bytes": model_bytes}
        values |= {"percent": 0, "queued": await store.next_in_queue(connection)}
        return await store.move(connection, order, State.RECEIVED, self.now_ms, **values)

    def _valid_ms(self) -> int:
        return milliseconds(moment_of(self.now_ms) + self.quote_valid)

    async def release(self, find: Find) -> VendorOrder:
        """Give a quoted order to the workshop, which distributes it. Raises VendorRefusal where there is no quote."""

        async def work(connection: AsyncConnection, order: VendorOrder) -> VendorOrder:
            if order.state in IN_WORKSHOP or order.state == State.SHIPPED:
                return order
            if order.state != State.CALCULATED:
                raise VendorRefusal(Kind.CONFLICT, f"the order is {order.state.name}; only a quote can be released")
            released = await store.move(connection, order, State.RELEASED, self.now_ms)
            await workshop.distribute_waiting(connection, released.changed_ms)
            return await store.by_number(connection, order.number)

        return await self._change(find, work)

    async def withdraw(self, find: Find) -> VendorOrder:
        """Take an order back. Raises VendorRefusal once somebody has begun to make it."""

        async def work(connection: AsyncConnection, order: VendorOrder) -> VendorOrder:
            if order.state == State.WITHDRAWN:
                return order
            if order.state >= State.STARTED:
                raise VendorRefusal(Kind.CONFLICT, f"the order is {order.state.name}; it is being made already")
            withdrawn = await store.move(connection, order, State.WITHDRAWN, self.now_ms, operator=None)
            await workshop.distribute_waiting(connection, withdrawn.changed_ms)
            return withdrawn

        return await self._change(find, work)

    async def _change(
        self, find: Find, work: Callable[[AsyncConnection, VendorOrder], Awaitable[VendorOrder]]
    ) -> VendorOrder:
        async def alone(connection: AsyncConnection) -> VendorOrder:
            await store.lock(connection)
            return await work(connection, await find(connection))

        changed: VendorOrder = await self.database.write(alone)
        return changed

    async def get(self, find: Find) -> VendorOrder:
        """Return an order. Raises VendorRefusal where it is not known."""
        async with self.database.reading() as connection:
            return await find(connection)

    async def updated_since(self, since_ms: int, after: int, limit: int) -> list[VendorOrder]:
        """Return orders as they are now, by their last change."""
        async with self.database.reading() as connection:
            return await store.updated_since(connection, since_ms, after, limit)

    async def changes_after(self, after: int, limit: int) -> list[Change]:
        """Return the journal's next lines."""
        async with self.database.reading() as connection:
            return await store.changes_after(connection, after, limit)
