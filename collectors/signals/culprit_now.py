"""Which stage makes the open promises break: expected breaks that would not be, had that stage kept its budget.

The counterfactual of the design, before the fact. A broken order is rescued by a stage if its lead time less its time
over that stage's budget is inside the promise. Of an open order, the time over budget in stages behind it is known;
that of the stage it is in grows with its stay; in stages ahead, no stay outlasts the budget. The chances of what
follows come from the same tables as the forecast itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.chances import Forecast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.signals.flights import InFlight
    from collectors.signals.learning import Flow
    from collectors.signals.passages import Passage

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOST_ORDERS: Final = 4_000  # of more, every so-manieth speaks for the rest
LEAST_RESCUED: Final = 0.05  # expected orders; less is no culprit but rounding


@dataclass(frozen=True)
class Culprit:
    """The stage that rescues most, and per stage [S] the expected breaks that it would rescue.

    ``stage`` is None where no stage rescues any. ``ratio``: rescued by the culprit over all expected breaks.
    """

    stage: int | None
    ratio: float | None
    expected: float
    rescued: Floats


def culprit_now(flow: Flow, orders: InFlight) -> Culprit:
    """Return the culprit of the open promises among these orders. Budgets in working time count as elapsed time."""
    chosen = np.flatnonzero(orders.open)
    every = max(-(-len(chosen) // MOST_ORDERS), 1)
    scale = len(chosen) / max(len(chosen[::every]), 1)
    sample = orders.take(chosen[::every])
    # One set of tables for all segments: who rescues how many hardly depends on them.
    sample = replace(sample, values=np.full_like(sample.values, -1))
    rescued = np.zeros(flow.stages)
    if not len(sample):
        return Culprit(None, None, 0.0, rescued)
    actual = _expected(flow, sample, None)
    for stage in np.flatnonzero((flow.budget_us > 0) & ~flow.pauses).tolist():
        rescued[stage] = max(actual - _expected(flow, sample, stage), 0.0) * scale
    over = np.maximum(sample.inside_us - flow.budget_us, 0).sum(axis=0)
    best = max(range(flow.stages), key=lambda stage: (rescued[stage], over[stage], -stage))
    if rescued[best] < LEAST_RESCUED:
        return Culprit(None, None, actual * scale, rescued)
    return Culprit(best, float(rescued[best] / (actual * scale)), actual * scale, rescued)


def _expected(flow: Flow, orders: InFlight, kept: int | None) -> float:
    """Return the expected breaks; ``kept``: a stage that is taken to keep its budget."""
    forecast = Forecast(flow, orders, capped=kept, beyond_us=int(flow.budget_us.max(initial=0)))
    total = 0.0
    for passage, state, rows in forecast.groups():
        chance, beyond = passage.leaving_at(state, forecast.age[rows])
        total += float(_late(passage, state, _Deadlines(forecast, state, rows, kept), chance, beyond))
    return total


class _Deadlines:
    """Where the deadline of each order lies [n, j] on the grid if it leaves its stage at moment j."""

    def __init__(self, forecast: Forecast, state: int, rows: Ints, kept: int | None) -> None:
        flow, orders, clock = forecast.flow, forecast.orders, forecast.clock
        points = np.arange(clock.points)
        stage = state // 2
        self.place = np.tile(np.rint(forecast.slack[rows]).astype(np.int64)[:, np.newaxis], len(points))
        if flow.pauses[stage]:
            self.place += points
        if kept is not None:
            inside = orders.inside_us[rows, kept][:, np.newaxis] / clock.step_us
            grown = inside + points if stage == kept else inside
            over = np.maximum(grown - flow.budget_us[kept] / clock.step_us, 0)
            self.place += np.rint(over).astype(np.int64)


def _late(
    passage: Passage, state: int, deadlines: _Deadlines, chance: NDArray[np.float32], beyond: NDArray[np.float32]
) -> float:
    """Return how many will end late. Deadlines beyond the grid are read as much earlier as they lie beyond."""
    last = passage.clock.points - 1
    onward = passage.onward(state)
    excess = np.maximum(deadlines.place - last, 0)
    leaving = np.maximum(np.arange(last + 1) - excess, 0)
    late = onward[leaving, deadlines.place - excess]
    return float((chance * late).sum() + (beyond * late[:, -1:]).sum())
