"""Working time: the hours of a calendar, and the moment at which a budget of them is used up.

Moments and lengths are integers of microseconds (moments since 1970 in UTC).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from .moments import local_day, moment_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Calendar:
    """When people work: the same hours on each of some weekdays, save on closed days."""

    weekdays: frozenset[int]
    opens: timedelta
    closes: timedelta
    zone: ZoneInfo
    closed: frozenset[date]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Calendar":
        """Read `{weekdays, hours, timezone, closed}`."""
        opens, closes = (_since_midnight(clock) for clock in raw["hours"].split("-"))
        return cls(
            weekdays=frozenset(WEEKDAYS.index(day) for day in raw["weekdays"]),
            opens=opens,
            closes=closes,
            zone=ZoneInfo(raw.get("timezone", "UTC")),
            closed=frozenset(_day(day) for day in raw.get("closed") or ()),
        )

    @property
    def day_s(self) -> int:
        """Seconds in one working day, by the clock on the wall."""
        return int((self.closes - self.opens).total_seconds())

    @property
    def week_s(self) -> int:
        """Seconds in one working week."""
        return len(self.weekdays) * self.day_s

    def used_up(self, stretches: Sequence[tuple[int, int]], budget: int) -> int | None:
        """First moment at which the working time in these stretches reached the budget, if it did."""
        left = budget
        for start, end in stretches:
            if left <= 0:
                return start
            for opened, closed in self._working(start, end):
                if closed - opened >= left:
                    return opened + left
                left -= closed - opened
        return None

    def _working(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        day, last = local_day(start, self.zone), local_day(end, self.zone)
        while day <= last:
            if day.weekday() in self.weekdays and day not in self.closed:
                opened, closed = _window(self, day)
                if max(opened, start) < min(closed, end):
                    yield max(opened, start), min(closed, end)
            day += timedelta(days=1)


@cache
def _window(calendar: Calendar, day: date) -> tuple[int, int]:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall-clock time, zoned by moment_of
    return (
        moment_of(midnight + calendar.opens, calendar.zone),
        moment_of(midnight + calendar.closes, calendar.zone),
    )


def _since_midnight(clock: str) -> timedelta:
    hours, minutes = clock.strip().split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _day(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)
