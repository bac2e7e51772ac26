"""What every run of a worker needs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pricing.workers.model import micros

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from instrumentation import Telemetry
    from pricing.storage import ModelStore
    from pricing.workers.desk import Desk
    from pricing.workers.metrics import PricingMetrics
    from services.bus import Database

T = TypeVar("T")


@dataclass(frozen=True)
class Tools:
    """The parts of the service that a worker uses."""

    database: Database
    desk: Desk
    models: ModelStore
    telemetry: Telemetry
    metrics: PricingMetrics
    clock: Callable[[], datetime]

    def now(self) -> int:
        """Return the present moment in microseconds since 1970 UTC."""
        return micros(self.clock())

    async def read(self, look: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Look into the database."""
        async with self.database.reading() as connection:
            return await look(connection)

    async def glance(self, look: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Look into the database by one statement, as often as every moment."""
        async with self.database.glancing() as connection:
            return await look(connection)

    async def discard(self, spent: Sequence[str]) -> None:
        """Delete working objects. What cannot be deleted now goes with its day."""
        with contextlib.suppress(OSError):
            for name in spent:
                await self.models.delete(name)
