"""How fast orders leave a stage when all is well: a model of the rate, fitted to the ledger.

What would leave in an hour if nobody stood in anybody's way is the stage's *load*: everybody inside, weighted by the
rate at which orders of that age (time inside so far) leave. Where a few people serve a queue in turn, no more leave
than they can serve, however long it grows: the load passes through a capacity, which is learnt (and infinite where
orders move independently of each other), and the hour of the week multiplies what is left. Where the work that a
queue waits for is a stage of its own, how many are at work there says more: the more there are, the fewer leave the
queue, and while everybody is busy no more leave it than work is done.

Fitted as a Poisson regression by iterative proportional fitting (each factor in turn is set so that its margins of
expected and observed departures agree), ages and hours drawn towards what is expected without them, by as much as the
evidence for them is thin (gamma-Poisson shrinkage); the capacity by the highest likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.ledger import AGES, WEEK_H

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

AHEAD: Final = 5
_ROUNDS: Final = 8
# The capacities that are tried, against the mean load of the hours: from far too small to none that anybody would see;
# and for queues that are held by the work after them.
_ANY: Final = (*(float(2.0 ** (step / 2)) for step in range(-4, 13)), np.inf)
_WIDE: Final = tuple(capacity for capacity in _ANY if capacity > 1)
# The share of hours in which as many are in the work ahead as ever, if there is a most.
_USUAL: Final = 0.1
# By how much more orders may leave a queue, in an hour, than are expected to be done by those who are all busy: less
# than a slow-down that any test would see.
_HANDS: Final = 1.2
# By how much more likely (its logarithm) a capacity must make what was seen than none does: the hours, whole days.
_WORTH: Final = 4.0
_DAYS_WORTH: Final = 12.0
# Pseudo-departures by which a factor is drawn towards what is expected without it: that of an age, of an hour of the
# week (towards weekday times hour), of a weekday or an hour. Set by how well healthy months were foretold.
_DRAWN: Final = 10.0
_SLOT: Final = 3.0
_DAY: Final = 1.0


@dataclass(frozen=True)
class Flow:
    """What the ledger says of some hours (n): ``departures`` [S, G, AGES, n] and order hours ``spent`` [S, G, n].

    ``exposed`` [S, G, AGES, n]: order hours of those who might have left, by age. An order that leaves as soon as the
    shop opens has spent no time in that hour, yet was there to leave: who is inside at the begin counts for the hour.
    ``ahead`` [S, n]: how many were, at the begin of the hour, in the work that a stage of waiting waits for (0 for
    other stages); ``slot`` [n]: the hour of the week. ``queues``: pairs of a stage of waiting and that work.
    """

    exposed: Floats
    departures: NDArray[np.int64]
    spent: Floats
    ahead: NDArray[np.int64]
    slot: NDArray[np.int64]
    queues: tuple[tuple[int, int], ...] = ()

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Flow:
        """Return the chosen hours."""
        return Flow(
            self.exposed[..., chosen],
            self.departures[..., chosen],
            self.spent[..., chosen],
            self.ahead[:, chosen],
            self.slot[chosen],
            self.queues,
        )


@dataclass(frozen=True)
class Rates:
    """The fitted model: ``age`` [S, G, AGES] in departures per order hour, ``slot`` [S, G, 168] as a factor.

    ``ahead`` [S, AHEAD]: a factor by how many are in the work ahead, with the upper ``edges`` [S, AHEAD - 1] of all
    strata but the last; ``full`` [S]: from how many on everybody there is busy, infinite where that was not seen.
    ``capacity`` [S]: the departures an hour that no load exceeds (times the factors), infinite where none was seen.
    """

    age: Floats
    slot: Floats
    ahead: Floats
    edges: Floats
    full: Floats
    capacity: Floats

    def expected(self, flow: Flow) -> Floats:
        """Return the departures expected [S, G, n] in each hour, given who was inside for how long."""
        found = np.einsum("sga,sgan->sgn", self.age, flow.exposed)
        for stage in range(len(found)):
            stratum = np.searchsorted(self.edges[stage], flow.ahead[stage])
            shared = self.ahead[stage][stratum] * free(found[stage, 0], self.capacity[stage])
            found[stage] *= self.slot[stage][:, flow.slot] * shared
        for queue, work in flow.queues:
            found[queue] *= held(found[queue, 0], found[work, 0], flow.ahead[queue] >= self.full[queue])
        return np.asarray(found)


def held(expected: Floats, served: Floats, blocked: NDArray[np.bool_]) -> Floats:
    """Return the share of the departures expected from a queue that those who serve it have hands for.

    While they all are busy, no more orders leave the queue than work is done (``served``), give or take an hour's luck.
    """
    most = _HANDS * served
    share = np.divide(most, expected, out=np.ones_like(expected), where=blocked & (expected > most))
    return np.asarray(share)


def free(load: Floats, capacity: Floats | float) -> Floats:
    """Return the share of a load that gets through: all of a small one, capacity / load of one far beyond it."""
    share: Floats = 1 / np.sqrt(1 + (load / capacity) ** 2)
    return share


def fit_rates(flow: Flow) -> Rates:
    """Fit the model to what was seen in these hours."""
    # A queue whose work is known is held by that already.
    known = {queue for queue, _ in flow.queues}
    fitted = [_fit_stage(flow, stage, _WIDE if stage in known else _ANY) for stage in range(len(flow.exposed))]
    return Rates(*(np.stack(parts) for parts in zip(*fitted, strict=True)))


def _fit_stage(flow: Flow, stage: int, capacities: tuple[float, ...]) -> tuple[Floats, ...]:
    exposed, left, queue = flow.exposed[stage], flow.departures[stage], flow.ahead[stage]
    by_age, total, inside = left[0].sum(axis=1), left[0].sum(axis=0), exposed[0]
    mean = by_age.sum() / max(inside.sum(), 1e-9)
    age: Floats = np.full(AGES, mean)
    slot: Floats = np.ones(WEEK_H)
    edges = _edges(queue, total)
    stratum = np.searchsorted(edges, queue)
    ahead: Floats = np.ones(AHEAD)
    capacity = np.inf
    for _ in range(_ROUNDS if by_age.sum() and inside.any() else 0):
        beside = slot[flow.slot] * ahead[stratum]
        age = _of_ages(by_age, inside @ (beside * free(age @ inside, capacity)))
        level, capacity = _capacity(age @ inside, beside, total, capacities)
        age = level * age
        through = (age @ inside) * free(age @ inside, capacity)
        slot = _slots(total, through * ahead[stratum], flow.slot)
        ahead = _falling(_sums(total, stratum, AHEAD), _sums(through * slot[flow.slot], stratum, AHEAD))
    factor = slot[flow.slot] * ahead[stratum] * free(age @ inside, capacity)
    ages, slots = [age], [slot]
    for of, came in zip(exposed[1:], left[1:], strict=True):
        own = _of_segment(age, came, of @ factor)
        ages.append(own)
        slots.append(slot * _slots(came.sum(axis=0), (own @ of) * factor, flow.slot))
    return np.stack(ages), np.stack(slots), ahead, edges, np.array(_full(queue)), np.array(capacity)


def _full(ahead: NDArray[np.int64]) -> float:
    """Return how many are ahead when everybody there is busy: the most, if it is usual. Infinite if it is not."""
    most = ahead.max(initial=0)
    return float(most) if most > 0 and (ahead == most).mean() >= _USUAL else np.inf


def _edges(ahead: NDArray[np.int64], left: NDArray[np.int64]) -> Floats:
    """Part the hours by how many are in the work ahead, about as many departures in each stratum."""
    line = np.argsort(ahead, kind="stable")
    weight = np.cumsum(left[line] + 1e-3)
    places = np.searchsorted(weight, weight[-1] * np.arange(1, AHEAD) / AHEAD)
    return np.asarray(ahead[line][places], dtype=np.float64)


def _capacity(load: Floats, factor: Floats, total: NDArray[np.int64], tried: tuple[float, ...]) -> tuple[float, float]:
    """Return the level by which the load must be multiplied and the capacity, of those ``tried``; the last is none.

    By the highest likelihood, of the hours or of whole days, if it is worth it; the smaller if both say so. Hours tell
    little where rush hours hide the crowd. In days, who leaves makes the rest of the day's load smaller, which by
    itself looks like a capacity (worth up to 10).
    """
    hours, days, levels = [], [], []
    for capacity in np.array(tried) * load.mean():
        expected = load * free(load, capacity) * factor
        levels.append(total.sum() / expected.sum())
        hours.append(float(total @ np.log(levels[-1] * expected + 1e-12)))
        days.append(float(_by_day(total) @ np.log(_by_day(levels[-1] * expected) + 1e-12)))
    best = min(_worthy(hours, _WORTH), _worthy(days, _DAYS_WORTH))
    return levels[best], float(levels[best] * tried[best] * load.mean())


def _worthy(likelihoods: list[float], worth: float) -> int:
    """Return the place of the most likely, or the last one if it is not worth it."""
    best = int(np.argmax(likelihoods))
    return best if likelihoods[best] >= likelihoods[-1] + worth else len(likelihoods) - 1


def _by_day(values: NDArray[np.int64] | Floats) -> Floats:
    return np.asarray(np.add.reduceat(values, np.arange(0, len(values), 24)), dtype=np.float64)


def _of_ages(seen: NDArray[np.int64], weight: Floats) -> Floats:
    """Return the rate at each age, drawn towards the mean; an age that hardly anybody reached is like the one before.

    After a long weekend, those who were at work when it began are of an age that no ordinary week knows.
    """
    mean = seen.sum() / weight.sum()
    drawn: Floats = (seen + _DRAWN) / (weight + _DRAWN / mean)
    known = weight * mean >= _DRAWN
    return drawn[np.maximum.accumulate(np.where(known, np.arange(AGES), 0))]


def _of_segment(age: Floats, left: NDArray[np.int64], weight: Floats) -> Floats:
    """Return a segment's rate by age: that of all orders, times a factor each of level and age."""
    level = _drawn(left.sum(), float(age @ weight))
    expected = level * age * weight
    own: Floats = level * age * _drawn(left.sum(axis=1), expected)
    return own


def _drawn(seen: NDArray[np.int64] | Floats, expected: Floats | float) -> Floats:
    """Return seen / expected, drawn towards 1 as far as the evidence is thin."""
    drawn: Floats = np.asarray((seen + _DRAWN) / (expected + _DRAWN), dtype=np.float64)
    return drawn


def _falling(seen: Floats, expected: Floats) -> Floats:
    """Return the factor of each stratum, drawn towards 1, where none may be larger than the one before it.

    More work ahead lets nobody through sooner: strata that say so are taken together (isotonic regression).
    """
    pools: list[list[float]] = []
    for o, e in zip((seen + _DRAWN).tolist(), (expected + _DRAWN).tolist(), strict=True):
        pools.append([o, e, 1])
        while len(pools) > 1 and pools[-1][0] * pools[-2][1] > pools[-2][0] * pools[-1][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    return np.concatenate([np.full(int(count), o / e) for o, e, count in pools])


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


def _sums(values: NDArray[np.int64] | Floats, place: NDArray[np.int64], places: int) -> Floats:
    return np.asarray(np.bincount(place, values, minlength=places), dtype=np.float64)
