"""The chance of each order in flight to break its promise, from the laws of its stages and of those ahead of it.

One table a state and segment serves all orders: by time in the stage and by time left to the promise. So a million
orders cost as many look-ups, and what grows with history is in the laws alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.learning import Flow, learn_flow
from collectors.signals.passages import Clock, Passage
from collectors.timelines.judging import BROKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from collectors.signals.flights import InFlight, Visits
    from collectors.timelines.codebook import Codebook

    Floats = NDArray[np.float64]

POINTS: Final = 192
AGES: Final = 64
MOST_KINDS: Final = 24  # combinations of segment values with tables of their own; the rarest share one
FARTHEST: Final = 0.999  # the quantile of time left that the grid covers: one order of a year must not blur the rest
SHORTEST_STEP_US: Final = 1_000_000


@dataclass(frozen=True)
class Chances:
    """The model as of its last fit. ``learn`` anew each minute; ``of`` then answers for any orders in flight."""

    flow: Flow
    points: int = POINTS

    @staticmethod
    def learn(visits: Visits, codebook: Codebook, now: int) -> Chances:
        """Learn from the visits known at a moment (see ``flights.Recent``)."""
        return Chances(learn_flow(visits, codebook, now))

    def of(self, orders: InFlight) -> Floats:
        """Return the chance of each order [n] to break its promise: 1 once its moment passed, 0 where cancelled."""
        chance = np.where(orders.verdict == BROKEN, 1.0, 0.0)
        rows = np.flatnonzero(orders.open)
        if len(rows):
            chance[rows] = Forecast(self.flow, orders.take(rows), self.points).chance
        return chance


class Forecast:
    """The chances of open orders, and the tables that they were read from.

    ``capped``: a stage in which no later visit outlasts its budget. ``beyond_us``: how much farther than the promise
    moments the tables look.
    """

    def __init__(
        self, flow: Flow, orders: InFlight, points: int = POINTS, capped: int | None = None, beyond_us: int = 0
    ) -> None:
        self.flow, self.orders, self.capped = flow, orders, capped
        slack = np.maximum(orders.promise_at - orders.as_of, 0)
        reach = int(np.quantile(slack, FARTHEST)) + beyond_us
        step = max(reach // (points - 2), SHORTEST_STEP_US)
        self.clock = Clock(orders.as_of, step, points)
        self.slack = np.minimum(slack / step, points - 1.001)
        self.age = np.zeros(len(orders))
        for stage in np.unique(orders.stage).tolist():
            at = orders.stage == stage
            self.age[at] = flow.weeks[stage].between(orders.since[at], np.full(int(at.sum()), orders.as_of))

    @cached_property
    def chance(self) -> Floats:
        """The chance of each order to end after its promise moment."""
        result = np.zeros(len(self.orders))
        for passage, state, rows in self.groups():
            ages = np.unique(np.quantile(self.age[rows], np.linspace(0, 1, min(AGES, len(rows)))))
            table = passage.from_inside(state, ages)
            result[rows] = _between(table, ages, self.age[rows], self.slack[rows])
        return np.clip(result, 0.0, 1.0)

    def groups(self) -> Iterator[tuple[Passage, int, NDArray[np.int64]]]:
        """Yield the rows of orders of one kind and state, with the tables of their kind."""
        kind, values = kinds_of(self.orders.values)
        state = 2 * self.orders.stage + self.orders.again
        for number, pace in enumerate(self.flow.paces(values)):
            rows = np.flatnonzero(kind == number)
            passage = Passage(self.flow, pace, self.clock, self.capped)
            for one in np.unique(state[rows]).tolist():
                yield passage, one, rows[state[rows] == one]


def kinds_of(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of each order's combination of values, and the combinations; rare ones count as unknown."""
    # Numbers of combinations, column by column: sorting rows of a million orders would cost seconds.
    code = np.zeros(len(values), dtype=np.int64)
    for column in values.T:
        _, code = np.unique(code * (int(column.max()) + 2) + column, return_inverse=True)
    _, first, kind, count = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    if len(first) <= MOST_KINDS:
        return kind, values[first]
    common = np.argsort(-count, kind="stable")[: MOST_KINDS - 1]
    place = np.full(len(first), MOST_KINDS - 1)
    place[common] = np.arange(MOST_KINDS - 1)
    unknown = np.full((1, values.shape[1]), -1)
    return place[kind], np.concatenate([values[first[common]], unknown])


def _between(table: NDArray[np.float32], ages: Floats, age: Floats, slack: Floats) -> Floats:
    """Read a table [ages, moments] between its points, in both directions."""
    low = np.searchsorted(ages, age, side="right") - 1
    high = np.minimum(low + 1, len(ages) - 1)
    width = np.maximum(ages[high] - ages[low], 1e-12)
    part = (age - ages[low]) / width
    left = slack.astype(np.int64)
    rest = slack - left
    lower = table[low, left] * (1 - rest) + table[low, left + 1] * rest
    upper = table[high, left] * (1 - rest) + table[high, left + 1] * rest
    return np.asarray(lower * (1 - part) + upper * part)
