"""How fast orders leave a stage when all is well: a multiplicative model of the rate, fitted to the ledger.

The rate at which an order leaves is a product of three factors: the time that it has been inside (age bin), the hour
of the week, and how many are inside with it (WIP): where a few people serve a queue in turn, each order's chance falls
as the queue grows, and that is no slow-down. Fitted as a Poisson regression by iterative proportional fitting (each
factor in turn is set so that its margins of expected and observed departures agree), every factor drawn towards
what is expected without it, by as much as the evidence for it is thin (gamma-Poisson shrinkage).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.ledger import AGES, WEEK_H

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STRATA: Final = 5
_ROUNDS: Final = 8
# Pseudo-departures by which a factor is drawn towards what is expected without it: that of an age or a stratum, of an
# hour of the week (towards weekday times hour), of a weekday or an hour. Set by how well healthy months were foretold.
_DRAWN: Final = 10.0
_SLOT: Final = 30.0
_DAY: Final = 1.0


@dataclass(frozen=True)
class Flow:
    """What the ledger says of some hours (n): order hours ``time`` and ``departures`` [S, G, AGES, n], ``wip`` [S, n].

    ``slot`` [n] is the hour of the week, ``wip`` how many orders were inside at the begin of the hour.
    """

    time: Floats
    departures: NDArray[np.int64]
    wip: NDArray[np.int64]
    slot: NDArray[np.int64]

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Flow:
        """Return the chosen hours."""
        return Flow(self.time[..., chosen], self.departures[..., chosen], self.wip[:, chosen], self.slot[chosen])


@dataclass(frozen=True)
class Rates:
    """The fitted model: ``age`` [S, G, AGES] in departures per order hour, ``slot`` [S, 168] and ``wip`` as factors.

    The factor of the WIP is read off between ``wip_log`` [S, STRATA] (log of 1 + WIP) by its logs ``wip`` [S, STRATA];
    beyond the largest it goes on with the slope ``beyond`` [S], which is -1 where a fixed number is served at a time.
    """

    age: Floats
    slot: Floats
    wip_log: Floats
    wip: Floats
    beyond: Floats

    def expected(self, flow: Flow) -> Floats:
        """Return the departures expected [S, G, n] in each hour, given who was inside for how long."""
        found = np.einsum("sga,sgan->sgn", self.age, flow.time)
        for stage in range(len(self.slot)):
            found[stage] *= self.slot[stage][flow.slot] * self._crowding(stage, flow.wip[stage])
        return np.asarray(found)

    def _crowding(self, stage: int, wip: NDArray[np.int64]) -> Floats:
        logs = np.log1p(wip)
        factor = np.interp(logs, self.wip_log[stage], self.wip[stage])
        factor += self.beyond[stage] * np.maximum(logs - self.wip_log[stage, -1], 0.0)
        crowding: Floats = np.exp(factor)
        return crowding


def fit_rates(flow: Flow) -> Rates:
    """Fit the model to what was seen in these hours."""
    fitted = [_fit_stage(flow, stage) for stage in range(len(flow.time))]
    return Rates(*(np.stack(parts) for parts in zip(*fitted, strict=True)))


def _fit_stage(flow: Flow, stage: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    time, left = flow.time[stage], flow.departures[stage]
    total, inside = left[0].sum(axis=0), time[0]
    stratum, logs = _strata(flow.wip[stage], total)
    mean = left[0].sum() / max(inside.sum(), 1e-9)
    age: Floats = np.full(AGES, mean)
    slot: Floats = np.ones(WEEK_H)
    wip: Floats = np.zeros(STRATA)
    for _ in range(_ROUNDS):
        factor = slot[flow.slot] * np.exp(wip[stratum])
        age = _drawn(left[0].sum(axis=1), inside @ factor, mean)
        base = age @ inside
        slot = _slots(total, base * np.exp(wip[stratum]), flow.slot)
        expected = base * slot[flow.slot]
        wip = np.log(_drawn(_sums(total, stratum, STRATA), _sums(expected, stratum, STRATA), 1.0))
        wip = _filled(wip, np.bincount(stratum, minlength=STRATA))
    factor = slot[flow.slot] * np.exp(wip[stratum])
    age = _drawn(left[0].sum(axis=1), inside @ factor, mean)
    ages = [age, *(_of_segment(age, left[g], time[g] @ factor) for g in range(1, len(time)))]
    return np.stack(ages), slot, logs, wip, np.array(_slope(logs, wip))


def _of_segment(age: Floats, left: NDArray[np.int64], weight: Floats) -> Floats:
    """Return a segment's rate by age: that of all orders, times a factor each of level and age."""
    level = _drawn(left.sum(), float(age @ weight), 1.0)
    expected = level * age * weight
    own: Floats = level * age * _drawn(left.sum(axis=1), expected, 1.0)
    return own


