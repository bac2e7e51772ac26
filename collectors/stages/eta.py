"""When an order in flight will be ready: from how long orders like it still took, a P50 and a P90 of what remains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.timelines.judging import BROKEN, KEPT, Judged
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.timelines.codebook import Codebook

FEWEST: Final = 20  # samples below which a percentile says little
KEPT_SAMPLES: Final = 2_000
QUANTILES: Final = (50, 90)
ON_TRACK: Final = 0
AT_RISK: Final = 1
LATE: Final = 2
RISKS: Final = ("on track", "at risk", "late")

_Pairs = tuple["NDArray[np.int64]", "NDArray[np.int64]"]


class History:
    """The most recent finished orders, as pairs per stage: time in the stage, and time elsewhere until the end.

    Memory is bounded: of each stage the last ``kept`` samples stay, in the order in which they were added, so the
    same orders in the same order give the same answer.
    """

    def __init__(self, codebook: Codebook, kept: int = KEPT_SAMPLES) -> None:
        self.codebook, self.kept = codebook, kept
        empty = np.zeros(0, dtype=np.int64)
        self._samples: list[_Pairs] = [(empty, empty)] * len(codebook.stages)
        self._longest_first: dict[int, _Pairs] = {}
        self._percentiles: dict[tuple[int, int], tuple[float, float]] = {}

    def add(self, judged: Judged) -> None:
        """Learn from the finished orders (kept or broken) of a batch, oldest first; the others are passed over."""
        measured = judged.measured
        finished = judged.ended & np.isin(judged.verdict, (KEPT, BROKEN))
        for stage in range(len(self.codebook.stages)):
            rows = np.flatnonzero(finished & (measured.entered[:, stage] != NEVER))
            if not len(rows):
                continue
            inside = judged.stage_us[rows, stage]
            rest = np.maximum(measured.end[rows] - measured.entered[rows, stage] - inside, 0)
            old_inside, old_rest = self._samples[stage]
            both = np.concatenate([old_inside, inside]), np.concatenate([old_rest, rest])
            self._samples[stage] = (both[0][-self.kept :], both[1][-self.kept :])
        self._longest_first.clear()
        self._percentiles.clear()

    def sample(self, stage: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return a stage's samples, oldest first: time in the stage, time elsewhere until the end; microseconds."""
        return self._samples[stage]

    def remaining(
        self, stage: int, age_us: NDArray[np.int64], last_rank: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the P50 and P90 of what remains to orders that have been in ``stage`` for ``age_us``; microseconds.

        Among past orders that were longer in the stage than this one has been; with fewer than 20 of them among all
        that were in it; with fewer than 20 of these by budgets, where P50 = P90. ``last_rank`` (of each order's last
        main-line status) says which budgets lie ahead; without it, those after the stage's own place.
        """
        age = np.asarray(age_us, dtype=np.int64)
        if len(self._samples[stage][0]) < FEWEST:
            planned = self._planned(stage, age, last_rank)
            return planned, planned.copy()
        inside, total = self._sorted(stage)
        # Longest first, the samples beyond an age are a prefix; orders of like age share it.
        beyond = np.searchsorted(-inside, -age, side="left")
        result = np.empty((2, len(age)), dtype=np.int64)
        many = beyond >= FEWEST
        counts, place = np.unique(beyond[many], return_inverse=True)
        known = np.array([self._of_prefix(stage, count, total) for count in counts.tolist()]).reshape(-1, 2)
        result[:, many] = known[place].T - age[many]
        for count in np.unique(beyond[~many]).tolist():
            chosen = beyond == count
            result[:, chosen] = _of_all(inside, total, count, age[chosen])
        return result[0], result[1]

    def remaining_of(self, judged: Judged) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the P50 and P90 of what remains to each judged order in flight, 0 for others; microseconds."""
        stage = judged.measured.tail_stage
        p50, p90 = np.zeros((2, len(stage)), dtype=np.int64)
        for number in np.unique(stage[stage >= 0]).tolist():
            rows = np.flatnonzero(stage == number)
            age = judged.stage_us[rows, number]
            p50[rows], p90[rows] = self.remaining(number, age, judged.measured.last_rank[rows])
        return p50, p90

    def _sorted(self, stage: int) -> _Pairs:
        if stage not in self._longest_first:
            inside, rest = self._samples[stage]
            line = np.argsort(-inside, kind="stable")
            self._longest_first[stage] = (inside[line], (inside + rest)[line])
        return self._longest_first[stage]

    def _of_prefix(self, stage: int, count: int, total: NDArray[np.int64]) -> tuple[float, float]:
        """Return the percentiles of d + r over the ``count`` longest; (d - a) + r only shifts them."""
        key = (stage, count)
        if key not in self._percentiles:
            low, high = np.percentile(total[:count], QUANTILES)
            self._percentiles[key] = (float(low), float(high))
        return self._percentiles[key]

    def _planned(self, stage: int, age: NDArray[np.int64], last_rank: NDArray[np.float64] | None) -> NDArray[np.int64]:
        rank = np.full(len(age), self.codebook.stage_rank[stage]) if last_rank is None else last_rank
        budget = max(int(self.codebook.budget_us[stage]), 0)
        return np.maximum(budget - age, 0) + self.codebook.budgets_ahead_us(rank)


def _of_all(
    inside: NDArray[np.int64], total: NDArray[np.int64], count: int, age: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the percentiles over all samples of max(d - a, 0) + r [2, n]; of ``count``, the longest ones, d > a.

    These few shift with the age and all others do not: so each percentile is found by as many comparisons of whole
    arrays, and not by sorting for each order.
    """
    shifting, fixed = np.sort(total[:count]), np.sort(total[count:] - inside[count:])
    result = np.empty((2, len(age)))
    for row, quantile in enumerate(QUANTILES):
        at = (len(total) - 1) * (quantile / 100)
        below = int(at)
        low = _smallest(fixed, shifting, below, age)
        high = _smallest(fixed, shifting, min(below + 1, len(total) - 1), age)
        share = at - below
        # As numpy interpolates, to the last bit.
        result[row] = low + (high - low) * share if share < 1 / 2 else high - (high - low) * (1 - share)
    return result


def _smallest(
    fixed: NDArray[np.int64], shifting: NDArray[np.int64], place: int, age: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the value at ``place`` of ``fixed`` and ``shifting - a`` sorted together, for each age [n].

    However many of the first place + 1 values one takes from either, the larger of the two last ones is not below it;
    and it is one of these.
    """
    found = np.full(len(age), NEVER)
    for taken in range(max(place + 1 - len(fixed), 0), min(place + 1, len(shifting)) + 1):
        last = np.full(len(age), np.iinfo(np.int64).min) if not taken else shifting[taken - 1] - age
        if taken <= place:
            last = np.maximum(last, fixed[place - taken])
        found = np.minimum(found, last)
    return found


def risks(
    promise_at: NDArray[np.int64], as_of: int, p50_us: NDArray[np.int64], p90_us: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Return ON_TRACK (P90 inside the promise), AT_RISK (only P50 inside) or LATE (P50 outside, or it has passed)."""
    late = (promise_at < as_of) | (as_of + p50_us > promise_at)
    return np.where(late, LATE, np.where(as_of + p90_us > promise_at, AT_RISK, ON_TRACK)).astype(np.int8)
