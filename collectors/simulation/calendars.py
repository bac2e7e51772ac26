"""When people are on duty: a week of shifts, repeated, save on holidays. Moments and durations are whole microseconds.

Moments count from a Monday, 00:00. Whole numbers make a simulated moment the same on every machine.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import NamedTuple

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY


class Shift(NamedTuple):
    """Hours [opens, closes) of each of these weekdays (0 is Monday)."""

    weekdays: tuple[int, ...]
    opens: int
    closes: int


class Calendar:
    """The duty hours of a group of servers; moments are microseconds since a Monday, 00:00.

    ``holidays``: days since that Monday on which nobody is there.
    """

    def __init__(self, shifts: tuple[Shift, ...], holidays: tuple[int, ...] = ()) -> None:
        spans = sorted(
            (day * DAY + shift.opens * HOUR, day * DAY + shift.closes * HOUR)
            for shift in shifts
            for day in shift.weekdays
        )
        merged = _merge(spans)
        self._opens = [opens for opens, _ in merged]
        self._closes = [closes for _, closes in merged]
        # duty time of the week that lies before each span, and of the whole week at the end
        self._before = list(accumulate((closes - opens for opens, closes in merged), initial=0))
        missed = [(day, _on(merged, day)) for day in sorted(holidays)]
        self._missed = _merge([(day * DAY + a, day * DAY + b) for day, spans in missed for a, b in spans])

    @property
    def hours_per_week(self) -> float:
        """Duty time in a week, in hours."""
        return self._before[-1] / HOUR

    @property
    def mean_closure(self) -> int:
        """How long one who comes at any time waits for the opening, on average (microseconds)."""
        closures = [opens - closes for opens, closes in zip(self._opens[1:], self._closes, strict=False)]
        closures.append(WEEK - self._closes[-1] + self._opens[0])
        return sum(closure**2 for closure in closures) // (2 * WEEK)

    def on_duty(self, moment: int) -> bool:
        """Whether somebody is there."""
        return self.next_open(moment) == moment

    def next_open(self, moment: int) -> int:
        """Return the first moment on duty, this one or later."""
        moment = self._next_open(moment)
        for begin, end in self._missed:
            if begin <= moment < end:
                moment = self._next_open(end)
        return moment

    def after(self, moment: int, work: int) -> int:
        """Return the moment at which this much duty time has passed (work rests off duty)."""
        done = self._after(moment, work)
        missed = 0
        while (lost := self._lost(moment, done)) > missed:
            missed = lost
            done = self._after(moment, work + missed)
        return done

    def _lost(self, begin: int, end: int) -> int:
        """Return the duty time that holidays take from [begin, end)."""
        return sum(max(min(end, last) - max(begin, first), 0) for first, last in self._missed)

    def _next_open(self, moment: int) -> int:
        week, within = divmod(moment, WEEK)
        span = bisect_right(self._closes, within)
        if span == len(self._closes):
            return (week + 1) * WEEK + self._opens[0]
        return week * WEEK + max(within, self._opens[span])

    def _after(self, moment: int, work: int) -> int:
        week, within = divmod(moment, WEEK)
        span = max(bisect_right(self._opens, within) - 1, 0)
        done = self._before[span] + max(min(within, self._closes[span]) - self._opens[span], 0)
        weeks, rest = divmod(done + work, self._before[-1])
        if rest == 0 and weeks:  # done at the very close of a week, not at the opening of the next
            weeks, rest = weeks - 1, self._before[-1]
        last = max(bisect_left(self._before, rest) - 1, 0)
        return max(moment, (week + weeks) * WEEK + self._opens[last] + rest - self._before[last])


def _merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that touch, so that a handover between two shifts is no closing time."""
    merged = spans[:1]
    for opens, closes in spans[1:]:
        if opens <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(closes, merged[-1][1]))
        else:
            merged.append((opens, closes))
    return merged


def _on(spans: list[tuple[int, int]], day: int) -> list[tuple[int, int]]:
    """Return the duty hours of a weekday, from its midnight on."""
    midnight = day % 7 * DAY
    clipped = [(max(opens - midnight, 0), min(closes - midnight, DAY)) for opens, closes in spans]
    return [(opens, closes) for opens, closes in clipped if opens < closes]
