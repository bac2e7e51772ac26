"""What is watched: the stages with their budgets, the segments, and the calendar, as the statistics need them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from collectors.promise.working_time import WorkingTime
from collectors.signals.basis import Basis
from collectors.signals.ledger import HOUR_US, WEEK_H
from collectors.timelines.codebook import NO_BUDGET

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.promise.model import Calendar
    from collectors.timelines.codebook import Codebook

ALL: Final = "all"
_THURSDAY_H: Final = 3 * 24  # 1970 began on a Thursday
_NOON_S: Final = 12 * 3600

Muted = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Scope:
    """The watched stages [S] and segments [G], by number. ``segments[0]`` is "all".

    ``budget_us`` [S]: NO_BUDGET for none; ``working`` [S]: whether the budget is working time of ``calendar``.
    ``queues``: pairs of a stage of waiting and the stage of work that takes orders out of it. ``basis``: what a fit to
    these stages depends on; None where no promise file tells.
    """

    stages: tuple[str, ...]
    segments: tuple[str, ...]
    budget_us: NDArray[np.int64]
    working: NDArray[np.bool_]
    calendar: Calendar | None = None
    queues: tuple[tuple[int, int], ...] = ()
    basis: Basis | None = None

    @classmethod
    def of(cls, codebook: Codebook, segments: tuple[str, ...] = ()) -> Scope:
        """Return the scope of a promise file: its stages (``elsewhere`` last), "all" and these segments."""
        queues = queues_of(codebook.kinds)
        return cls(
            codebook.stages,
            (ALL, *segments),
            codebook.budget_us,
            codebook.working,
            codebook.promise.calendar,
            queues,
            Basis.of(codebook, queues),
        )

    def slots(self, first: int, last: int) -> NDArray[np.int64]:
        """Return the hour of the week (0 is Monday 0:00, by the calendar's clock) of hours [first, last)."""
        hours = np.arange(first, last, dtype=np.int64)
        return (hours + self._offsets(hours) + _THURSDAY_H) % WEEK_H

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
            days = (hours + self._offsets(hours)) // 24
            closed = np.array(list(self.calendar.closed), dtype="datetime64[D]")
            counted &= ~np.isin(days, closed.astype(np.int64))
        for begin, end in muted:
            if begin == end:
                continue  # called off before it began
            counted &= ((hours + 1) * HOUR_US <= begin) | (hours * HOUR_US >= end)
        return counted

    def budget_h(self) -> NDArray[np.float64]:
        """Return the budget of each stage [S] in hours, NaN for none."""
        return np.where(self.budget_us > max(NO_BUDGET, 0), self.budget_us / HOUR_US, np.nan)

    def _offsets(self, hours: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the zone's offset from UTC in whole hours, found once a day: that is as fine as a profile is."""
        if self.calendar is None:
            return np.zeros_like(hours)
        zone = ZoneInfo(self.calendar.timezone)
        days, place = np.unique(hours // 24, return_inverse=True)
        noons = (datetime.fromtimestamp(day * 24 * 3600 + _NOON_S, zone) for day in days.tolist())
        offsets = [round((noon.replace(tzinfo=UTC) - noon) / timedelta(hours=1)) for noon in noons]
        return np.array(offsets, dtype=np.int64)[place]


def queues_of(kinds: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of a stage that waits and the stage right after it that works."""
    return tuple((at, at + 1) for at, pair in enumerate(pairwise(kinds)) if pair == ("wait", "work"))
