"""How fast orders leave a stage when all is well: a model of the rate, fitted to the ledger.

What would leave in an hour if nobody stood in anybody's way is the stage's *load*: everybody inside when it begins,
weighted by the rate at which orders of that age (time inside so far) leave. Where a few people serve a queue in turn,
no more leave than they can serve, however long it grows: the load passes through a capacity, which is learnt (and
infinite where orders move independently of each other), and the hour of the week multiplies what is left. Where the
work that a queue waits for is a stage of its own, how many are at work there says more: the more there are, the fewer
leave the queue, and while everybody is busy no more leave it than work is done. And an order leaves once: after a
weekend, the rate of the hour in which the shop opens is so high that nearly all who are ready go, and not more than
there are.

Fitted as a regression of counts by iterative proportional fitting (each factor in turn is set so that its margins of
expected and observed departures agree), ages and hours drawn towards what is expected without them, by as much as the
evidence for them is thin (gamma-Poisson shrinkage); the capacity by the highest likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.ledger import AGE_EDGES_H, AGES, WEEK_H

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

AHEAD: Final = 5
# The first bin of ages of an hour or more.
HOUR_OLD: Final = AGE_EDGES_H.index(1)
_ROUNDS: Final = 12
# The capacities that are tried, against the mean load of the hours: from far too small to none that anybody would see;
# and for queues that are held by the work after them.
_ANY: Final = (*(float(2.0 ** (step / 2)) for step in range(-4, 13)), np.inf)
_WIDE: Final = tuple(capacity for capacity in _ANY if capacity > 1)
# The share of hours in which as many are in the work ahead as ever, if there is a most.
_USUAL: Final = 0.1
# By how much more orders may leave a queue, in an hour, than are expected to be done by those who are all busy: less
# than a slow-down that any test would see.
_HANDS: Final = 1.2
# The most departures expected in an hour of each order that was there: of those who came within it, the time that they
# spent tells how many were to leave, and one that is stuck in a stage of seconds would count as hundreds.
_MOST: Final = 3.0
# By how much more likely (its logarithm) a capacity must make what was seen than none does: the hours, whole days.
_WORTH: Final = 4.0
_DAYS_WORTH: Final = 12.0
# Pseudo-departures by which a factor is drawn towards what is expected without it: that of a stratum or a segment; of
# an age (towards the mean of all). How far those of hours are drawn is learnt, up to this variance.
_DRAWN: Final = 10.0
_AGED: Final = 1.0
_LOOSEST: Final = 2.0


@dataclass(frozen=True)
class Flow:
    """What the ledger says of some hours (n): ``departures`` [S, G, AGES, n] and order hours ``spent`` [S, G, n].

    ``exposed`` [S, G, AGES, n]: order hours of those who might have left, by age. An order that leaves as soon as the
    shop opens has spent no time in that hour, yet was there to leave: who is inside at the begin counts for the hour.
    ``began`` [S, AGES, n]: how many (of all segments) were inside when the hour began, by age. The time that they spend
    in the hour says who leaves, and so cannot say what crowd they stand in.
    ``ahead`` [S, n]: how many were, at the begin of the hour, in the work that a stage of waiting waits for (0 for
    other stages); ``slot`` [n]: the hour of the week; ``there`` [S, G, n]: how many were inside at the begin, or came.
    ``queues``: pairs of a stage of waiting and that work.
    """

    exposed: Floats
    began: Floats
    departures: NDArray[np.int64]
    spent: Floats
    ahead: NDArray[np.int64]
    slot: NDArray[np.int64]
    there: NDArray[np.int64]
    queues: tuple[tuple[int, int], ...] = ()

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Flow:
        """Return the chosen hours."""
        return Flow(
            self.exposed[..., chosen],
            self.began[..., chosen],
            self.departures[..., chosen],
            self.spent[..., chosen],
            self.ahead[:, chosen],
            self.slot[chosen],
            self.there[..., chosen],
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

    @property
    def crowded(self) -> bool:
        """Whether orders hold each other up in any stage."""
        return bool(np.isfinite(self.capacity).any())

    def expected(self, flow: Flow) -> Floats:
        """Return the departures expected [S, G, n] in each hour, given who was inside for how long."""
        found = np.empty(flow.spent.shape)
        for stage in range(len(found)):
            stratum = np.searchsorted(self.edges[stage], flow.ahead[stage])
            shared = self.ahead[stage][stratum] * free(self.age[stage, 0] @ flow.began[stage], self.capacity[stage])
            factor = self.slot[stage][:, flow.slot] * shared
            for group, (age, inside) in enumerate(zip(self.age[stage], flow.exposed[stage], strict=True)):
                found[stage, group] = leaving(age, inside, factor[group]).sum(axis=0)
        found = np.minimum(found, _MOST * flow.there)
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


def leaving(age: Floats, inside: Floats, factor: Floats) -> Floats:
    """Return the departures expected [AGES, n] of orders of each age: a rate by ``age`` times the hour's ``factor``.

    An order leaves once: of those who were there when the hour began, 1 - exp(-rate) leave in it. Of those who came
    within the last hour, the time that they spent times the rate.
    """
    rate = age[:, np.newaxis] * factor
    found = inside * rate
    found[HOUR_OLD:] = inside[HOUR_OLD:] * -np.expm1(-rate[HOUR_OLD:])
    return np.asarray(found)


def fit_rates(flow: Flow) -> Rates:
    """Fit the model to what was seen in these hours."""
    # A queue whose work is known is held by that already.
    known = {queue for queue, _ in flow.queues}
    fitted = [_fit_stage(flow, stage, _WIDE if stage in known else _ANY) for stage in range(len(flow.exposed))]
    return Rates(*(np.stack(parts) for parts in zip(*fitted, strict=True)))


def _fit_stage(flow: Flow, stage: int, capacities: tuple[float, ...]) -> tuple[Floats, ...]:
    exposed, left, queue, began = flow.exposed[stage], flow.departures[stage], flow.ahead[stage], flow.began[stage]
    by_age, total, inside = left[0].sum(axis=1), left[0].sum(axis=0), exposed[0]
    mean = by_age.sum() / max(inside.sum(), 1e-9)
    age: Floats = np.full(AGES, mean)
    slot: Floats = np.ones(WEEK_H)
    edges = _edges(queue, total)
    stratum = np.searchsorted(edges, queue)
    ahead: Floats = np.ones(AHEAD)
    capacity = np.inf
    told = bool(by_age.sum() and inside.any())  # where nobody was, or left, there is nothing to be learnt
    for _ in range(told * _ROUNDS):
        beside = slot[flow.slot] * ahead[stratum]
        through = leaving(age, inside, beside * free(age @ began, capacity))
        age = _of_ages(by_age, through.sum(axis=1) / age)
        level, capacity = _capacity(age, inside, age @ began, beside, total, capacities)
        age = level * age
        through = leaving(age, inside, beside * free(age @ began, capacity)).sum(axis=0)
        slot = _slots(total, through / slot[flow.slot], flow.slot)
        if queue.any():
            through = leaving(age, inside, slot[flow.slot] * ahead[stratum] * free(age @ began, capacity)).sum(axis=0)
            ahead = _falling(_sums(total, stratum, AHEAD), _sums(through / ahead[stratum], stratum, AHEAD))
    factor = slot[flow.slot] * ahead[stratum] * free(age @ began, capacity)
    ages, slots = [age], [slot]
    for of, came in zip(exposed[1:], left[1:], strict=True):
        own = _of_segment(age, came, leaving(age, of, factor).sum(axis=1))
        ages.append(own)
        slots.append(slot * _slots(came.sum(axis=0), leaving(own, of, factor).sum(axis=0), flow.slot))
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


def _capacity(
    age: Floats, inside: Floats, load: Floats, factor: Floats, total: NDArray[np.int64], tried: tuple[float, ...]
) -> tuple[float, float]:
    """Return the level by which the load must be multiplied and the capacity, of those ``tried``; the last is none.

    By the highest likelihood, of the hours or of whole days, if it is worth it; the smaller if both say so. Hours tell
    little where rush hours hide the crowd. In days, who leaves makes the rest of the day's load smaller, which by
    itself looks like a capacity (worth up to 10).
    """
    hours, days, levels = [], [], []
    # Where nobody is ever inside as an hour begins, nobody stands in anybody's way.
    mean = max(float(load.mean()), 1e-9)
    for capacity in np.array(tried) * mean:
        expected = leaving(age, inside, free(load, capacity) * factor).sum(axis=0)
        levels.append(total.sum() / expected.sum())
        hours.append(float(total @ np.log(levels[-1] * expected + 1e-12)))
        days.append(float(_by_day(total) @ np.log(_by_day(levels[-1] * expected) + 1e-12)))
    best = min(_worthy(hours, _WORTH), _worthy(days, _DAYS_WORTH))
    return levels[best], float(levels[best] * tried[best] * mean)


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
    drawn: Floats = (seen + _AGED) / (weight + _AGED / mean)
    known = weight * mean >= _DRAWN
    return drawn[np.maximum.accumulate(np.arange(len(known)) * known)]


def _of_segment(age: Floats, left: NDArray[np.int64], expected: Floats) -> Floats:
    """Return a segment's rate by age: that of all orders, times a factor each of level and age.

    ``expected`` [AGES]: the departures of the segment if it were as fast as all.
    """
    level = _drawn(left.sum(), float(expected.sum()))
    own: Floats = level * age * _drawn(left.sum(axis=1), level * expected)
    return own


def _drawn(seen: NDArray[np.int64] | Floats, expected: Floats | float, by: float = _DRAWN) -> Floats:
    """Return seen / expected, drawn towards 1 by so many pseudo-departures."""
    drawn: Floats = np.asarray((seen + by) / (expected + by), dtype=np.float64)
    return drawn


def _falling(seen: Floats, expected: Floats) -> Floats:
    """Return the factor of each stratum, drawn towards 1, where none may be larger than the one before it.

    More work ahead lets nobody through sooner: strata that say so are taken together (isotonic regression).
    """
    pools: list[Floats] = []
    for pool in np.column_stack((seen + _DRAWN, expected + _DRAWN, np.ones(len(seen)))):
        pools.append(pool)
        while len(pools) > 1 and pools[-1][0] * pools[-2][1] > pools[-2][0] * pools[-1][1]:
            last = pools.pop()
            pools[-1] += last
    return np.concatenate([np.full(int(count), o / e) for o, e, count in pools])


def _slots(seen: NDArray[np.int64], expected: Floats, slot: NDArray[np.int64]) -> Floats:
    """Return the factor of each hour of the week, drawn towards that of its weekday times that of its hour."""
    seen_at = _sums(seen, slot, WEEK_H).reshape(7, 24)
    expected_at = _sums(expected, slot, WEEK_H).reshape(7, 24)
    day = hour = np.ones((1, 1))
    for _ in range(3):
        day = _shrunk(seen_at.sum(axis=1, keepdims=True), (expected_at * hour).sum(axis=1, keepdims=True))
        hour = _shrunk(seen_at.sum(axis=0), (expected_at * day).sum(axis=0))
    planned = day * hour
    factor: Floats = (planned * _shrunk(seen_at, expected_at * planned)).ravel()
    return factor


def _shrunk(seen: Floats, expected: Floats) -> Floats:
    """Return seen / expected, drawn towards 1 by as much as chance alone would explain how they differ.

    If the true factors scatter about 1 with variance v, (seen - expected)^2 is expected + v expected^2 in the mean:
    that gives v, less what chance makes of it, and 1 / v pseudo-departures (empirical Bayes, gamma-Poisson).
    """
    square = float((expected**2).sum())
    excess = float(((seen - expected) ** 2 - expected).sum()) - (2 * square) ** 0.5
    return _drawn(seen, expected, 1 / min(max(excess / max(square, 1e-9), 1e-4), _LOOSEST))


def _sums(values: NDArray[np.int64] | Floats, place: NDArray[np.int64], places: int) -> Floats:
    return np.asarray(np.bincount(place, values, minlength=places), dtype=np.float64)
