"""The time axis of a report: days, weeks, months or years, whichever gives a readable number of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from collectors.stages.flow import DayGrid

EPOCH: Final = date(1970, 1, 1)
MOST_DAYS: Final = 21
MOST_WEEKS: Final = 78
MOST_MONTHS: Final = 120
STRAGGLERS: Final = 0.001  # share of orders, at the log's beginning, that may not stretch the axis


@dataclass(frozen=True)
class Periods:
    """Consecutive periods: ``starts`` in days since 1970, ``stop`` the day after the last one."""

    unit: str
    starts: NDArray[np.int64]
    stop: int

    def __len__(self) -> int:
        return len(self.starts)

    def place(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the period of each day; -1 for days before the first or after the last."""
        found = np.searchsorted(self.starts, days, side="right") - 1
        return np.where(days < self.stop, found, -1)

    def sums(self, grid: DayGrid) -> NDArray[np.float64]:
        """Add up a grid's days by period: [periods, columns]."""
        result = np.zeros((len(self), grid.values.shape[1]))
        place = self.place(grid.days)
        np.add.at(result, place[place >= 0], grid.values[place >= 0])
        return result

    def last_days(self) -> NDArray[np.int64]:
        """Return the last day of each period."""
        return np.append(self.starts[1:], self.stop) - 1

    def labels(self) -> list[str]:
        """Name the periods: a day or week by its first day, a month, a year."""
        shape = {"month": "%Y-%m", "year": "%Y"}.get(self.unit, "%Y-%m-%d")
        return [day_of(int(start)).strftime(shape) for start in self.starts]

    def short_labels(self) -> list[str]:
        """Name the periods for an axis: ``26 Jan``, ``Jan 2026``, ``2026``."""
        days = [day_of(int(start)) for start in self.starts]
        if self.unit in {"day", "week"}:
            return [f"{day.day} {day:%b}" for day in days]
        return [f"{day:%b %Y}" if self.unit == "month" else f"{day:%Y}" for day in days]


def day_of(day: int) -> date:
    """Return a day given in days since 1970."""
    return EPOCH + timedelta(days=day)


def periods_between(first: int, last: int) -> Periods:
    """Return the periods that cover two days (since 1970), both included; weeks begin on Monday."""
    span = last - first + 1
    if span <= MOST_DAYS:
        return Periods("day", np.arange(first, last + 1), last + 1)
    if span <= MOST_WEEKS * 7:
        monday = first - (day_of(first).weekday())
        starts = np.arange(monday, last + 1, 7)
        return Periods("week", starts, int(starts[-1]) + 7)
    unit = "month" if span <= MOST_MONTHS * 31 else "year"
    edges = [(start - EPOCH).days for start in _calendar_starts(day_of(first), day_of(last), unit)]
    return Periods(unit, np.array(edges[:-1]), edges[-1])


def _calendar_starts(first: date, last: date, unit: str) -> Iterator[date]:
    """Yield the first days of the months or years from ``first`` on, up to the first one after ``last``."""
    day = date(first.year, first.month if unit == "month" else 1, 1)
    while day <= last:
        yield day
        day = date(day.year + 1, 1, 1) if unit == "year" or day.month == 12 else day.replace(month=day.month + 1)
    yield day


def axis_of(grids: Sequence[DayGrid], last_day: int) -> Periods:
    """Return the periods from the first days counted to ``last_day``; a thousandth of early stragglers is left out."""
    counted = [(grid.days, grid.values.sum(axis=1)) for grid in grids]
    days, counts = (np.concatenate(columns) for columns in zip(*counted, strict=True))
    if not counts.sum():
        return periods_between(last_day, last_day)
    line = np.argsort(days, kind="stable")
    reached = np.cumsum(counts[line]) > STRAGGLERS * counts.sum()
    first = int(days[line][int(np.argmax(reached))])
    return periods_between(min(first, last_day), last_day)
