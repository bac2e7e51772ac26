"""The sweep: closes shipped orders when their time has come. Several processes may run it; each takes other orders."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.bus import Database
    from services.crm.handlers import Desk

LOG: Final = logging.getLogger("touchstone.crm")


class Sweep:
    """Looks for due orders every so often; ``at_once``: how many it closes in one transaction."""

    def __init__(self, desk: Desk, database: Database, every_s: float, at_once: int) -> None:
        self._desk, self._database, self._every_s, self._at_once = desk, database, every_s, at_once

    async def once(self) -> int:
        """Close every order that is due now; return how many."""
        closed = 0
        while True:
            some = await self._database.write(partial(self._desk.close_due, limit=self._at_once))
            closed += some
            if some < self._at_once:
                return closed

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                closed = await self.once()
            except Exception as error:  # noqa: BLE001 - whatever it is, orders stay due and the loop goes on
                LOG.warning("due orders cannot be closed now: %s: %s", type(error).__name__, error)
            else:
                if closed:
                    LOG.info("closed %d orders", closed)
            await asyncio.sleep(self._every_s)
