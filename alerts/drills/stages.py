"""Faults of the flow of orders: stages slowed, in which orders wait or somebody works, and people who stay away.

A simulated house runs healthily for so long that the collector has its first reference; then something in it is slow
for some weeks, and is mended.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from alerts.drills.flow import HEALTHY, Flow, Watching, began
from alerts.drills.model import Drill, Named
from alerts.drills.run import BEGIN
from collectors.simulation import HOUSE, Slowdown
from collectors.simulation.settings import (
    APPROVAL,
    ASSIGNMENT,
    MANUFACTURING,
    PACKING,
    PACKING_QUEUE,
    PRICE_QUEUE,
    PRICING,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.drills.run import Run
    from collectors.simulation import House

SLOW: Final = 14
AFTER: Final = 42
ORDERS: Final = 20.0  # a day
STEP: Final = timedelta(hours=12)
FACTOR: Final = 2.5
GROUPS: Final = ("workers", "sales", "workshop", "packers")
# What a slow stage does to the promise and to its own budget is no other fault.
CONSEQUENCES: Final = (
    *("PromiseAtRisk", "PromiseSlipping", "PromiseSegmentAtRisk", "ErrorBudgetForecast", "ErrorBudgetSpent"),
    *("StageOverBudget", "StageSegmentOverBudget", "StageSegmentSlow", "OrdersStuck", "BudgetBurnsSlowly"),
)


async def _flow(run: Run, house: House, slowdowns: Sequence[Slowdown], slow: int, after: int) -> None:
    watching = await Watching.open(run)
    days = HEALTHY + slow + after + 3
    await Flow.open(run, watching, began(run, timedelta(days=HEALTHY), days, ORDERS, slowdowns), house)
    await run.steps(3)
    async with run.broken():
        await run.last(timedelta(days=slow))
    await run.last(timedelta(days=after))


async def _slowed(run: Run, stage: str, factor: float) -> None:
    begins = HEALTHY + 1
    slowdowns = (Slowdown(stage, begins, factor), Slowdown(stage, begins + SLOW, 1 / factor))
    await _flow(run, HOUSE, slowdowns, SLOW, AFTER)


def _off(days: int) -> tuple[date, ...]:
    """Return the days from the fault on on which those stay away who keep holidays."""
    return tuple(BEGIN.date() + timedelta(days=1 + day) for day in range(days))


async def _absent(run: Run, who: str, days: int) -> None:
    """Let one group of people stay away, and nobody else."""
    others = {name: replace(getattr(HOUSE, name), rests=False) for name in GROUPS if name != who}
    await _flow(run, replace(HOUSE, holidays=_off(days), **others), (), days, AFTER)


def _drill(name: str, stage: str, factor: float = FACTOR) -> Drill:
    return Drill(
        name,
        f"Orders that enter {stage} take {factor:g} times as long there, for {SLOW} days.",
        partial(_slowed, stage=stage, factor=factor),
        (Named("StageSlow", {"stage": stage}),),
        also=CONSEQUENCES,
        step=STEP,
        within=timedelta(days=10),
        quick=False,
    )


DRILLS: Final = (
    _drill("stage-slowed", APPROVAL),
    _drill("price-queue-slowed", PRICE_QUEUE),
    _drill("assignment-slowed", ASSIGNMENT),
    _drill("packing-queue-slowed", PACKING_QUEUE),
    _drill("pricing-slowed", PRICING, factor=4),
    _drill("manufacturing-slowed", MANUFACTURING),
    _drill("packing-slowed", PACKING),
    Drill(
        "approvals-stopped",
        "The sales managers stay away for twelve days: orders pile up on their desks.",
        partial(_absent, who="sales", days=12),
        (Named("PromiseAtRisk"), Named("StageSlow", {"stage": APPROVAL})),
        also=CONSEQUENCES,
        step=STEP,
        within=timedelta(days=11),
        quick=False,
    ),
    Drill(
        "operators-absent",
        "Nobody comes to the workshop for twelve days: orders wait to be made, and lie there half made.",
        partial(_absent, who="workshop", days=12),
        # Orders pile up before the workshop too, which is put down to those who do not work in it.
        (Named("PromiseAtRisk"), Named("StageSlow", {"stage": MANUFACTURING})),
        also=CONSEQUENCES,
        step=STEP,
        within=timedelta(days=12),
        quick=False,
    ),
)
