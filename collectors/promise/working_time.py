"""Working time of a calendar: how much of it passed up to a moment, and when a given amount had passed.

A moment is working time if the wall clock of the calendar's zone shows an open day and a time within the
hours. So an hour that daylight saving repeats counts twice, and one that it skips does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from collectors.promise.model import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from collectors.promise.model import Calendar

ORIGIN_YEAR: Final = 2000
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2200
_YEARS_AT_ONCE: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _SECOND_US
_EPOCH_WEEKDAY: Final = _EPOCH.weekday()


@dataclass(frozen=True)
class _Span:
    """A stretch of time over which the zone's offset from UTC stays the same; in microseconds."""

    start: int
    end: int
    offset: int


class WorkingTime:
    """The working time of a calendar, exact to the microsecond, for moments in microseconds since 1970 UTC.

    Amounts count from the start of 2000, and are negative before it. Years outside 1900 to 2200 have no
    working time: moments there count as the nearest end of that range.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._zone = ZoneInfo(calendar.timezone)
        self._opens, self._closes = (moment // _MICROSECOND for moment in calendar.hours)
        self._weekdays = np.array([day in calendar.weekdays for day in WEEKDAYS])
        self._closed = np.array([(day - date(1970, 1, 1)).days for day in calendar.closed], dtype=np.int64)
        self._years = range(ORIGIN_YEAR, ORIGIN_YEAR)
        # Working stretches in order: start, length, and the working time from the origin to their start.
        self._start = np.empty(0, dtype=np.int64)
        self._length = np.empty(0, dtype=np.int64)
        self._before = np.empty(0, dtype=np.int64)

    def elapsed(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the working microseconds from the origin up to each moment; same shape, non-decreasing."""
        at = np.clip(np.asarray(at_us, dtype=np.int64), _year_us(FIRST_YEAR), _year_us(LAST_YEAR + 1))
        if not at.size:
            return at
        self._cover(_year_of(int(at.min())), _year_of(int(at.max())))
        if not self._start.size:
            return np.zeros_like(at)
        index = np.maximum(np.searchsorted(self._start, at, side="right") - 1, 0)
        inside: NDArray[np.int64] = np.clip(at - self._start[index], 0, self._length[index])
        return self._before[index] + inside

    def moment(self, worked_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first moment at which each amount of working time had passed since the origin.

        The inverse of ``elapsed``; an amount that never passes gives the end of the last year.
        """
        worked = np.asarray(worked_us, dtype=np.int64)
        if not worked.size:
            return worked
        self._cover_amounts(int(worked.min()), int(worked.max()))
        index = np.searchsorted(self._before + self._length, worked, side="left")
        never = index == self._start.size
        if never.all():
            return np.full_like(worked, _year_us(LAST_YEAR + 1))
        index = np.minimum(index, self._start.size - 1)
        inside = np.maximum(worked - self._before[index], 0)
        return np.where(never, _year_us(LAST_YEAR + 1), self._start[index] + inside)

    def _cover_amounts(self, least: int, most: int) -> None:
        """Extend the table until amounts lie strictly above its first and not above its last."""
        self._cover(ORIGIN_YEAR, ORIGIN_YEAR)
        while self._years[0] > FIRST_YEAR and not (self._start.size and self._before[0] < least):
            self._cover(self._years[0] - _YEARS_AT_ONCE, self._years[-1])
        while self._years[-1] < LAST_YEAR and not (self._start.size and self._before[-1] + self._length[-1] >= most):
            self._cover(self._years[0], self._years[-1] + _YEARS_AT_ONCE)

    def _cover(self, first: int, last: int) -> None:
        """Extend the table to whole years; it has no gap to the origin, so amounts keep their meaning."""
        first = max(min(first, self._years.start), FIRST_YEAR)
        stop = min(max(last + 1, self._years.stop), LAST_YEAR + 1)
        if range(first, stop) == self._years:
            return
        earlier = [self._stretches(year) for year in range(first, self._years.start)]
        later = [self._stretches(year) for year in range(self._years.stop, stop)]
        table = np.concatenate([*earlier, np.stack([self._start, self._length]), *later], axis=1)
        self._years = range(first, stop)
        self._start, self._length = table
        origin = np.searchsorted(self._start, _year_us(ORIGIN_YEAR))
        total = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(self._length)])
        self._before = total[:-1] - total[origin]

    def _stretches(self, year: int) -> NDArray[np.int64]:
        """Return the working stretches of a UTC year: int64 array of shape (2, n), starts and lengths."""
        spans = [self._open_in(span) for span in self._spans(year)]
        return np.concatenate(spans, axis=1)

    def _open_in(self, span: _Span) -> NDArray[np.int64]:
        first = (span.start + span.offset) // _DAY_US
        last = (span.end + span.offset - 1) // _DAY_US
        days = np.arange(first, last + 1, dtype=np.int64)
        days = days[self._weekdays[(days + _EPOCH_WEEKDAY) % 7] & ~np.isin(days, self._closed)]
        midnight = days * _DAY_US - span.offset
        start = np.maximum(midnight + self._opens, span.start)
        length = np.minimum(midnight + self._closes, span.end) - start
        return np.stack([start, length])[:, length > 0]

    def _spans(self, year: int) -> Iterator[_Span]:
        """Part a UTC year where the offset changes. No zone is known that changes it twice within one day."""
        start, end = _year_us(year), _year_us(year + 1)
        offset = self._offset(start)
        for day in range(start, end, _DAY_US):
            after = self._offset(day + _DAY_US)
            if after != offset:
                change = self._change(day, day + _DAY_US, offset)
                yield _Span(start, change, offset)
                start, offset = change, after
        yield _Span(start, end, offset)

    def _change(self, low: int, high: int, offset: int) -> int:
        """Return when the offset changes between two moments; zones change at whole seconds."""
        while high - low > _SECOND_US:
            middle = (low + high) // 2 // _SECOND_US * _SECOND_US
            if self._offset(middle) == offset:
                low = middle
            else:
                high = middle
        return high

    def _offset(self, at_us: int) -> int:
        local = (_EPOCH + timedelta(microseconds=at_us)).astimezone(self._zone)
        return (local.utcoffset() or timedelta()) // _MICROSECOND


def _year_us(year: int) -> int:
    return (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND


def _year_of(at_us: int) -> int:
    return (_EPOCH + timedelta(microseconds=at_us)).year
