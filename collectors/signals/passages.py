"""The chance of reaching the end after a deadline, from any stage at any time: first passage over a grid of moments.

Moment k of the grid lies ``step_us`` times k from now. ``late[state][k, d]`` is the chance that an order which enters
the state at moment k ends after moment d. Stage by stage from the end, it is a product of matrices: the chance of
leaving at each moment times what awaits there. Rework makes loops, so the stages are gone through until nothing moves.
In stages that stop the promise's clock the deadline moves along, d - k stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.signals.learning import Flow

    Grid = NDArray[np.float32]
    Floats = NDArray[np.float64]

TOLERANCE: Final = 1e-3
SWEEPS: Final = 8
NEGLIGIBLE: Final = 1e-6
_NEVER: Final = 1e-20


@dataclass(frozen=True)
class Clock:
    """A grid of ``points`` moments from ``now`` on, ``step_us`` apart."""

    now: int
    step_us: int
    points: int

    def moments(self, shift: float = 0.0) -> NDArray[np.int64]:
        """Return the grid's moments, shifted by so many steps."""
        return np.asarray(self.now + np.rint((np.arange(self.points) + shift) * self.step_us).astype(np.int64))

    @cached_property
    def borders(self) -> NDArray[np.int64]:
        """The moments between which a departure is booked on each moment of the grid: half a step before and after."""
        return np.append(self.moments(-0.5), self.moments(0.5)[-1:])


class Passage:
    """First passage for orders of one pace. ``capped``: a stage in which no later visit outlasts its budget."""

    def __init__(self, flow: Flow, pace: Floats, clock: Clock, capped: int | None = None) -> None:
        self.flow, self.pace, self.clock, self.capped = flow, pace, clock, capped
        self.elapsed = [week.elapsed(clock.borders) for week in flow.weeks]
        self.at = [week.elapsed(clock.moments()) for week in flow.weeks]
        columns = np.arange(clock.points)
        rows = columns[:, np.newaxis]
        self._over = np.where(rows > columns, 1.0, np.where(rows == columns, 0.5, 0.0)).astype(np.float32)
        # Deadlines beyond the grid are read as much earlier as they lie beyond.
        excess = np.maximum(rows + columns - (clock.points - 1), 0)
        self._by_slack = rows - excess, rows + columns - excess
        self.late = self._solved()

    def _solved(self) -> list[Grid]:
        states = 2 * self.flow.stages
        late = [self._over] * states
        leaving = {state: self._leaving(state) for state in range(states) if self._is_reached(state)}
        # [state, target]: by how much a target has moved since the state was last computed.
        moved = np.ones((states, states))
        for _ in range(SWEEPS):
            for state in sorted(leaving, reverse=True):
                if moved[state] @ self.flow.leads[state, :states] < TOLERANCE and late[state] is not self._over:
                    continue
                found = self._entering(state, leaving[state], self.onward(state, late))
                moved[state] = 0.0
                moved[:, state] += float(np.abs(found - late[state]).max())
                late[state] = found
        return late

    def _is_reached(self, state: int) -> bool:
        return bool(self.flow.leads[:, state].max() > NEGLIGIBLE)

    def _leaving(self, state: int) -> tuple[Grid, Grid]:
        """Return the chance of leaving at each moment [k, j] for those who enter at k, and of staying beyond [k]."""
        stage = state // 2
        # Below 0 before they enter: of no age, as far as a law can tell.
        age = self.elapsed[stage][np.newaxis, :] - self.at[stage][:, np.newaxis]
        staying = self.flow.laws[state].staying(age / self.pace[stage])
        if stage == self.capped:
            self._cap(staying, stage)
        return _departing(staying)

    def _cap(self, staying: Floats, stage: int) -> None:
        """Let nobody stay beyond the budget."""
        budget = self.flow.budget_us[stage] / self.clock.step_us
        ahead = np.arange(staying.shape[1])[np.newaxis, :] - 0.5 - np.arange(len(staying))[:, np.newaxis]
        staying[ahead >= budget] = 0.0

    def onward(self, state: int, late: list[Grid] | None = None) -> Grid:
        """Return [j, d]: the chance to end after d for those who leave the state at moment j."""
        late = self.late if late is None else late
        leads = self.flow.leads[state]
        states = 2 * self.flow.stages
        total = self._over * np.float32(leads[states:].sum())
        for target in np.flatnonzero(leads[:states] > NEGLIGIBLE).tolist():
            total += late[target] * np.float32(leads[target])
        return total

    def _entering(self, state: int, leaving: tuple[Grid, Grid], onward: Grid) -> Grid:
        chance, beyond = leaving
        if not self.flow.pauses[state // 2]:
            return np.asarray(chance @ onward + beyond)
        # By slack instead of deadline: the slack of an order whose clock stands does not change.
        slack = onward[self._by_slack]
        by_slack = chance @ slack + beyond * slack[-1]
        columns = np.arange(len(onward))
        later = columns - columns[:, np.newaxis]
        return np.where(later < 0, self._over, np.take_along_axis(by_slack, later, axis=1))

    def from_inside(self, state: int, age: Floats) -> Grid:
        """Return [a, d]: the chance to end after d for those in the state since these ages (duty hours)."""
        chance, beyond = self.leaving_at(state, age)
        onward = self.onward(state)
        if not self.flow.pauses[state // 2]:
            return np.asarray(chance @ onward + beyond)
        slack = onward[self._by_slack]
        return np.asarray(chance @ slack + beyond * slack[-1])

    def leaving_at(self, state: int, age: Floats) -> tuple[Grid, Grid]:
        """Return the chance of leaving at each moment [a, j] for those of these ages, and of staying beyond [a, 1]."""
        stage = state // 2
        ahead = np.maximum(self.elapsed[stage] - self.at[stage][0], 0.0)
        law, pace = self.flow.laws[state], self.pace[stage]
        spent = law.cumulative(age / pace)[:, np.newaxis]
        staying = np.exp(spent - law.cumulative((age[:, np.newaxis] + ahead) / pace))
        return _departing(staying)


def _departing(staying: Floats) -> tuple[Grid, Grid]:
    """Return the chance of leaving between the borders [.., j] at which so many are still there, and beyond [.., 1]."""
    chance = (staying[:, :-1] - staying[:, 1:]).astype(np.float32)
    # What hardly ever happens is 0: products of denormal numbers are several times slower.
    chance[chance < _NEVER] = 0.0
    return chance, staying[:, -1:].astype(np.float32)
