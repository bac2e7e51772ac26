"""What the simulated houses promise: budgets and a lead time that a healthy house keeps, from a year of its own."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np

from collectors.simulation import STAGES
from collectors.timelines.measuring import NEVER
from tests.drills.histories import CUSTOMERS, DAY_US, REFERENCE_FROM, life

# A seed that no run has.
_SEED: Final = 10_000
_KEPT: Final = 0.95


class Promised(NamedTuple):
    """Each stage's budget in microseconds (as a tuple), and the promised lead time."""

    budgets_us: tuple[int, ...]
    within_us: int


@cache
def promised(house: str, orders_per_day: float) -> Promised:
    """Return a promise that 95 % of the healthy orders keep, parted among the stages as their mean times are."""
    lived = life(house, 84 if orders_per_day > 100 else 264, orders_per_day, _SEED)
    visits = lived.visits
    ended = visits.left != NEVER
    late = visits.entered >= visits.entered.min() + REFERENCE_FROM * DAY_US
    means = [
        float((visits.left - visits.entered)[ended & late & (visits.stage == number)].mean())
        for number in range(len(STAGES))
    ]
    done = (lived.shipped != NEVER) & (lived.started != NEVER)
    leads = (lived.shipped - lived.started - lived.paused)[done]
    within = float(np.quantile(leads, _KEPT))
    # In the customer's turn the clock stands.
    room = within / (sum(means) - means[CUSTOMERS])
    budgets = [-1 if number == CUSTOMERS else round(room * mean) for number, mean in enumerate(means)]
    return Promised(tuple(budgets), round(within))
