"""What recent orders teach of the flow: stays, their laws, how segments and the last weeks differ, and where orders go.

Each stage has two *states*: the first visit of an order, and later ones, which are rework and take another time.
State 2s is the first visit to stage s, 2s + 1 any later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.signals.flights import ENDED, WITHDRAWN, Visits
from collectors.signals.stays import HOUR_US, StayLaw, Week, exponential, learn_law, learn_week
from collectors.timelines.codebook import NO_BUDGET
from collectors.timelines.measuring import NEVER, NOWHERE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.timelines.codebook import Codebook

    Floats = NDArray[np.float64]

DAY_US: Final = 24 * HOUR_US
HALF_LIFE_US: Final = 56 * DAY_US  # what happened eight weeks ago counts half
LATELY_US: Final = 21 * DAY_US  # the stretch over which a stage's present pace is measured
SEGMENT_LEAN: Final = 8.0  # departures of a segment that it takes to believe half of its own pace
PACE_LEAN: Final = 16.0  # the same for a stage's present pace
SLOWEST: Final = 8.0
ROUNDS: Final = 3
PACE_STEPS: Final = 12
UNPLANNED_H: Final = 1.0  # mean stay assumed where there is neither a past nor a budget


@dataclass(frozen=True)
class Flow:
    """The flow as learnt by a moment. A time in a state is a draw of its law times the paces that apply.

    ``weeks`` [S]: duty hours. ``laws`` [2S]. ``leads`` [2S, 2S + 2]: the chance of where a visit leads: to a state,
    to the end, to a cancellation. ``pace`` [S]: present time over usual time. ``segment_pace``: for each
    attribute [S, values + 1], the last column for orders without a value.
    """

    weeks: tuple[Week, ...]
    laws: tuple[StayLaw, ...]
    leads: Floats
    pace: Floats
    segment_pace: tuple[Floats, ...]
    pauses: NDArray[np.bool_]
    budget_us: NDArray[np.int64]

    @property
    def stages(self) -> int:
        """How many stages there are, ``elsewhere`` included."""
        return len(self.weeks)

    def paces(self, values: NDArray[np.int64]) -> Floats:
        """Return the pace of orders with these attribute values [c, A] in every stage [c, S]."""
        paces = np.tile(self.pace, (len(values), 1))
        for column, table in enumerate(self.segment_pace):
            # The last column is that of orders without a value (-1), and of values never seen.
            paces *= table[:, np.minimum(values[:, column], table.shape[1] - 1)].T
        return paces


def learn_flow(visits: Visits, codebook: Codebook, now: int) -> Flow:
    """Learn from visits known at a moment; stages without any go by their budgets and the order of the file."""
    end = np.minimum(visits.left, now)
    weight = 0.5 ** ((now - end) / HALF_LIFE_US)
    stages = len(codebook.stages)
    rows = [np.flatnonzero(visits.stage == stage) for stage in range(stages)]
    widest = (visits.values.max(axis=0, initial=-1) + 2).tolist()
    learnt = [_Stage(visits.take(at), weight[at], now, _planned(codebook, s), widest) for s, at in enumerate(rows)]
    return Flow(
        weeks=tuple(stage.week for stage in learnt),
        laws=tuple(law for stage in learnt for law in stage.laws),
        leads=_leads(visits, weight, codebook),
        pace=np.array([stage.pace for stage in learnt]),
        segment_pace=tuple(np.stack([stage.segment_pace[a] for stage in learnt]) for a in range(len(widest))),
        pauses=codebook.pauses,
        budget_us=codebook.budget_us,
    )


def _planned(codebook: Codebook, stage: int) -> StayLaw:
    budget = int(codebook.budget_us[stage])
    return exponential(UNPLANNED_H if budget in {NO_BUDGET, 0} else budget / HOUR_US / 2)


class _Stage:
    """One stage's duty hours, laws and paces, learnt from its visits."""

    def __init__(self, visits: Visits, weight: Floats, now: int, planned: StayLaw, widest: list[int]) -> None:
        self.visits, self.weight, self.now = visits, weight, now
        self.gone = visits.left != NEVER
        self.week = learn_week(visits.entered, visits.left, weight, now)
        self.age = self.week.between(visits.entered, np.minimum(visits.left, now))
        self.segment_pace: list[Floats] = [np.ones(width) for width in widest]
        for _ in range(ROUNDS):
            self.laws = self._laws(planned)
            for attribute in range(len(self.segment_pace)):
                self._learn_segments(attribute)
        self.pace = self._present_pace()

    def _own_pace(self, but: int | None = None) -> Floats:
        """Return what its segments make of each visit's time, one attribute left out."""
        pace = np.ones(len(self.visits))
        for column, table in enumerate(self.segment_pace):
            if column != but:
                pace *= table[self.visits.values[:, column]]
        return pace

    def _laws(self, planned: StayLaw) -> tuple[StayLaw, StayLaw]:
        age = self.age / self._own_pace()
        whole = learn_law(age, self.gone, self.weight, planned)
        found = []
        for again in (False, True):
            at = self.visits.again == again
            found.append(learn_law(age[at], self.gone[at], self.weight[at], whole))
        return found[0], found[1]

    def _hazard(self, age: Floats) -> Floats:
        first, later = (law.cumulative(age) for law in self.laws)
        return np.where(self.visits.again, later, first)

    def _learn_segments(self, attribute: int) -> None:
        """Find the pace at which each value's departures are as many as the law awaits."""
        table = self.segment_pace[attribute]
        column = self.visits.values[:, attribute] % len(table)
        age = self.age / self._own_pace(but=attribute)
        departed = _sums(column, self.weight * self.gone, len(table))
        pace = table.copy()
        for _ in range(PACE_STEPS):
            awaited = _sums(column, self.weight * self._hazard(age / pace[column]), len(table))
            pace = _moved(pace, awaited, departed)
        table[:] = pace ** (departed / (departed + SEGMENT_LEAN))
        table[-1] = 1.0

    def _present_pace(self) -> float:
        """Return how long stays take now over what they usually took, by the hazard spent in the last weeks."""
        begin = self.now - LATELY_US
        own = self._own_pace()
        lately = np.minimum(self.visits.left, self.now) > begin
        before = self.week.between(self.visits.entered, np.full(len(own), begin))[lately] / own[lately]
        after = self.age[lately] / own[lately]
        again, gone = self.visits.again[lately], self.gone[lately]
        departed, pace = gone.sum(dtype=np.float64), np.ones(())
        for _ in range(PACE_STEPS):
            first, later = (law.cumulative(after / pace) - law.cumulative(before / pace) for law in self.laws)
            pace = _moved(pace, np.where(again, later, first).sum(), departed)
        return float(pace ** (departed / (departed + PACE_LEAN)))


