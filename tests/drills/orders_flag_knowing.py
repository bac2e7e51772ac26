"""The chance of each order by one who knows the simulated house, from many continuations of its life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tests.drills.orders_flag_bound import Knower
from tests.drills.orders_flag_lives import Lives, Traits
from tests.drills.orders_flag_log import HOUR_US, FlagLog, attempts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.signals.flights import InFlight
    from collectors.simulation import Slowdown

    Floats = NDArray[np.float64]

DRAWS: Final = 1_000


def known_chance(knower: Knower, log: FlagLog, orders: InFlight, draws: int = DRAWS) -> Floats:
    """Return the chance of each order to break its promise by one who knows the house; cancelled ones break nothing."""
    monday = log.begin  # scenarios begin on a Monday
    now = (orders.as_of - monday) / HOUR_US
    result = np.zeros(len(orders))
    ranked = np.argsort(orders.order)
    times = np.empty((len(orders), len(log.codebook.stages)), dtype=np.int64)
    times[ranked] = attempts(log.visits, orders.as_of, orders.order[ranked], times.shape[1])
    patience, effort = _traits(log, orders, knower)
    for stage in np.unique(orders.stage).tolist():
        rows = np.flatnonzero(orders.stage == stage)
        each = np.repeat(rows, draws)
        traits = Traits(patience[each], effort[each], times[each])
        ends, paused, gone = Lives(knower, now, stage, (orders.since[each] - monday) / HOUR_US, traits).drawn()
        late = ~gone & (ends > (orders.promise_at[each] - monday) / HOUR_US + paused)
        # An order that is cancelled counts as neither, so the chance is that among the others.
        shares = late.reshape(-1, draws).sum(axis=1) / np.maximum((~gone).reshape(-1, draws).sum(axis=1), 1)
        result[rows] = shares
    return result


def _traits(log: FlagLog, orders: InFlight, knower: Knower) -> tuple[Any, Any]:
    channel, product = (np.array(names)[orders.values[:, place]] for place, names in enumerate(log.texts))
    patience = np.array([knower.patience[name] for name in channel.tolist()])
    return patience, np.array([knower.effort[name] for name in product.tolist()])


def knower_of(log: FlagLog, slow: Sequence[Slowdown], seed: int) -> Knower:
    """Return one who knows the scenario's true laws."""
    place = {name: number for number, name in enumerate(log.codebook.stages)}
    slowed = {place[one.stage]: (24.0 * one.from_day, one.factor) for one in slow}
    return Knower(np.random.default_rng(seed), slowed)
