"""What others would page on, over the same half-years: the plain hazard CUSUM, and burn rates of the miss rate.

The hazard CUSUM (Biswas & Kalbfleisch 2008) judges each order's time in a stage against its hazard by age alone, and
its limit is that of orders which move independently: both hold where nobody queues. The burn rates are those of the
rules that Sloth generates for 95 % over 30 days: see ``sloth``. Last, the miss rate itself: a one-sided binomial test
on the promises that came due in the last four weeks, at the limit that one healthy half-year in ten exceeds.
"""

from __future__ import annotations

from math import lgamma, log, log1p
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from collectors.signals.cusum import SLOWER, highest, run
from collectors.signals.ledger import HOUR_US
from collectors.simulation import STAGES
from collectors.timelines.measuring import NEVER
from tests.drills.histories import BEGIN_US, DAY_US, REFERENCE_FROM, REFERENCE_TO, SLOWED_FROM
from tests.drills.judging import begins

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from collectors.signals.ledger import Ledger
    from tests.drills.histories import Life
    from tests.drills.sloth import BurnRules, Rate

    Floats = NDArray[np.float64]

COHORT_DAYS: Final = 28
# The share of healthy half-years in which the miss rate may be taken to show what is not there.
FALSE_SHARE: Final = 0.1
_DRAWS: Final = 200
_MINUTE_US: Final = 60_000_000
# An alert that fires again within the hour is the same page.
_SAME_MIN: Final = 60


class Shipped(NamedTuple):
    """The orders shipped in each minute [minutes], and how many of them had broken their promise."""

    every: NDArray[np.int64]
    broken: NDArray[np.int64]


class Burnt(NamedTuple):
    """How often the burn rates of a half-year paged, and how often they made a ticket."""

    pages: int
    tickets: int


def hazard_pages(ledger: Ledger, until_day: int, seed: int) -> int:
    """Count the pages of the plain hazard CUSUM over the stages, from the end of the reference to a day."""
    begin, frozen, end = (_hour(day) for day in (REFERENCE_FROM, REFERENCE_TO, until_day))
    spent, left = ledger.time(begin, frozen)[:, 0], ledger.departures(begin, frozen)[:, 0]
    hazard = left.sum(axis=-1) / np.maximum(spent.sum(axis=-1), 1.0)
    expected = np.einsum("sa,san->sn", hazard, ledger.time(frozen, end)[:, 0])
    seen = ledger.departures(frozen, end)[:, 0].sum(axis=1)
    rng = np.random.default_rng(seed)
    mean = left.sum(axis=(1, 2))[:, np.newaxis] / (frozen - begin) * np.ones(expected.shape[-1])
    tops = np.array([highest(mean, rng.poisson(mean), SLOWER) for _ in range(_DRAWS)])
    # As many false pages as ours are allowed, shared among the stages.
    limit = np.quantile(tops, 1 - 0.1 / len(STAGES), axis=0)
    score = run(expected, seen, SLOWER, limit).score
    return sum(len(begins(row >= one)) for row, one in zip(score, limit, strict=True))


def burnt(lived: Life, promise_us: int, until_day: int, rules: BurnRules) -> Burnt:
    """Count the pages and tickets of burn rates, from the end of the reference to a day."""
    orders = shipped(lived, promise_us, until_day)
    alarms = (burning(orders, rates, rules.budget) for rates in (rules.page, rules.ticket))
    return Burnt(*(len(begins(alarm, _SAME_MIN)) for alarm in alarms))


def shipped(lived: Life, promise_us: int, until_day: int) -> Shipped:
    """Return the orders shipped in each minute from the end of the reference to a day."""
    first, last = (BEGIN_US + day * DAY_US for day in (REFERENCE_TO, until_day))
    minutes = (last - first) // _MINUTE_US
    counts = (lived.shipped != NEVER) & (lived.started != NEVER) & (lived.shipped >= first) & (lived.shipped < last)
    at = (lived.shipped[counts] - first) // _MINUTE_US
    broken = (lived.shipped - lived.started - lived.paused)[counts] > promise_us
    return Shipped(np.bincount(at, minlength=minutes), np.bincount(at[broken], minlength=minutes))


def burning(orders: Shipped, rates: Sequence[Rate], budget: float) -> NDArray[np.bool_]:
    """Return at the end of which minutes [minutes] any of the rates is exceeded over both of its windows.

    As a Prometheus does that evaluates recorded ratios every minute: a window without an order is 0 / 0, and silent.
    """

    def exceeded(rate: Rate, window: int) -> NDArray[np.bool_]:
        every, broken = (_over(window, one) for one in orders)
        ratio = np.divide(broken, every, out=np.zeros(len(every)), where=every > 0)
        return np.asarray(ratio > rate.factor * budget)

    alarms = [exceeded(rate, rate.short) & exceeded(rate, rate.long) for rate in rates]
    return np.asarray(np.any(alarms, axis=0))


def _over(window: int, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum of each minute and those before it that the window holds; it begins with the first."""
    total = np.cumsum(counts)
    total[window:] -= total[:-window].copy()
    return total


def miss_rate_shows(lived: Life, promise_us: int, until_day: int, limit: float) -> int | None:
    """Return the day on which the miss rate shows a slow-down that began on SLOWED_FROM, None if it does not."""
    chances = miss_rate_chances(lived, promise_us, SLOWED_FROM, until_day)
    return next((SLOWED_FROM + 1 + day for day, chance in enumerate(chances) if chance < limit), None)


def miss_rate_limit(healthy: Iterable[Life], promise_us: int, until_day: int) -> float:
    """Return the chance (its logarithm) below which the miss rate falls in one of ten of these healthy half-years."""
    lowest = [min(miss_rate_chances(lived, promise_us, REFERENCE_TO, until_day)) for lived in healthy]
    return float(np.quantile(lowest, FALSE_SHARE))


def miss_rate_chances(lived: Life, promise_us: int, first_day: int, until_day: int) -> list[float]:
    """Return how likely the broken promises of each day's last four weeks are, as logarithms.

    Each midnight: of the promises that came due in the last four weeks, so many or more are broken, at the share of
    those that came due in the reference period.
    """
    due = lived.started + promise_us + lived.paused
    counts = (lived.started != NEVER) & (lived.cancelled == NEVER)
    broken = lived.shipped > due
    share = _share(due[counts], broken[counts], REFERENCE_FROM, REFERENCE_TO)
    found = []
    for day in range(first_day + 1, until_day + 1):
        recent = counts & _between(due, day - COHORT_DAYS, day)
        found.append(binomial_beyond(int((broken & recent).sum()), int(recent.sum()), share))
    return found


def binomial_beyond(wrong: int, every: int, share: float) -> float:
    """Return the logarithm of the chance of so many or more of ``every``, where each has this share."""
    terms = [
        lgamma(every + 1) - lgamma(k + 1) - lgamma(every - k + 1) + k * log(share) + (every - k) * log1p(-share)
        for k in range(wrong, every + 1)
    ]
    return min(float(np.logaddexp.reduce(terms)), 0.0)


def _share(due: NDArray[np.int64], broken: NDArray[np.bool_], first: int, last: int) -> float:
    chosen = _between(due, first, last)
    return float((broken[chosen].sum() + 0.5) / (chosen.sum() + 1))


def _between(moments: NDArray[np.int64], first: int, last: int) -> NDArray[np.bool_]:
    return np.asarray((moments >= BEGIN_US + first * DAY_US) & (moments < BEGIN_US + last * DAY_US))


def _hour(day: int) -> int:
    return (BEGIN_US + day * DAY_US) // HOUR_US
