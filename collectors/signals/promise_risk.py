"""How many of the open promises will break: the expected number, and an interval that past forecasts have earned.

Orders in one queue wait together, so the number spreads wider than independent orders would let it. How much wider is
measured: the forecast is made again as of past weeks, by what was known then, and held against what came. Between
orders the variance is that of independent ones plus the square of a relative error that they all share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.chances import Chances
from collectors.signals.flights import ENDED, WITHDRAWN, flight_of, outcomes_of
from collectors.signals.stays import WEEK_US
from collectors.timelines.judging import BROKEN, CANCELLED, OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.signals.flights import InFlight, Visits
    from collectors.timelines.codebook import Codebook

    Floats = NDArray[np.float64]

Z: Final = 1.6449  # the normal quantile that leaves 5 % on either side
USUAL_ERROR: Final = 0.3  # the shared relative error believed before any forecast has been checked
USUAL_COUNTS_AS: Final = 4.0  # forecasts
LEAST_ERROR: Final = 0.05
WEEKS_BACK: Final = 12
FEWEST_VISITS: Final = 100


@dataclass(frozen=True)
class PastForecast:
    """A forecast that has been checked: expected breaks, their variance if orders were independent, and breaks."""

    moment: int
    orders: int
    expected: float
    variance: float
    broken: int


@dataclass(frozen=True)
class Risk:
    """Open promises and how many will break: ``expected``, between ``lower`` and ``upper`` in nine cases of ten.

    The shares are None where nothing is open.
    """

    open: int
    expected: float
    lower: float
    upper: float

    @property
    def share(self) -> float | None:
        """The expected share."""
        return self._share(self.expected)

    @property
    def lower_share(self) -> float | None:
        """The lower bound of the share."""
        return self._share(self.lower)

    @property
    def upper_share(self) -> float | None:
        """The upper bound of the share."""
        return self._share(self.upper)

    def _share(self, count: float) -> float | None:
        return count / self.open if self.open else None


def promise_risk(orders: InFlight, chance: Floats, shared_error: float) -> Risk:
    """Return the risk of the open promises among these orders. ``chance`` [n]: of each to break."""
    found = chance[orders.open]
    expected, variance = float(found.sum()), float((found * (1 - found)).sum())
    lower, upper = interval(expected, variance, shared_error)
    return Risk(len(found), expected, min(lower, float(len(found))), min(upper, float(len(found))))


def risk_by_stage(orders: InFlight, chance: Floats, shared_error: float, stages: int) -> list[Risk]:
    """Return the risk of the open promises of the orders now in each stage."""
    return [_risk_among(orders, chance, shared_error, orders.stage == stage) for stage in range(stages)]


def risk_by_segment(
    orders: InFlight, chance: Floats, shared_error: float, members: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Risk]:
    """Return the risk of the open promises of each segment. ``members``: the orders [n] of each, by name."""
    return {name: _risk_among(orders, chance, shared_error, chosen) for name, chosen in members.items()}


def _risk_among(orders: InFlight, chance: Floats, shared_error: float, chosen: NDArray[np.bool_]) -> Risk:
    return promise_risk(orders.take(chosen), chance[chosen], shared_error)


def interval(expected: float, variance: float, shared_error: float) -> tuple[float, float]:
    """Return the bounds of the number of breaks, half an order wider because orders are whole.

    Quantiles of the gamma law with this mean and variance (Wilson & Hilferty, PNAS 17, 1931).
    """
    if expected <= 0:
        return 0.0, 0.0
    shape = expected**2 / max(variance + (shared_error * expected) ** 2, 1e-12)
    roots = (max(1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape)), 0.0) for z in (-Z, Z))
    lower, upper = (expected * root**3 for root in roots)
    return max(min(lower - 0.5, expected), 0.0), max(upper + 0.5, expected)


def shared_error(past: Sequence[PastForecast]) -> float:
    """Return the relative error that orders share, from checked forecasts; it leans on a usual one while they are few.

    By moments: what the squared errors exceed the variance of independent orders by, over the squared expectations.
    """
    if not past:
        return USUAL_ERROR
    expected = np.array([one.expected for one in past])
    errors = np.array([one.broken for one in past]) - expected
    excess = float((errors**2).sum() - sum(one.variance for one in past))
    squares = float((expected**2).sum())
    lean = USUAL_COUNTS_AS * squares / len(past)
    if squares <= 0:
        return USUAL_ERROR
    return max(math.sqrt(max((excess + USUAL_ERROR**2 * lean) / (squares + lean), 0.0)), LEAST_ERROR)


def past_forecasts(visits: Visits, codebook: Codebook, now: int, weeks: int = WEEKS_BACK) -> list[PastForecast]:
    """Forecast anew as of past weeks, and check: the latest ones of which nine orders in ten have their verdict.

    A week with unresolved orders counts these by the chance that they had: known breaks alone would flatter. Costs a
    fit a week, so ask once a day. Visits that ``Recent`` has dropped are missed; give it the window for it.
    """
    outcomes = outcomes_of(visits, now, codebook)
    found: list[PastForecast] = []
    moment = now - WEEK_US
    while len(found) < weeks:
        known = visits.as_of(moment)
        departed = np.count_nonzero(np.isin(known.then, (ENDED, WITHDRAWN)))
        if departed < FEWEST_VISITS // 5 or len(known) < FEWEST_VISITS:
            break
        flight = flight_of(visits, moment, codebook)
        flight = flight.take(flight.open)
        verdict = outcomes.of(flight.order).verdict
        if len(flight) and np.count_nonzero(verdict == OPEN) <= len(flight) / 10:
            found.append(_checked(Chances.learn(known, codebook, moment).of(flight), flight, verdict))
        moment -= WEEK_US
    return found


def _checked(chance: Floats, flight: InFlight, verdict: NDArray[np.int8]) -> PastForecast:
    counted = ~np.isin(verdict, (OPEN, CANCELLED))
    chance = chance[counted]
    broken = int(np.count_nonzero(verdict[counted] == BROKEN))
    variance = float((chance * (1 - chance)).sum())
    return PastForecast(flight.as_of, int(counted.sum()), float(chance.sum()), variance, broken)
