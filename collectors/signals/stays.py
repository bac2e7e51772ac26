"""How long orders stay in a stage: a law per stage, learnt from departures and from those who are still inside.

Time in a stage is counted in *duty hours*: an hour of the week counts by how often orders leave the stage in it, so
that a night in which nobody leaves ages nobody. The hours' weights are learnt per stage; they average to 1.
The law itself is a hazard that is constant between quantiles of the departures (Nelson and Aalen's estimator with
straight lines between them), with a tail that falls as 1/age beyond the last departure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HOUR_US: Final = 3_600_000_000
WEEK_H: Final = 168
WEEK_US: Final = WEEK_H * HOUR_US
PRIOR_DEPARTURES: Final = 4.0  # how many departures an hour of the week must show before it is believed half
PER_BIN: Final = 12.0  # departures in one piece of the law
MOST_BINS: Final = 60
FARTHEST_WEEKS: Final = 520  # orders that have lain for longer age no further


@dataclass(frozen=True)
class Week:
    """The duty hours of a week: ``weights`` [168] by the hour since Thursday 00:00 UTC, as 1970 began; mean 1."""

    weights: Floats

    def elapsed(self, moment_us: NDArray[np.int64]) -> Floats:
        """Return the duty hours from 1970 to each moment."""
        week, within = np.divmod(moment_us, WEEK_US)
        before = np.concatenate([[0.0], np.cumsum(self.weights)])
        hour = within / HOUR_US
        return np.asarray(week * before[-1] + np.interp(hour, np.arange(WEEK_H + 1), before))

    def between(self, begin_us: NDArray[np.int64], end_us: NDArray[np.int64]) -> Floats:
        """Return the duty hours between moments, 0 where the end lies before the beginning."""
        return np.maximum(self.elapsed(end_us) - self.elapsed(begin_us), 0.0)


EVEN_WEEK: Final = Week(np.ones(WEEK_H))


def learn_week(entered: NDArray[np.int64], left: NDArray[np.int64], weight: Floats, now: int) -> Week:
    """Learn a stage's duty hours: departures over orders inside, by the hour of the week.

    An hour with few departures leans on the product of its weekday and its hour of the day, and these on evenness.
    """
    gone = left != NEVER
    departures = np.bincount(_hour_of_week(left[gone]), weights=weight[gone], minlength=WEEK_H).astype(np.float64)
    inside = _inside(entered, np.where(gone, left, now), weight)
    total, exposure = departures.sum(), inside.sum()
    if total < PRIOR_DEPARTURES or exposure <= 0:
        return EVEN_WEEK
    expected = inside * total / exposure
    days, hours = (_ratio(departures, expected, axis) for axis in (1, 0))
    product = np.outer(days, hours).ravel()
    weights = (departures + PRIOR_DEPARTURES * product) / (expected + PRIOR_DEPARTURES)
    return Week(weights / weights.mean())


def _ratio(departures: Floats, expected: Floats, axis: int) -> Floats:
    """Return seen over expected departures of each weekday (axis 1) or hour of the day (axis 0)."""
    seen, awaited = (table.reshape(7, 24).sum(axis=axis) for table in (departures, expected))
    return np.asarray((seen + PRIOR_DEPARTURES) / (awaited + PRIOR_DEPARTURES))


def _hour_of_week(moment_us: NDArray[np.int64]) -> NDArray[np.int64]:
    return moment_us // HOUR_US % WEEK_H


def _inside(entered: NDArray[np.int64], left: NDArray[np.int64], weight: Floats) -> Floats:
    """Return the weighted order hours in each hour of the week."""
    begin = np.maximum(entered, left - FARTHEST_WEEKS * WEEK_US)
    weeks, rest = np.divmod(np.maximum(left - begin, 0), WEEK_US)
    whole = np.full(WEEK_H, float(weight @ weeks))
    # What goes beyond whole weeks is a stretch that may wrap around: from its hour up to another, in two laps.
    first = begin % WEEK_US / HOUR_US
    part = _covered(first, first + rest / HOUR_US, weight).reshape(2, WEEK_H).sum(axis=0)
    return np.asarray(whole + part)


def _covered(first: Floats, last: Floats, weight: Floats) -> Floats:
    """Return how much of each of 336 hours the stretches [first, last) cover, weighted."""
    edges = 2 * WEEK_H

    def reached(point: Floats) -> Floats:
        """Return how much of each hour the stretches [0, point) cover, weighted."""
        hour = point.astype(np.int64)
        count = np.bincount(hour, weights=weight, minlength=edges)
        part = np.bincount(hour, weights=weight * (point - hour), minlength=edges)
        beyond = weight.sum() - np.cumsum(count)
        return np.asarray(part + beyond)

    return reached(last) - reached(first)


@dataclass(frozen=True)
class StayLaw:
    """The cumulative hazard of a stay: ``age`` [b] in duty hours, rising from 0, and ``hazard`` [b] up to there."""

    age: Floats
    hazard: Floats

    def cumulative(self, age: Floats) -> Floats:
        """Return the cumulative hazard at each age (duty hours); beyond the last one the hazard falls as 1/age."""
        end, last = self.age[-1], self.hazard[-1]
        slope = (last - self.hazard[-2]) / (end - self.age[-2])
        within = np.interp(age, self.age, self.hazard)
        tail = slope * end * np.log(np.maximum(age, end) / end)
        return np.asarray(within + tail)

    def staying(self, age: Floats) -> Floats:
        """Return the chance of a stay longer than each age."""
        return np.exp(-self.cumulative(age))


def learn_law(age: Floats, gone: NDArray[np.bool_], weight: Floats, prior: StayLaw) -> StayLaw:
    """Learn a law from stays of these ages (duty hours), departed or still inside; it leans on ``prior`` where few are.

    Each piece of the law counts as if ``PRIOR_DEPARTURES / 4`` orders more had left in it by the prior's hazard.
    """
    left = np.sort(age[gone])
    bins = int(min(weight[gone].sum() / PER_BIN, MOST_BINS))
    if bins < 1 or left[-1] <= 0:
        return prior
    edges = np.unique(np.concatenate([[0.0], np.quantile(left, np.linspace(0, 1, bins + 1))]))
    departures, _ = np.histogram(age[gone], edges, weights=weight[gone])
    exposure = np.diff(_time_below(age, weight, edges))
    width, lean = np.diff(edges), PRIOR_DEPARTURES / 4
    expected = np.maximum(np.diff(prior.cumulative(edges)) / width, 1e-9)
    rate = (departures + lean) / (exposure + lean / expected)
    return StayLaw(edges, np.concatenate([[0.0], np.cumsum(rate * width)]))


def _time_below(age: Floats, weight: Floats, edges: Floats) -> Floats:
    """Return the weighted sum of min(age, edge) at every edge."""
    line = np.argsort(age)
    sorted_age, sorted_weight = age[line], weight[line]
    count = np.searchsorted(sorted_age, edges, side="right")
    time = np.concatenate([[0.0], np.cumsum(sorted_age * sorted_weight)])
    mass = np.pad(np.cumsum(sorted_weight), (1, 0))
    return np.asarray(time[count] + edges * (mass[-1] - mass[count]))


def exponential(mean_h: float) -> StayLaw:
    """Return the law of stays that end at any age alike."""
    return StayLaw(np.array([0.0, 50 * mean_h]), np.array([0.0, 50.0]))
