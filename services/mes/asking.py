"""Asking the pricing workers for a price, and what becomes of it: told to everybody, and given to the vendor.

The vendor's own calculation stays as fallback: for orders without a model, and where the workers fail or keep silent.
Whatever is done here is done under the lock of the order's row; of several requests an order awaits the last one only.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pricing.messages import PRICE_CALCULATE, PriceCalculate, class_of
from services.contract import Money, Status
from services.mes import pricings, store
from services.mes.metrics import Cause
from services.mes.model import Call, CallKind, Given, Pricing, PricingState, micros, moment_of, to_the_millisecond
from services.mes.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from prometheus_client import Counter
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pricing.messages import PriceCalculated, PriceProgressed, PriceRefused
    from services.bus import Bus, Database
    from services.mes.calling import Entering
    from services.mes.model import Order

LOG: Final = logging.getLogger("touchstone.mes")
QUEUE: Final = "mes"  # the queue of commands that the workers' answers come to
FAILED: Final = "failed"  # the code of a refusal that is our software's fault
AT_ONCE: Final = 50
_SHA256: Final = re.compile("[0-9a-f]{64}")


@dataclass
class Asking:
    """Asks for prices. ``bus`` is put in by whoever puts the parts together.

    ``by_workers``: whether workers are asked at all; ``patience``: how long they may say nothing of a price.
    """

    database: Database
    clock: Callable[[], datetime]
    entering: Entering
    fallbacks: Counter
    by_workers: bool
    patience: timedelta
    bus: Bus = field(init=False)
    heard_from: int = field(default=0, init=False)
    """Since when this process hears of the workers: before, they may have spoken in vain."""

    async def begin(self, connection: AsyncConnection, order: Order, call: Call) -> None:
        """Have an order priced: by the workers, or else by this call of the vendor. Its key is the message's id."""
        if await pricings.begun_by(connection, call.key) or await store.owed_for(connection, call.key):
            return  # the same message once more, whoever was to calculate then
        await self.drop(connection, order)
        model = order.facts.model
        if not self.by_workers or order.decided or model is None or not _SHA256.fullmatch(model):
            order.submitted, order.by_workers = True, False
            await self.owe(connection, call)
        else:
            await self._ask(connection, order, call.key, model)

    async def _ask(self, connection: AsyncConnection, order: Order, cause: str, model: str) -> None:
        facts = order.facts
        known = {"channel": facts.channel, "alloy": facts.alloy, "model_bytes": facts.model_bytes, "unit": facts.unit}
        wanted = PriceCalculate(model=model, reply_to=QUEUE, **known)
        queue = class_of(facts.channel, facts.model_bytes).queue
        message = await self.bus.send(connection, queue, PRICE_CALCULATE, order.id, wanted.document())
        await pricings.add(connection, Pricing(message.id, order.id, model, self._now()), cause)
        order.by_workers = True

    def _now(self) -> int:
        return micros(self.clock())

    async def owe(self, connection: AsyncConnection, call: Call) -> None:
        """Owe a call to the vendor from now on."""
        await store.owe(connection, call, self._now())

    async def drop(self, connection: AsyncConnection, order: Order) -> None:
        """Await no price any more."""
        pricing = await pricings.awaited(connection, order.id)
        if pricing is not None:
            await pricings.settle(connection, pricing.request, PricingState.DROPPED)

    async def decided(self, connection: AsyncConnection, order: Order) -> None:
        """Await no price any more, for the order goes to the workshop: which must know it before."""
        pricing = await pricings.awaited(connection, order.id)
        if pricing is not None and not order.submitted:
            await self._fall_back(connection, order, pricing, Cause.DECIDED)
        elif pricing is not None:
            await pricings.settle(connection, pricing.request, PricingState.DROPPED)

    async def progressed(self, connection: AsyncConnection, order_id: str, said: PriceProgressed, at: datetime) -> None:
        """Tell that the price is being calculated, and, at ``at``, how far that is; only news is told."""
        order, pricing = await _awaiting(connection, order_id, said.request)
        if order is None or pricing is None:
            return
        if pricing.progress is not None and said.progress <= pricing.progress:
            # Begun anew by another worker: no progress, but no silence either.
            await pricings.note_progress(connection, pricing.request, pricing.progress, self._now())
            return
        begun = pricing.progress is not None
        await self._say(
            connection, order, Status.PRICE_CALCULATING, at if begun else said.begun_at, progress=said.progress
        )
        await pricings.note_progress(connection, pricing.request, said.progress, self._now())
        await store.save_order(connection, order)

    async def calculated(self, connection: AsyncConnection, order_id: str, said: PriceCalculated) -> None:
        """Tell the price, and owe it to the vendor."""
        order, pricing = await _awaiting(connection, order_id, said.request)
        if order is None or pricing is None:
            return
        await self._begun(connection, order, pricing, said.begun_at)
        price = Money(amount=said.amount, currency=said.currency)
        found: dict[str, Any] = {"castable": said.castable, "problems": said.problems, "picture": said.picture}
        told = {"price": price, "valid_until": said.valid_until, **found}
        await self._say(connection, order, Status.PRICE_CALCULATED, said.done_at, **told)
        given = Given(price, to_the_millisecond(said.valid_until))
        await pricings.settle(connection, pricing.request, PricingState.PRICED, given)
        await self._give(connection, order, pricing, given.document() | {"found": found})
        await store.save_order(connection, order)

    async def refused(self, connection: AsyncConnection, order_id: str, said: PriceRefused) -> None:
        """Tell why the model cannot be priced; where that is no fault of the model's, let the vendor try."""
        order, pricing = await _awaiting(connection, order_id, said.request)
        if order is None or pricing is None:
            return
        if said.code == FAILED:
            LOG.warning("the pricing workers failed, so the vendor calculates: %s", said.detail)
            await self._fall_back(connection, order, pricing, Cause.FAILED)
        else:
            await self._begun(connection, order, pricing, said.begun_at)
            found = {"reason": said.detail, "problems": said.problems, "picture": said.picture}
            await self._say(connection, order, Status.PRICE_FAILED, said.done_at, **found)
            await pricings.settle(connection, pricing.request, PricingState.REFUSED)
        await store.save_order(connection, order)

    async def _begun(self, connection: AsyncConnection, order: Order, pricing: Pricing, at: datetime) -> None:
        if pricing.progress is None:
            await self._say(connection, order, Status.PRICE_CALCULATING, at, progress=0.0)

    async def _say(self, connection: AsyncConnection, order: Order, status: Status, at: datetime, **more: Any) -> None:
        # The workers answer what was asked because of what is believed: whatever their clock says, that was before.
        asked = at if order.belief is None else moment_of(order.belief.at)
        await say(self.bus, connection, order, status, max(at, asked), **more)

    async def _fall_back(self, connection: AsyncConnection, order: Order, pricing: Pricing, cause: Cause) -> None:
        await pricings.settle(connection, pricing.request, PricingState.VENDOR)
        await self._give(connection, order, pricing, {})
        order.by_workers = False
        self.fallbacks.labels(cause.value).inc()

    async def _give(self, connection: AsyncConnection, order: Order, pricing: Pricing, given: dict[str, Any]) -> None:
        """Owe the vendor the order, or, where it has that already, the model that is priced now."""
        kind = CallKind.REQUOTE if order.submitted else CallKind.SUBMIT
        payload = {"model": pricing.model} if order.submitted else order.facts.document()
        order.submitted = True
        await self.owe(connection, Call(pricing.request, order.id, kind, payload | given))

    def listen(self) -> None:
        """Begin to hear the workers."""
        self.heard_from = self._now()

    async def step(self) -> bool:
        """Give to the vendor what the workers have said nothing of for too long; return whether there may be more."""
        before = micros(self.clock() - self.patience)
        if before < self.heard_from:
            return False  # what they said meanwhile may lie in the queue still
        async with self.database.reading() as connection:
            late = await pricings.late(connection, before, AT_ONCE)
        for order in late:
            await self.database.write(partial(self._late, order, before))
        return len(late) == AT_ONCE

    async def _late(self, order_id: str, before: int, connection: AsyncConnection) -> None:
        order = await store.find_order(connection, order_id, lock=True)
        pricing = await pricings.awaited(connection, order_id)
        if order is None or pricing is None or pricing.heard_at >= before:
            return  # answered meanwhile, or another process was faster
        with self.entering("pricing falls back", order.id, order.traceparent):
            LOG.warning("the pricing workers have said nothing for %s, so the vendor calculates", self.patience)
            await self._fall_back(connection, order, pricing, Cause.LATE)
            await store.save_order(connection, order)


async def _awaiting(connection: AsyncConnection, order_id: str, request: str) -> tuple[Order | None, Pricing | None]:
    """Return an order, locked, and what it awaits, if it is that request: answers may be late, doubled, reordered."""
    order = await store.find_order(connection, order_id, lock=True)
    pricing = await pricings.awaited(connection, order_id)
    return order, pricing if pricing is not None and pricing.request == request else None
