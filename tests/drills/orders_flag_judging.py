"""Flagging the orders of a log each morning, by what was known then, and holding the chances against what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.signals.chances import Chances
from collectors.signals.flights import flight_of
from collectors.timelines.judging import BROKEN
from tests.drills.orders_flag_log import DAY_US, HOUR_US, FlagLog, resolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from collectors.signals.flights import InFlight

    Floats = NDArray[np.float64]
    Knowing = Callable[[FlagLog, InFlight], Floats]

LEADS: Final = (7, 4, 2)
RECALL: Final = 0.8
MORNING_US: Final = 5 * HOUR_US + HOUR_US // 2
WINDOW_US: Final = 26 * 7 * DAY_US


class Judgements:
    """Chances given and what came: per lead, by the flag and by the one who knows the true laws."""

    def __init__(self) -> None:
        self.rows: dict[int, list[tuple[Floats, Floats, NDArray[np.bool_]]]] = {lead: [] for lead in LEADS}

    def add(self, lead: int, flag: Floats, bound: Floats, broken: NDArray[np.bool_]) -> None:
        """Take in some orders."""
        self.rows[lead].append((flag, bound, broken))

    def figures(self) -> list[dict[str, Any]]:
        """Return the figures of each lead."""
        return [self._of(lead) for lead in LEADS]

    def _of(self, lead: int) -> dict[str, Any]:
        if not self.rows[lead]:
            return {"days_before": lead, "orders": 0}
        flag, bound, broken = (np.concatenate(column) for column in zip(*self.rows[lead], strict=True))
        mine = precision_at(flag, broken, RECALL)
        return {
            "days_before": lead,
            "orders": len(broken),
            "broken": int(broken.sum()),
            "base_rate": _rounded(broken.mean()),
            "precision": _rounded(mine),
            "mean_chance": _rounded(flag.mean()),
            "log_loss": _rounded(log_loss(flag, broken)),
            **({} if np.isnan(bound).any() else _of_bound(mine, bound, broken)),
        }


def _of_bound(mine: float | None, bound: Floats, broken: NDArray[np.bool_]) -> dict[str, Any]:
    best = precision_at(bound, broken, RECALL)
    return {
        "bound": _rounded(best),
        "of_bound": _rounded(mine / best) if mine and best else None,
        "bound_mean_chance": _rounded(bound.mean()),
        "bound_log_loss": _rounded(log_loss(bound, broken)),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def precision_at(chance: Floats, broken: NDArray[np.bool_], recall: float) -> float | None:
    """Return the precision at the highest threshold that flags this share of the broken; ties count too."""
    if not broken.any():
        return None
    threshold = np.sort(chance[broken])[::-1][int(np.ceil(recall * broken.sum())) - 1]
    return float(broken[chance >= threshold].mean())


def log_loss(chance: Floats, broken: NDArray[np.bool_]) -> float:
    """Return the mean of minus the logarithm of the chance given to what came."""
    given = np.clip(np.where(broken, chance, 1 - chance), 1e-3, 1.0)
    return float(-np.log(given).mean())


def judged_log(log: FlagLog, found: Judgements, mornings: range, knowing: Knowing | None) -> None:
    """Flag the orders of a log on these days, and hold the chances against what came."""
    seen: dict[int, set[int]] = {lead: set() for lead in LEADS}
    for day in mornings:
        now = log.begin + day * DAY_US + MORNING_US
        flight = flight_of(log.visits, now, log.codebook)
        flight = flight.take(flight.open)
        due = _due(flight, now, seen, resolved(log, flight.order))
        rows = np.unique(np.concatenate(list(due.values())))
        if not len(rows):
            continue
        orders = flight.take(rows)
        known = log.visits.as_of(now)
        known = known.take(known.left > now - WINDOW_US)
        flag = Chances.learn(known, log.codebook, now).of(orders)
        bound = knowing(log, orders) if knowing else np.full(len(orders), np.nan)
        broken = log.outcomes.of(orders.order).verdict == BROKEN
        for lead, chosen in due.items():
            at = np.searchsorted(rows, chosen)
            found.add(lead, flag[at], bound[at], broken[at])


def _due(
    flight: InFlight, now: int, seen: dict[int, set[int]], decided: NDArray[np.bool_]
) -> dict[int, NDArray[np.int64]]:
    """Return which orders are nearest to each lead this morning, and have not been judged at it before."""
    left = (flight.promise_at - now) / DAY_US
    result = {}
    for lead in LEADS:
        near = np.flatnonzero((np.abs(left - lead) <= 0.5) & decided)
        fresh = np.array([row for row in near.tolist() if int(flight.order[row]) not in seen[lead]], dtype=np.int64)
        seen[lead].update(flight.order[fresh].tolist())
        result[lead] = fresh
    return result
