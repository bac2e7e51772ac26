"""Faults of the bus: what is not sent, lost on the way, or given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alerts.drills.house import SERVICES, House
from alerts.drills.model import NO_COLLECTOR, Drill, Named

if TYPE_CHECKING:
    from alerts.drills.run import Run


async def _outbox_stuck(run: Run) -> None:
    house = await House.open(run)
    await house.do("order", count=2)
    await run.steps(5)
    async with run.broken():
        await house.do("wire_up", cut=True)
        await house.do("order", count=3)
        await run.steps(10)
        await house.do("wire_up")
    await run.steps(5)


async def _dead_letters(run: Run) -> None:
    house = await House.open(run)
    await house.do("order")
    await run.steps(5)
    async with run.broken():
        await house.do("bug", service="crm")
        await house.do("order", count=12)
        await run.steps(16)
        await house.do("bug", service="crm", mended=True)
        await house.do("revive", service="crm")
    await run.steps(5)


DRILLS: Final = (
    Drill(
        "outbox-stuck",
        "The way to the bus is cut: what services say stays in their outboxes.",
        _outbox_stuck,
        (Named("OutboxStuck", {"consumer": "shop"}),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
    ),
    Drill(
        "dead-letters-piling",
        "A release of the CRM fails at every order's status, and gives up message after message.",
        _dead_letters,
        (Named("DeadLettersPiling", {"consumer": "crm"}),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
        quick=False,
    ),
)