def _drawn(seen: NDArray[np.int64] | Floats, expected: Floats | float, towards: float) -> Floats:
    """Return seen / expected, drawn towards a value as far as the evidence is thin."""
    if towards <= 0:
        return np.zeros_like(expected)
    drawn: Floats = np.asarray((seen + _DRAWN) / (expected + _DRAWN / towards), dtype=np.float64)
    return drawn


def _slots(seen: NDArray[np.int64], expected: Floats, slot: NDArray[np.int64]) -> Floats:
    """Return the factor of each hour of the week, drawn towards that of its weekday times that of its hour."""
    seen_at = _sums(seen, slot, WEEK_H).reshape(7, 24)
    expected_at = _sums(expected, slot, WEEK_H).reshape(7, 24)
    day, hour = np.ones((7, 1)), np.ones((1, 24))
    for _ in range(3):
        day = (seen_at.sum(axis=1, keepdims=True) + _DAY) / ((expected_at * hour).sum(axis=1, keepdims=True) + _DAY)
        hour = (seen_at.sum(axis=0, keepdims=True) + _DAY) / ((expected_at * day).sum(axis=0, keepdims=True) + _DAY)
    planned = day * hour
    factor: Floats = ((seen_at + _SLOT * planned) / (expected_at + _SLOT)).ravel()
    return factor


def _strata(wip: NDArray[np.int64], left: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """Part the hours by WIP, as many departures in each; return each hour's stratum, and the strata's mean log."""
    logs = np.log1p(wip)
    line = np.argsort(logs, kind="stable")
    weight = np.cumsum(left[line] + 1e-3)
    edges = logs[line][np.searchsorted(weight, weight[-1] * np.arange(1, STRATA) / STRATA)]
    stratum = np.searchsorted(edges, logs, side="left")
    counts = np.bincount(stratum, minlength=STRATA)
    sums = np.bincount(stratum, logs, minlength=STRATA)
    middle: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), np.append(edges, logs.max()))
    return stratum, np.maximum.accumulate(middle + 1e-9 * np.arange(STRATA))


def _slope(logs: Floats, wip: Floats) -> float:
    """Return how the log factor falls with the log WIP over the upper strata, between -1 and 0."""
    upper = slice(STRATA // 2, None)
    spread = logs[upper] - logs[upper].mean()
    if (spread**2).sum() < 1e-6:
        return 0.0
    return float(np.clip((spread * wip[upper]).sum() / (spread**2).sum(), -1.0, 0.0))


def _sums(values: NDArray[np.int64] | Floats, place: NDArray[np.int64], places: int) -> Floats:
    return np.asarray(np.bincount(place, values, minlength=places), dtype=np.float64)


def _filled(wip: Floats, hours: NDArray[np.int64]) -> Floats:
    """Give a stratum without hours (few inside: many hours have the same WIP) the factor of the one before it."""
    known = np.maximum.accumulate(np.where(hours > 0, np.arange(STRATA), 0))
    # A crowd makes nobody leave sooner: where a few weeks say so, it is chance.
    filled: Floats = np.minimum.accumulate(wip[known])
    return filled
