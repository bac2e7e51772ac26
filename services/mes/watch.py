"""What the adapter waits for from the vendor now, looked at every few seconds, so that no scrape reads a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from services.mes import store
from services.mes.model import SECOND_US, micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from services.bus import Database
    from services.mes.following import Follower
    from services.mes.store import Owed

LOOK_EVERY_S: Final = 5.0


class Seen(NamedTuple):
    """What is owed to the vendor, and when it last let us read its journal, at a moment (microseconds since 1970)."""

    at: int
    owed: Owed
    read_at: int

    @property
    def oldest_s(self) -> float:
        """How long the oldest owed call has been owed; 0 where nothing is."""
        return 0.0 if self.owed.oldest is None else max(self.at - self.owed.oldest, 0) / SECOND_US

    @property
    def feed_age_s(self) -> float:
        """How old the newest successful reading of the journal is."""
        return max(self.at - self.read_at, 0) / SECOND_US


class Watch:
    """Looks at what is between adapter and vendor, through a reading connection."""

    def __init__(self, database: Database, follower: Follower, clock: Callable[[], datetime]) -> None:
        self.database, self.follower, self.clock = database, follower, clock
        self.seen: Seen | None = None

    async def look(self) -> bool:
        """Look now; return that there is no more to see at once."""
        async with self.database.reading() as connection:
            owed = await store.owed(connection)
        self.seen = Seen(micros(self.clock()), owed, self.follower.read_at)
        return False
