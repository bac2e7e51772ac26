"""Work in progress and throughput of every stage, day by day, summed up batch by batch.

Days are UTC days. A visit counts as entered on the day of its first stretch and as left on the day that its last one
ends, so what a stage holds at the end of a day is all entries up to then less all exits: exact, and additive over
batches in any order. Cancelled orders count up to, and not including, the moment of their cancellation; those that
the log cancels without saying when are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.timelines.judging import CANCELLED, Judged
from collectors.timelines.measuring import NEVER, Stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_US: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)
# A misread year must not make a table of millions of days: what lies outside counts on the nearest of these days.
EARLIEST_DAY: Final = (date(1900, 1, 1) - _EPOCH).days
LATEST_DAY: Final = (date(2200, 1, 1) - _EPOCH).days


class DayGrid:
    """Sums per day and column; ``first`` is the first row's day in days since 1970, ``values`` [days, columns]."""

    def __init__(self, columns: int) -> None:
        self.first = 0
        self.values: NDArray[np.float64] = np.zeros((0, columns))

    def add(
        self,
        at_us: NDArray[np.int64],
        column: NDArray[np.int64] | int,
        weight: NDArray[np.float64] | None = None,
    ) -> None:
        """Add one (or ``weight``) at the day of each moment and its column."""
        if not len(at_us):
            return
        day = np.clip(at_us // DAY_US, EARLIEST_DAY, LATEST_DAY)
        self._cover(int(day.min()), int(day.max()))
        columns = self.values.shape[1]
        cell = (day - self.first) * columns + column
        sums = np.bincount(cell, weights=weight, minlength=self.values.size)
        self.values += sums.reshape(self.values.shape)

    def _cover(self, first: int, last: int) -> None:
        days, columns = self.values.shape
        low = min(first, self.first) if days else first
        high = max(last + 1, self.first + days) if days else last + 1
        if (low, high) == (self.first, self.first + days):
            return
        grown = np.zeros((high - low, columns))
        grown[self.first - low : self.first - low + days] = self.values if days else 0
        self.first, self.values = low, grown

    @property
    def days(self) -> NDArray[np.int64]:
        """The day of each row, in days since 1970."""
        return np.arange(self.first, self.first + len(self.values))


@dataclass(frozen=True)
class DailyFlow:
    """Per day (rows) and stage (columns): visits begun and ended, and orders inside at the day's end."""

    first_day: int
    entries: NDArray[np.int64]
    exits: NDArray[np.int64]
    wip: NDArray[np.int64]


class Flow:
    """Entries and exits of every stage. ``add`` batches in any order, then ask for ``daily``."""

    def __init__(self, stages: int) -> None:
        self.entries, self.exits = DayGrid(stages), DayGrid(stages)

    def add(self, judged: Judged, stretches: Stretches, orders: NDArray[np.int64]) -> None:
        """Count a batch. ``orders``: the rising order numbers that the rows of ``stretches`` stand for."""
        row = _rows_among(judged.measured.order, orders)[stretches.row]
        known = row >= 0
        cancelled = judged.measured.cancelled[row]
        undated = (judged.verdict[row] == CANCELLED) & (cancelled == NEVER)
        counts = np.flatnonzero(known & ~undated & (stretches.begin < cancelled))
        row, stage, enters = row[counts], stretches.stage[counts], stretches.enters[counts]
        last_of_visit = np.ones(len(row), dtype=np.bool_)
        last_of_visit[:-1] = enters[1:] | (row[1:] != row[:-1])
        leaves = last_of_visit & stretches.closed[counts]
        self.entries.add(stretches.begin[counts][enters], stage[enters])
        self.exits.add(stretches.finish[counts][leaves], stage[leaves])

    def daily(self, last_day: int) -> DailyFlow:
        """Return the flow of every day from the first entry up to ``last_day`` (days since 1970)."""
        first = self.entries.first
        days = max(last_day - first + 1, 0) if len(self.entries.values) else 0
        entries, exits = (_rows_of(grid, first, days) for grid in (self.entries, self.exits))
        return DailyFlow(first, entries, exits, np.cumsum(entries - exits, axis=0))


def _rows_among(wanted: NDArray[np.int64], orders: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each of ``orders`` in ``wanted`` (both rising), -1 where it is not there."""
    place = np.searchsorted(wanted, orders)
    return np.where(np.append(wanted, -1)[place] == orders, place, -1)


def _rows_of(grid: DayGrid, first: int, days: int) -> NDArray[np.int64]:
    result = np.zeros((days, grid.values.shape[1]), dtype=np.int64)
    rows = grid.days - first
    inside = (rows >= 0) & (rows < days)
    result[rows[inside]] = np.rint(grid.values[inside]).astype(np.int64)
    return result
