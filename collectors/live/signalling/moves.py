"""What intakes change in the visits of the orders that they speak of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from collectors.signals.flights import ValueNumbers, Visits, visits_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from collectors.live.model import EventRow, Lined, Timelines
    from collectors.live.moved import Span


@dataclass(frozen=True)
class Moved:
    """Orders (their numbers) with all their visits ``before`` and ``after`` an intake of events from ``since`` on.

    ``upto`` [n]: the arrival number of the last event of each order that ``after`` knows. ``generation``: of the
    account that it was told to.
    """

    orders: NDArray[np.int64]
    before: Visits
    after: Visits
    since: int
    upto: NDArray[np.int64]
    generation: int | None = None


class Tracker:
    """What committed intakes have moved, until the account takes it.

    At its begin the account reads all orders up to ``bound`` once, by rising number; of these, an intake's difference
    counts only once the order has been read. Orders beyond it came later, and count from their first event on. A
    collector that keeps no account has no ``generation``.
    """

    def __init__(self, timelines: Timelines) -> None:
        self.timelines = timelines
        self.values = ValueNumbers(timelines.promise.segments)
        self.generation: int | None = None
        self.bound = 0
        self.read = 0
        self.pending: list[Moved] = []

    def begin(self, values: ValueNumbers, bound: int, generation: int) -> None:
        """Track from now on; ``bound``: the last order number there is, while no intake is under way."""
        self.values, self.bound, self.read, self.generation, self.pending = values, bound, 0, generation, []

    def end(self) -> None:
        """Track no more: another collector keeps the account."""
        self.generation, self.pending = None, []

    def moved(self, lined: Lined, rows: Sequence[EventRow], new: Collection[int], now: int) -> Moved | None:
        """Return what new events (``new``: their arrival numbers) move. ``rows``: all events of the ``lined`` orders.

        To be asked within the transaction, while the orders are locked.
        """
        numbers = lined.orders[(lined.orders <= self.read) | (lined.orders > self.bound)]
        if not len(numbers):
            return None
        before = self._visits_of([row for row in rows if row.arrival not in new], now)
        after = self.visits(lined, now)
        since = min(row.at for row in rows if row.arrival in new)
        before, after = (visits.take(np.isin(visits.order, numbers)) for visits in (before, after))
        return Moved(numbers, before, after, since, last_arrivals(rows, numbers), self.generation)

    def tell(self, moved: Moved | None) -> None:
        """Take what an intake has moved, once it is committed; whoever began the account anew since has read it."""
        if moved is not None and moved.generation == self.generation:
            self.pending.append(moved)

    def past(self, numbers: NDArray[np.int64], rows: Sequence[EventRow], now: int) -> Moved:
        """Return orders that are read for the first time, while they are locked. ``rows``: all their events."""
        visits = self._visits_of(rows, now)
        return Moved(numbers, self._visits_of([], now), visits, 0, last_arrivals(rows, numbers), self.generation)

    def told(self, spans: Iterable[Span], rows: Sequence[EventRow], now: int) -> list[Moved]:
        """Return what other collectors have moved. ``rows``: all events of these orders, while they are locked.

        Whatever came between, what a span has moved is the difference of the order up to its last event and of the
        order before its first one. How the orders are now comes last, for whoever keeps only that.
        """
        of_order: dict[int, list[Span]] = defaultdict(list)
        for span in spans:
            of_order[span.order].append(span)
        rounds = zip_longest(*of_order.values())
        found = [self._differences({span.order: span for span in some if span}, rows, now) for some in rounds]
        numbers, whole = np.array(sorted(of_order)), self._visits_of(rows, now)
        since = min(move.since for move in found)
        return [*found, Moved(numbers, whole, whole, since, last_arrivals(rows, numbers), self.generation)]

    def _differences(self, spans: dict[int, Span], rows: Sequence[EventRow], now: int) -> Moved:
        """Return what the spans, one an order, have moved."""
        old = [row for row in rows if row.order in spans and row.arrival < spans[row.order].first]
        upto = [row for row in rows if row.order in spans and row.arrival <= spans[row.order].last]
        numbers = np.array(sorted(spans))
        since = min(row.at for row in upto if row.arrival >= spans[row.order].first)
        before, after = self._visits_of(old, now), self._visits_of(upto, now)
        return Moved(numbers, before, after, since, last_arrivals(upto, numbers), self.generation)

    def _visits_of(self, rows: Sequence[EventRow], now: int) -> Visits:
        return self.visits(self.timelines.line_up(rows), now) if rows else Visits.none(len(self.values.known))

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


def last_arrivals(rows: Iterable[EventRow], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the arrival number of the last event of each of these orders, 0 where it has none."""
    last: dict[int, int] = {}
    for row in rows:
        last[row.order] = max(last.get(row.order, 0), row.arrival)
    return np.array([last.get(number, 0) for number in numbers.tolist()], dtype=np.int64)


def latest(moves: Sequence[Moved]) -> tuple[Visits, NDArray[np.int64]]:
    """Return the visits of each order as they were last, and the numbers of all orders."""
    order = np.concatenate([move.orders for move in moves])
    upto = np.concatenate([move.upto for move in moves])
    move_of = np.repeat(np.arange(len(moves)), [len(move.orders) for move in moves])
    line = np.lexsort((move_of, upto, order))
    last = line[np.append(order[line][1:] != order[line][:-1], [True])[: len(line)]]
    own = (order[last][move_of[last] == number] for number in range(len(moves)))
    parts = [move.after.take(np.isin(move.after.order, some)) for move, some in zip(moves, own, strict=True)]
    return Visits.joined(*parts), order[last]
