"""A stage gone 1.6 times slower on day 90, each in turn: how soon it is paged, whether it is named, and how false."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from collectors.simulation import STAGES, Slowdown
from tests.drills.controls import miss_rate_limit, miss_rate_shows
from tests.drills.histories import CUSTOMERS, REFERENCE_TO, SLOWED_FROM, life, scope_of
from tests.drills.judging import MULTIPLES, Page, reference_of, watched
from tests.drills.promises import promised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FACTOR: Final = 1.6
SLOWED: Final = tuple(number for number in range(len(STAGES)) if number != CUSTOMERS)
# The healthy half-years that the miss rate's limit is calibrated on.
HEALTHY_UNTIL: Final = REFERENCE_TO + 180
_EARLIER_DAYS: Final = 14
_BEFORE_H: Final = (SLOWED_FROM - REFERENCE_TO) * 24


class Paged(NamedTuple):
    """The first page after the slow-down: days after it, and the stage; -1 for none. ``false``: one stood before."""

    days: float
    stage: int
    false: bool


class Outcome(NamedTuple):
    """One slowed run: what was paged at each multiple of the limits, and when the miss rate shows it (days, -1).

    Not shown by it is what the miss rate of the same orders, had nothing become slower, shows by then too.
    """

    stage: int
    seed: int
    paged: dict[float, Paged]
    missed: int


def one(task: tuple[str, float, int, int, float]) -> list[Outcome]:
    """Slow each stage in turn: house, orders a day, last day, seed, and the limit of the miss rate."""
    house, per_day, until, seed, limit = task
    promise = promised(house, per_day)
    scope = scope_of(house, np.array(promise.budgets_us))
    reference = None
    found = []
    calm = miss_rate_shows(life(house, HEALTHY_UNTIL, per_day, seed), promise.within_us, until, limit)
    for stage in SLOWED:
        lived = life(house, until, per_day, seed, (Slowdown(STAGES[stage], SLOWED_FROM, factor=FACTOR),))
        ledger = lived.ledger()
        # Until the slow-down, the runs of a seed are the same.
        reference = reference or reference_of(ledger, scope)
        paged = {multiple: _first(told) for multiple, told in watched(ledger, reference, scope, until).items()}
        day = miss_rate_shows(lived, promise.within_us, until, limit)
        shown = -1 if day is None or (calm is not None and calm <= day) else day - SLOWED_FROM
        found.append(Outcome(stage, seed, paged, shown))
    return found


def _first(told: list[Page]) -> Paged:
    after = [page for page in told if page.hour >= _BEFORE_H]
    false = len(after) < len(told)
    if not after:
        return Paged(-1.0, -1, false)
    return Paged(round((after[0].hour + 1 - _BEFORE_H) / 24, 2), after[0].stage, false)


def slowed(
    house: str, volumes: Sequence[float], seeds: range, until: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return the figures of each volume."""
    found = []
    for per_day in volumes:
        within_us = promised(house, per_day).within_us
        calm = (life(house, HEALTHY_UNTIL, per_day, seed) for seed in seeds)
        limit = miss_rate_limit(calm, within_us, HEALTHY_UNTIL)
        with ProcessPoolExecutor(2) as pool:
            tasks = [(house, per_day, until, seed, limit) for seed in seeds]
            outcomes = [outcome for run in pool.map(one, tasks) for outcome in run]
        made = figures(outcomes)
        found.append({"house": house, "orders_per_day": per_day, "seeds": len(seeds)} | made)
        say(f"slowed, {house}, {per_day:g} a day: {made['at_multiple']['1.0']}")
    return found


def figures(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return delays and names: of all, by stage, and along the trade-off curve."""
    return {
        "runs": len(outcomes),
        "at_multiple": {str(multiple): _figures(outcomes, multiple) for multiple in MULTIPLES},
        "by_stage": {STAGES[s]: _figures([o for o in outcomes if o.stage == s], 1.0) for s in SLOWED},
    }


def _figures(outcomes: list[Outcome], multiple: float) -> dict[str, Any]:
    paged = [(outcome, outcome.paged[multiple]) for outcome in outcomes]
    found = [page for _, page in paged if page.days >= 0]
    # A stage whose slow-down the miss rate never shows has no day to be earlier than.
    shown = [(outcome, page) for outcome, page in paged if outcome.missed >= 0]
    earlier = [o for o, page in shown if 0 <= page.days <= o.missed - _EARLIER_DAYS]
    named = [o for o, page in paged if page.stage == o.stage]
    named_shown = [o for o, page in shown if page.stage == o.stage]
    return {
        "paged": len(found),
        "of": len(outcomes),
        "median_delay_days": _quantile([page.days for page in found], 0.5),
        "p90_delay_days": _quantile([page.days for page in found], 0.9),
        "right_stage": len(named),
        "miss_rate_shows": len(shown),
        "miss_rate_median_days": _quantile([o.missed for o, _ in shown], 0.5),
        "earlier_by_14_days": len(earlier),
        "right_stage_where_shown": len(named_shown),
        "paged_before_it_was_slow": sum(page.false for _, page in paged),
    }


def _quantile(values: Sequence[float], share: float) -> float | None:
    return round(float(np.quantile(values, share)), 1) if values else None
