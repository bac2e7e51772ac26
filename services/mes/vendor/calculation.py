"""The vendor's calculation queue: one order at a time, first come first served, its progress visible.

What is being calculated is stored, so a restart goes on where it was; a step does whatever is due by the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.mes.vendor import store
from services.mes.vendor.model import State, milliseconds, moment_of
from services.mes.vendor.pricing import CURRENCY, duration_ms, price, unusable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus.database import Database
    from services.mes.vendor.model import VendorOrder

MARKS: Final = (25, 50, 75)
LONG_MS: Final = 2_000  # shorter calculations are not worth a progress bar


@dataclass(frozen=True)
class Terms:
    """``mean_s``: what an average order takes; ``quote_valid``: how long a price holds."""

    mean_s: float
    quote_valid: timedelta
    largest_model_bytes: int


class Calculation:
    """The queue, and the terms that it calculates by."""

    def __init__(self, database: Database, clock: Callable[[], datetime], terms: Terms) -> None:
        self.database, self.clock, self.terms = database, clock, terms

    async def step(self) -> bool:
        """Do what is due; return whether anything was."""
        async with self.database.reading() as connection:
            running = await store.in_calculation(connection)
            waiting = running or await store.first_in_queue(connection)
        if waiting is None:
            return False
        done: bool = await self.database.write(self._step)
        return done

    async def _step(self, connection: AsyncConnection) -> bool:
        await store.lock(connection)
        now = milliseconds(self.clock())
        running = await store.in_calculation(connection)
        if running is None:
            order = await store.first_in_queue(connection)
            return order is not None and await self._begin(connection, order, now)
        order, began, takes = running
        moved = await self._progress(connection, order, began, takes, now)
        if now < began + takes:
            return moved
        await self._finish(connection, order, began + takes)
        return True

    async def _begin(self, connection: AsyncConnection, order: VendorOrder, now: int) -> bool:
        takes = duration_ms(self.terms.mean_s, order.product, order.model_bytes)
        times = {"percent": 0, "calculation_from_ms": now, "calculation_takes_ms": takes}
        await store.move(connection, order, State.CALCULATING, now, **times)
        return True

    async def _progress(
        self, connection: AsyncConnection, order: VendorOrder, began: int, takes: int, now: int
    ) -> bool:
        passed = [mark for mark in MARKS if order.percent < mark and began + takes * mark // 100 <= now]
        if takes < LONG_MS:
            return False
        for mark in passed:
            at = began + takes * mark // 100
            order = await store.move(connection, order, State.CALCULATING, at, percent=mark)
        return bool(passed)

    async def _finish(self, connection: AsyncConnection, order: VendorOrder, at: int) -> None:
        reason = unusable(order.model_bytes, self.terms.largest_model_bytes)
        if reason is not None:
            await store.move(connection, order, State.CALCULATION_FAILED, at, reason=reason)
            return
        amount = price(order.product, order.model_hash, order.model_bytes)
        quote = {
            "percent": 100,
            "price": str(amount),
            "currency": CURRENCY,
            "valid_ms": milliseconds(moment_of(at) + self.terms.quote_valid),
        }
        await store.move(connection, order, State.CALCULATED, at, **quote)
