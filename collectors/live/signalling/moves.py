"""What intakes change in the visits of the orders that they speak of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collectors.signals.flights import ValueNumbers, Visits, visits_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from collectors.live.model import EventRow, Lined, Timelines


@dataclass(frozen=True)
class Moved:
    """Orders (their numbers) with all their visits ``before`` and ``after`` an intake of events from ``since`` on."""

    orders: NDArray[np.int64]
    before: Visits
    after: Visits
    since: int


class Tracker:
    """What committed intakes have moved, until the account takes it.

    At the start the account reads all orders up to ``bound`` once, by rising number; of these, an intake's difference
    counts only once the order has been read. Orders beyond it came later, and count from their first event on.
    """

    def __init__(self, timelines: Timelines) -> None:
        self.timelines = timelines
        self.values = ValueNumbers(timelines.promise.segments)
        self.bound: int | None = None
        self.read = 0
        self.pending: list[Moved] = []

    def begin(self, values: ValueNumbers, bound: int) -> None:
        """Track from now on; ``bound``: the last order number there is, while no intake is under way."""
        self.values, self.bound, self.read, self.pending = values, bound, 0, []

    def moved(self, lined: Lined, rows: Sequence[EventRow], new: Collection[int], now: int) -> Moved | None:
        """Return what new events (``new``: their arrival numbers) move. ``rows``: all events of the ``lined`` orders.

        To be asked within the transaction, while the orders are locked.
        """
        numbers = self._counted(lined.orders)
        if not len(numbers):
            return None
        old = [row for row in rows if row.arrival not in new]
        before = self.visits(self.timelines.line_up(old), now) if old else Visits.none(len(self.values.known))
        after = self.visits(lined, now)
        since = min(row.at for row in rows if row.arrival in new)
        before, after = (visits.take(np.isin(visits.order, numbers)) for visits in (before, after))
        return Moved(numbers, before, after, since)

    def visits(self, lined: Lined, now: int) -> Visits:
        """Return the visits of lined up orders; those without the promise moment that they should carry have none."""
        judged, lacking = self.timelines.judged(lined.line.measured, lined.dimensions, now)
        judged = judged.take(~lacking)
        moving = lined.line.moving
        numbers = self.values.of(judged.measured.attributes, lined.dimensions.values)
        orders = moving.order[moving.first]
        return visits_of(judged, lined.line.stretches, orders, self.timelines.codebook, numbers)

    def take(self) -> list[Moved]:
        """Return what was moved since the last time."""
        taken, self.pending = self.pending, []
        return taken

    def _counted(self, orders: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.bound is None:
            return orders[:0]
        return orders[(orders <= self.read) | (orders > self.bound)]
