"""What a service's end of the bus looks like now, looked at every few seconds; a gap that opens or closes is logged."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from services.bus import held, outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.bus.database import Database
    from services.bus.held import Place, Waiting
    from services.bus.outbox import Backlog

LOG: Final = logging.getLogger("touchstone.bus")
LOOK_EVERY_S: Final = 5.0
GAP_AFTER_US: Final = 60_000_000
LISTED: Final = 100


class Seen(NamedTuple):
    """What is unsent and what is held, at a moment (microseconds since 1970 UTC)."""

    at: int
    backlog: Backlog
    waiting: Waiting

    @property
    def oldest_s(self) -> float:
        """How long the oldest unsent message has waited."""
        return 0.0 if self.backlog.oldest is None else max(self.at - self.backlog.oldest, 0) / 1_000_000


class Watch:
    """Looks at one service's end of the bus, through a reading connection: so no scrape ever waits for a writer."""

    def __init__(self, database: Database, consumer: str, clock: Callable[[], int]) -> None:
        self.database, self.consumer, self.clock = database, consumer, clock
        self.seen: Seen | None = None
        self._missing: set[Place] = set()

    async def look(self) -> Seen:
        """Return what is seen now. Logs an error where a gap has opened since the last look."""
        now = self.clock()
        async with self.database.reading() as connection:
            backlog = await outbox.backlog(connection)
            waiting = await held.waiting(connection, self.consumer, now - GAP_AFTER_US)
            missing = await held.gaps(connection, self.consumer, now - GAP_AFTER_US, LISTED) if waiting.gaps else []
        self._tell(set(missing))
        self.seen = Seen(now, backlog, waiting)
        return self.seen

    def _tell(self, missing: set[Place]) -> None:
        for place in sorted(missing - self._missing):
            self._log(logging.ERROR, "a gap: event %d of this order from %s is missing, and later ones wait", place)
        for place in sorted(self._missing - missing):
            self._log(logging.INFO, "a gap is closed: event %d of this order from %s", place)
        self._missing = missing

    def _log(self, level: int, sentence: str, place: Place) -> None:
        fields = {"order_id": place.subject, "consumer": self.consumer}
        LOG.log(level, sentence, place.place, place.source, extra=fields)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look comes
                LOG.warning("the bus cannot be looked at now: %s: %s", type(error).__name__, error)
            await asyncio.sleep(LOOK_EVERY_S)
