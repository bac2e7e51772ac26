"""The first eleven weeks, in which there is no reference: who is told by the budgets alone, and how often falsely."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from collectors.signals.by_budget import over_budget
from collectors.signals.ledger import HOUR_US
from collectors.simulation import STAGES
from collectors.timelines.measuring import NEVER
from tests.drills.histories import BEGIN_US, DAY_US, REFERENCE_FROM, life, scope_of
from tests.drills.judging import SAME_PAGE_H, begins
from tests.drills.promises import promised
from tests.drills.slowed import HEALTHY_UNTIL, SLOWED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

DAYS: Final = 77
# How far a stage in turn is over its budget since the first day, which is made so much smaller for it.
OVER: Final = (1.6, 3.0)
EVERY_H: Final = 24
_YEAR_DAYS: Final = 365


class Told(NamedTuple):
    """A stage that was so many times over its budget: the day of the first ticket, -1 for none, and whom it named."""

    times: float
    stage: int
    day: int
    named: tuple[int, ...]


def one(task: tuple[str, float, int, int]) -> tuple[int, list[Told]]:
    """Live the first weeks: house, orders a day, days, seed. Return the false tickets, and what was told if slow."""
    house, per_day, days, seed = task
    promise = promised(house, per_day)
    lived = life(house, HEALTHY_UNTIL, per_day, seed)
    ledger = lived.ledger()
    first = (BEGIN_US + promise.within_us) // HOUR_US

    def told(budgets: NDArray[np.int64]) -> NDArray[np.bool_]:
        scope = scope_of(house, budgets)
        hours = range(first, BEGIN_US // HOUR_US + days * 24, EVERY_H)
        found = [over_budget(ledger, scope, first, hour * HOUR_US) for hour in hours]
        return np.array([[one.over_budget for one in stages] or [False] * len(STAGES) for stages in found]).T

    budgets = np.array(promise.budgets_us)
    tickets = sum(len(begins(alarm, SAME_PAGE_H // EVERY_H)) for alarm in told(budgets))
    slow = []
    for times in OVER:
        for stage in SLOWED:
            shrunk = budgets.copy()
            shrunk[stage] = round(mean_us(house, per_day, stage) / times)
            alarm = told(shrunk)
            days_told = np.flatnonzero(alarm.any(axis=0))
            at = int(days_told[0]) if len(days_told) else -1
            named = tuple(np.flatnonzero(alarm[:, at]).tolist()) if at >= 0 else ()
            day = -1 if at < 0 else at + (first * HOUR_US - BEGIN_US) // DAY_US
            slow.append(Told(times, stage, day, named))
    return tickets, slow


def mean_us(house: str, per_day: float, stage: int) -> float:
    """Return the mean time that healthy orders spend in a stage, in microseconds; of a life that no run has."""
    visits = life(house, HEALTHY_UNTIL, per_day, 10_000).visits
    late = visits.entered >= visits.entered.min() + REFERENCE_FROM * DAY_US
    chosen = (visits.left != NEVER) & late & (visits.stage == stage)
    return float((visits.left - visits.entered)[chosen].mean())


def young(
    house: str, volumes: Sequence[float], seeds: range, days: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return the figures of each volume."""
    found = []
    for per_day in volumes:
        promised(house, per_day)
        with ProcessPoolExecutor(2) as pool:
            runs = list(pool.map(one, [(house, per_day, days, seed) for seed in seeds]))
        told = figures(runs, days)
        found.append({"house": house, "orders_per_day": per_day} | told)
        say(f"young, {house}, {per_day:g} a day: {told['tickets_per_year']} false tickets a year; {told['over']}")
    return found


def figures(runs: list[tuple[int, list[Told]]], days: int) -> dict[str, Any]:
    """Return the false tickets a year, and how many stages over their budgets were told, when, and by name."""
    tickets = sum(false for false, _ in runs)
    over = {}
    for times in OVER:
        all_ = [told for _, slow in runs for told in slow if told.times == times]
        found = [told for told in all_ if told.day >= 0]
        over[str(times)] = {
            "of": len(all_),
            "told": len(found),
            "right_stage": sum(told.stage in told.named for told in found),
            "median_day": float(np.median([told.day for told in found])) if found else None,
        }
    return {
        "runs": len(runs),
        "days": days,
        "tickets": tickets,
        "tickets_per_year": round(tickets * _YEAR_DAYS / (len(runs) * days), 2),
        "over": over,
    }
