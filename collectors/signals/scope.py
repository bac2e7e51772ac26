"""What is watched: the stages with their budgets, the segments, and the calendar, as the statistics need them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from collectors.promise.working_time import WorkingTime
from collectors.signals.ledger import HOUR_US, WEEK_H
from collectors.timelines.codebook import NO_BUDGET

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.promise.model import Calendar
    from collectors.timelines.codebook import Codebook

ALL: Final = "all"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WEEKDAY: Final = _EPOCH.weekday()

Muted = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Scope:
    """The watched stages [S] and segments [G], by number. ``segments[0]`` is "all".

    ``budget_us`` [S]: NO_BUDGET for none; ``working`` [S]: whether the budget is working time of ``calendar``.
    ``queues``: pairs of a stage of waiting and the stage of work that takes orders out of it.
    """

    stages: tuple[str, ...]
    segments: tuple[str, ...]
    budget_us: NDArray[np.int64]
    working: NDArray[np.bool_]
    calendar: Calendar | None = None
    queues: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, codebook: Codebook, segments: tuple[str, ...] = ()) -> Scope:
        """Return the scope of a promise file: its stages (``elsewhere`` last), "all" and these segments."""
        return cls(
            codebook.stages,
            (ALL, *segments),
            codebook.budget_us,
            codebook.working,
            codebook.promise.calendar,
            queues_of(codebook.kinds),
        )

    def slots(self, first: int, last: int) -> NDArray[np.int64]:
        """Return the hour of the week (0 is Monday 0:00, by the calendar's clock) of hours [first, last)."""
        hours = np.arange(first, last, dtype=np.int64)
        return (hours + self._offsets(first, last) + _EPOCH_WEEKDAY * 24) % WEEK_H

    def worked(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the share of each of the hours [first, last) that is working time; 1 without a calendar."""
        if self.calendar is None:
            return np.ones(last - first)
        moments = np.arange(first, last + 1, dtype=np.int64) * HOUR_US
        return np.diff(WorkingTime(self.calendar).elapsed(moments)) / HOUR_US

    def budgeted(self, first: int, last: int) -> NDArray[np.float64]:
        """Return how much [S, n] of each of the hours [first, last) counts for each stage's budget."""
        return np.where(self.working[:, np.newaxis], self.worked(first, last), 1.0)

    def counted(self, first: int, last: int, muted: Muted = ()) -> NDArray[np.bool_]:
        """Return which of the hours [first, last) count: not on closed days, nor touched by a muted window.

        ``muted``: maintenance windows [begin, end), in microseconds.
        """
        hours = np.arange(first, last, dtype=np.int64)
        counted = np.ones(last - first, dtype=np.bool_)
        if self.calendar is not None and self.calendar.closed:
            days = (hours + self._offsets(first, last)) // 24
            closed = [(day - date(1970, 1, 1)).days for day in self.calendar.closed]
            counted &= ~np.isin(days, closed)
        for begin, end in muted:
            if begin == end:
                continue  # called off before it began
            counted &= ((hours + 1) * HOUR_US <= begin) | (hours * HOUR_US >= end)
        return counted

    def budget_h(self) -> NDArray[np.float64]:
        """Return the budget of each stage [S] in hours, NaN for none."""
        return np.where(self.budget_us > max(NO_BUDGET, 0), self.budget_us / HOUR_US, np.nan)

    def _offsets(self, first: int, last: int) -> NDArray[np.int64]:
        """Return the zone's offset from UTC in whole hours, found once a day: that is as fine as a profile is."""
        if first >= last or self.calendar is None or self.calendar.timezone == "UTC":
            return np.zeros(max(last - first, 0), dtype=np.int64)
        zone = ZoneInfo(self.calendar.timezone)
        days = range(first // 24, (last - 1) // 24 + 1)
        noons = ((_EPOCH + timedelta(days=day, hours=12)).astimezone(zone).utcoffset() for day in days)
        offsets = [round((offset or timedelta()) / timedelta(hours=1)) for offset in noons]
        return np.repeat(offsets, 24)[first - days[0] * 24 :][: last - first].astype(np.int64)


def queues_of(kinds: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of a stage that waits and the stage right after it that works."""
    return tuple((at, at + 1) for at in range(len(kinds) - 1) if kinds[at : at + 2] == ("wait", "work"))
