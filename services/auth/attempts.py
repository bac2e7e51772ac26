"""How often one may try to sign in: a sliding window, in this process only."""

from __future__ import annotations

import math
from collections import deque
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from instrumentation.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

WINDOW: Final = timedelta(minutes=15)
MOST_KEYS: Final = 50_000  # made-up names must not fill the memory


class Attempts:
    """At most ``limit`` attempts a key within ``window``."""

    def __init__(self, limit: int, clock: Callable[[], datetime], window: timedelta = WINDOW) -> None:
        self._limit, self._clock, self._window = limit, clock, window
        self._made: dict[str, deque[datetime]] = {}

    def take(self, key: str) -> None:
        """Count an attempt. Raises ProblemError (429) where there were too many."""
        moment = self._clock()
        made = self._made.pop(key, deque())
        self._made[key] = made  # put last: the front of the table is what was not tried for longest
        while made and moment - made[0] >= self._window:
            made.popleft()
        if len(made) >= self._limit:
            wait = math.ceil((made[0] + self._window - moment).total_seconds())
            detail = f"too many attempts to sign in; try again in {math.ceil(wait / 60)} minutes"
            raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(wait)})
        made.append(moment)
        if len(self._made) > MOST_KEYS:
            del self._made[next(iter(self._made))]

    def forget(self, key: str) -> None:
        """Begin anew for a key that has signed in."""
        self._made.pop(key, None)
