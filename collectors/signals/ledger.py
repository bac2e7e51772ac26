"""The ledger: a bounded account of the flow by stage, segment and hour, that visits are added to and taken back from.

All that is statistical is a function of it. Its size depends on hours, stages and segments, never on orders, and
what an event costs does not depend on the history: difference arrays along the hours hold whole stretches of time
in a few numbers. All of them are integers, so what is taken back leaves no trace, and order of arrival no mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

Whole = TypeVar("Whole", np.int64, np.int32)

HOUR_US: Final = 3_600_000_000
WEEK_H: Final = 168
# Bins of the time that an order has been in its stage, in hours: fine where days and nights tell, then wider.
AGE_EDGES_H: Final = (0, 0.25, 1, 4, 8, 16, 24, 36, 48, 72, 96, 144, 192, 288, 384, 768, 1536)
AGES: Final = len(AGE_EDGES_H)
HISTORY_H: Final = 57 * WEEK_H
_EDGES_US: Final = np.array([round(edge * HOUR_US) for edge in AGE_EDGES_H], dtype=np.int64)
# An order inside is booked ahead, up to the hour in which it enters the last bin.
_AHEAD_H: Final = int(AGE_EDGES_H[-1]) + 2
_AT_ONCE: Final = 50_000


@dataclass(frozen=True)
class Visits:
    """Stretches of orders in stages, one row each (n rows); moments in microseconds since 1970 UTC.

    ``stage`` [n]: number of the stage. ``segments`` [n, k]: numbers of the segments beside "all" (which is 0, and
    never listed), -1 for none. ``entered``, ``left`` [n]: ``left`` is NEVER while the order is inside.
    """

    stage: NDArray[np.int64]
    segments: NDArray[np.int64]
    entered: NDArray[np.int64]
    left: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.stage)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Visits:
        """Return the chosen visits."""
        return Visits(self.stage[chosen], self.segments[chosen], self.entered[chosen], self.left[chosen])


class Ledger:
    """Time spent, entries and departures per stage, segment, age and hour, over a bounded window of hours.

    The window ends at the latest moment added; hours fall off its other end by whole weeks. What lies before the
    window is forgotten, save that orders which are still inside are known to be.
    """

    def __init__(self, stages: int, segments: int = 1, history_h: int = HISTORY_H) -> None:
        self.stages, self.segments, self.history_h = stages, segments, history_h
        self.first: int | None = None
        width = history_h + _AHEAD_H
        # What they hold is the change from the hour before: `cumsum` along the last axis gives the hours.
        self._time = np.zeros((stages, segments, AGES, width), dtype=np.int64)
        self._inside = np.zeros((stages, segments, width), dtype=np.int64)
        self._entries = np.zeros((stages, segments, width), dtype=np.int32)
        self._departures = np.zeros((stages, segments, AGES, width), dtype=np.int32)

    def add(self, visits: Visits, sign: int = 1) -> None:
        """Add visits (``sign`` 1), or take them back (-1) exactly as they were added."""
        for begin in range(0, len(visits), _AT_ONCE):
            self._add(visits.take(slice(begin, begin + _AT_ONCE)), sign)

    def advance(self, now: int) -> None:
        """Let the window reach ``now`` (microseconds); the oldest weeks fall off."""
        hour = now // HOUR_US
        if self.first is None:
            self.first = ((hour - self.history_h) // WEEK_H + 1) * WEEK_H
        surplus = hour - (self.first + self.history_h) + 1
        if surplus > 0:
            self._forget(-(-surplus // WEEK_H) * WEEK_H)

    def widen(self, segments: int) -> None:
        """Make room for more segments; of new ones nothing has been added yet."""
        more = segments - self.segments
        if more <= 0:
            return
        self._time, self._inside = (_wider(array, more) for array in (self._time, self._inside))
        self._entries, self._departures = (_wider(array, more) for array in (self._entries, self._departures))
        self.segments = segments

    def time(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the order hours spent [S, G, AGES, last - first] in hours [first, last) (counted from 1970)."""
        spent = np.cumsum(self._time[..., : self._place(last)], axis=-1)[..., self._place(first) :]
        return np.asarray(spent / HOUR_US)

    def inside(self, first: int, last: int) -> NDArray[np.int64]:
        """Return how many orders were inside [S, G, last - first] as hours [first, last) began; who left then was."""
        return np.cumsum(self._inside[..., : self._place(last)], axis=-1)[..., self._place(first) :]

    def departures(self, first: int, last: int) -> NDArray[np.int64]:
        """Return how many orders left [S, G, AGES, last - first] at that age in hours [first, last)."""
        return self._departures[..., self._place(first) : self._place(last)].astype(np.int64)

    def entries(self, first: int, last: int) -> NDArray[np.int64]:
        """Return how many orders entered [S, G, last - first] in hours [first, last)."""
        return self._entries[..., self._place(first) : self._place(last)].astype(np.int64)

    @property
    def nbytes(self) -> int:
        """The memory held, in bytes."""
        return sum(array.nbytes for array in self._arrays())

    def _arrays(self) -> tuple[NDArray[np.int64] | NDArray[np.int32], ...]:
        return (self._time, self._inside, self._entries, self._departures)

    def _place(self, hour: int) -> int:
        begin = self.first if self.first is not None else hour
        return min(max(hour - begin, 0), self.history_h + _AHEAD_H)

    def _forget(self, hours: int) -> None:
        assert self.first is not None  # noqa: S101 - tells the type checker what advance() made sure of
        self.first += hours
        hours = min(hours, self.history_h + _AHEAD_H)
        for array, changes in zip(self._arrays(), (True, True, False, False), strict=True):
            before = array[..., :hours].sum(axis=-1) if changes else 0
            array[..., :-hours] = array[..., hours:].copy()
            array[..., -hours:] = 0
            array[..., 0] += before

    def _add(self, visits: Visits, sign: int) -> None:
        ended = visits.left != NEVER
        self.advance(int(max(visits.entered.max(), visits.left[ended].max(initial=0))))
        row, group = self._groups(visits)
        stage, entered, left, ended = visits.stage[row], visits.entered[row], visits.left[row], ended[row]
        cell = stage * self.segments + group
        self._count(self._entries, cell, entered, sign)
        age = np.searchsorted(_EDGES_US, left[ended] - entered[ended], side="right") - 1
        self._count(self._departures, cell[ended] * AGES + age, left[ended], sign)
        # Who leaves as the hour begins was there to leave in it.
        self._step(self._inside, cell, entered // HOUR_US + 1, sign)
        self._step(self._inside, cell[ended], left[ended] // HOUR_US + 1, -sign)
        for number in range(AGES):
            begin = entered + _EDGES_US[number]
            final = number == AGES - 1
            finish = left if final else np.minimum(left, entered + _EDGES_US[number + 1])
            there = begin < finish
            self._stretch(cell[there] * AGES + number, begin[there], finish[there], sign)

    def _groups(self, visits: Visits) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return a row for each segment that a visit counts in: the visit's place, and the segment."""
        number = np.arange(len(visits))
        row, column = np.nonzero(visits.segments > 0)
        group = np.concatenate([np.zeros(len(visits), dtype=np.int64), visits.segments[row, column]])
        return np.concatenate([number, row]), group

    def _count(self, array: NDArray[np.int32], cell: NDArray[np.int64], at: NDArray[np.int64], sign: int) -> None:
        place = at // HOUR_US - (self.first or 0)
        seen = place >= 0
        np.add.at(array.reshape(-1, array.shape[-1]), (cell[seen], place[seen]), np.int32(sign))

    def _step(
        self,
        array: NDArray[np.int64],
        cell: NDArray[np.int64],
        hour: NDArray[np.int64],
        amount: int | NDArray[np.int64],
    ) -> None:
        # A change before the window has happened when the window begins.
        place = np.maximum(hour - (self.first or 0), 0)
        np.add.at(array.reshape(-1, array.shape[-1]), (cell, place), amount)

    def _stretch(self, cell: NDArray[np.int64], begin: NDArray[np.int64], finish: NDArray[np.int64], sign: int) -> None:
        """Book the time from begin to finish: a part of the first hour, whole hours, a part of the last one."""
        for moments, way in ((begin, sign), (finish, -sign)):
            known = moments != NEVER
            hour = moments[known] // HOUR_US
            rest = (hour + 1) * HOUR_US - moments[known]
            self._step(self._time, cell[known], hour, way * rest)
            self._step(self._time, cell[known], hour + 1, way * (HOUR_US - rest))


def _wider(array: NDArray[Whole], more: int) -> NDArray[Whole]:
    added: Any = np.zeros((array.shape[0], more, *array.shape[2:]), dtype=array.dtype)
    return np.concatenate([array, added], axis=1)
