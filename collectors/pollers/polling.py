"""What all pollers share: turn after turn, the state saved with what it brought, failures said and tried again."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from collectors.pollers import store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.live.handlers import Collector
    from collectors.live.reading import Intake
    from collectors.pollers.systems import System

LOG: Final = logging.getLogger("touchstone.pollers")
RETRY_S: Final = 5.0
SECOND: Final = 1_000_000


class Poller(ABC):
    """Asks one system turn after turn. ``failure`` says why it cannot be asked, None while it can."""

    def __init__(self, system: System, collector: Collector, every_s: float) -> None:
        self.system, self.collector, self.every_s = system, collector, every_s
        self.failure: str | None = None
        self._kept: store.Kept | None = None
        self._alone = asyncio.Lock()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:  # noqa: ASYNC110 - a polled system tells nobody that it changed
            await asyncio.sleep(await self.turn())

    async def turn(self) -> float:
        """Poll once; return how many seconds to wait before the next turn."""
        try:
            more = await self.step()
        except store.Overtaken:
            self._kept = None
            LOG.info("%s: another collector polls it too; reading on from its state", self.system.name)
            return self.every_s
        except Exception as error:
            # Nothing of a failed step is stored, so reading on from the state in the database is right.
            self._kept = None
            failure = f"{self.system.name} cannot be polled ({type(error).__name__}: {error})"
            if failure != self.failure:  # once, and not every few seconds for as long as the system is down
                LOG.exception("polling %s failed; trying again", self.system.name)
            self.failure = failure
            return min(RETRY_S, self.every_s)
        self.failure = None
        return 0.0 if more else self.every_s

    async def step(self) -> bool:
        """Take in what is new; return whether there may be more at once."""
        async with self._alone:
            if self._kept is None:
                async with self.collector.database.reading() as connection:
                    self._kept = await store.kept(connection, self.system.name)
            return await self._step(self._kept)

    @abstractmethod
    async def _step(self, kept: store.Kept) -> bool:
        """Take in what is new since a state."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the connections to the system."""

    async def _take_in(self, intake: Intake, state: str, orders: Mapping[str, store.Seen] | None = None) -> None:
        """Store what a poll brought together with the state after it: so a restart neither loses nor doubles."""
        version = self._kept.version if self._kept else 0

        async def save(connection: AsyncConnection) -> None:
            await store.keep(connection, self.system.name, version, state)
            await store.remember(connection, self.system.name, orders or {})

        await self.collector.take_in(intake, save)
        self._kept = store.Kept(version + 1, state)
