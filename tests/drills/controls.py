"""What others would page on, over the same half-years: the plain hazard CUSUM, and burn rates of the miss rate.

The hazard CUSUM (Biswas & Kalbfleisch 2008) judges each order's time in a stage against its hazard by age alone, and
its limit is that of orders which move independently: both hold where nobody queues. The burn rates are those that
Sloth documents for 30 days: page at 14.4 times the budget over 5 minutes and 1 hour, or 6 times over 30 minutes and 6
hours. Last, the miss rate itself: a one-sided binomial test on the promises that came due in the last four weeks, at
the limit that one healthy half-year in ten exceeds.
"""

from __future__ import annotations

from math import lgamma, log, log1p
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.cusum import SLOWER, highest, run
from collectors.signals.ledger import HOUR_US
from collectors.simulation import STAGES
from collectors.timelines.measuring import NEVER
from tests.drills.histories import BEGIN_US, DAY_US, REFERENCE_FROM, REFERENCE_TO, SLOWED_FROM
from tests.drills.judging import begins

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from collectors.signals.ledger import Ledger
    from tests.drills.histories import Life

    Floats = NDArray[np.float64]

BURN: Final = ((14.4, 5, 60), (6.0, 30, 360))
BUDGET: Final = 0.05
COHORT_DAYS: Final = 28
# The share of healthy half-years in which the miss rate may be taken to show what is not there.
FALSE_SHARE: Final = 0.1
_DRAWS: Final = 200
_MINUTE_US: Final = 60_000_000


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


def burn_pages(lived: Life, promise_us: int, until_day: int) -> int:
    """Count the pages of the burn rates over the promises kept and broken, minute by minute."""
    first, last = (BEGIN_US + day * DAY_US for day in (REFERENCE_TO, until_day))
    done = (lived.shipped != NEVER) & (lived.started != NEVER)
    at = np.clip((lived.shipped[done] - first) // _MINUTE_US, -1, None)
    missed = lived.shipped[done] - lived.started[done] - lived.paused[done] > promise_us
    minutes = (last - first) // _MINUTE_US
    inside = (at >= 0) & (at < minutes)
    every, bad = (np.cumsum(np.bincount(at[inside], w, minutes)) for w in (None, missed[inside].astype(float)))

    def burning(length: int, rate: float) -> NDArray[np.bool_]:
        total, wrong = (values - np.concatenate([np.zeros(length), values[:-length]]) for values in (every, bad))
        return np.asarray((total > 0) & (wrong > rate * BUDGET * total))

    alarm = np.zeros(minutes, dtype=np.bool_)
    for rate, short, long in BURN:
        alarm |= burning(short, rate) & burning(long, rate)
    return len(begins(alarm, 60))


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