def _sums(column: NDArray[np.int64], weights: Floats, length: int) -> Floats:
    return np.bincount(column, weights=weights, minlength=length).astype(np.float64)


def _moved(pace: Any, awaited: Any, departed: Any) -> Any:
    """Return a pace nearer to the one at which awaited and seen departures are equal."""
    ratio = (awaited + 0.5) / (departed + 0.5)
    return np.clip(pace * ratio**0.7, 1 / SLOWEST, SLOWEST)


def _leads(visits: Visits, weight: Floats, codebook: Codebook) -> Floats:
    """Return where visits led, from each state; a state without departures leads to the next stage of the main line."""
    states = 2 * len(codebook.stages)
    table = np.zeros((states, states + 2))
    state = 2 * visits.stage + visits.again
    target = _targets(visits, state, states)
    known = target != NOWHERE
    cell = state[known] * (states + 2) + target[known]
    table += np.bincount(cell, weights=weight[known], minlength=table.size).reshape(table.shape)
    for stage in range(len(codebook.stages)):
        first, later = 2 * stage, 2 * stage + 1
        if table[later].sum() < 1:
            table[later] += table[first]
        for row in (first, later):
            if table[row].sum() <= 0:
                table[row] = np.arange(states + 2) == _next_state(codebook, stage, states)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _targets(visits: Visits, state: NDArray[np.int64], states: int) -> NDArray[np.int64]:
    """Return the column of ``leads`` that each visit led to, NOWHERE while inside or where the next one is unknown."""
    target = np.full(len(visits), NOWHERE, dtype=np.int64)
    same = visits.order[1:] == visits.order[:-1]
    target[:-1] = np.where(same, state[1:], NOWHERE)
    target[visits.then == ENDED] = states
    target[visits.then == WITHDRAWN] = states + 1
    return target


def _next_state(codebook: Codebook, stage: int, end: int) -> int:
    ranks = codebook.stage_rank
    ahead = [s for s, rank in enumerate(ranks) if ranks[stage] < rank < codebook.end_rank]
    return 2 * min(ahead, key=lambda s: ranks[s]) if ahead else end
