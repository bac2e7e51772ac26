"""Healthy half-years of a queueing shop: how often the signals, and what others would page on, cry wolf."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from collectors.simulation import STAGES
from tests.drills.controls import Burnt, burnt, hazard_pages
from tests.drills.histories import REFERENCE_TO, life, scope_of
from tests.drills.judging import MULTIPLES, Page, reference_of, watched
from tests.drills.promises import promised
from tests.drills.sloth import BurnRules, burn_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_YEAR_DAYS: Final = 365


class Run(NamedTuple):
    """One half-year: the pages at each multiple of the limits, and those of the controls."""

    pages: dict[float, list[Page]]
    hazard: int
    burnt: Burnt


def one(task: tuple[str, float, int, int, BurnRules]) -> Run:
    """Live one half-year: house, orders a day, days watched, seed, and the burn rates to compare with."""
    house, per_day, days, seed, rules = task
    promise = promised(house, per_day)
    until = REFERENCE_TO + days
    lived = life(house, until, per_day, seed)
    ledger, scope = lived.ledger(), scope_of(house, np.array(promise.budgets_us))
    reference = reference_of(ledger, scope)
    told = watched(ledger, reference, scope, until)
    return Run(told, hazard_pages(ledger, until, seed), burnt(lived, promise.within_us, until, rules))


def healthy(
    house: str, volumes: Sequence[float], seeds: range, days: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return the figures of each volume."""
    rules = burn_rules()
    found = []
    for per_day in volumes:
        promised(house, per_day)
        with ProcessPoolExecutor(2) as pool:
            runs = list(pool.map(one, [(house, per_day, days, seed, rules) for seed in seeds]))
        told = figures(runs, days, rules)
        found.append({"house": house, "orders_per_day": per_day} | told)
        say(
            f"healthy, {house}, {per_day:g} a day: {told['pages_per_year']} pages a year in {len(seeds)} half-years; "
            f"{rules.origin}: {told['burn_pages_per_year']}, and {told['burn_tickets_per_year']} tickets"
        )
    return found


def figures(runs: list[Run], days: int, rules: BurnRules) -> dict[str, Any]:
    """Return the pages a year, by stage and test, and what the controls did."""
    years = len(runs) * days / _YEAR_DAYS
    ours = [page for run in runs for page in run.pages[1.0]]
    return {
        "half_years": len(runs),
        "days": days,
        "pages_per_year": round(len(ours) / years, 2),
        "half_years_with_a_page": sum(bool(run.pages[1.0]) for run in runs),
        "by_stage": dict(Counter(STAGES[page.stage] for page in ours)),
        "by_test": dict(Counter(page.test for page in ours)),
        "pages_per_year_at_multiple": {
            str(multiple): round(sum(len(run.pages[multiple]) for run in runs) / years, 2) for multiple in MULTIPLES
        },
        "hazard_half_years_with_a_page": sum(run.hazard > 0 for run in runs),
        "hazard_pages_per_year": round(sum(run.hazard for run in runs) / years, 1),
        "burn_rates_of": rules.origin,
        "burn_pages_per_half_year": [run.burnt.pages for run in runs],
        "burn_pages_per_year": round(sum(run.burnt.pages for run in runs) / years, 1),
        "burn_tickets_per_year": round(sum(run.burnt.tickets for run in runs) / years, 1),
    }
