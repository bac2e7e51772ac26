"""Faults between systems: an order that one of them never hears of, and a system that says what is not so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from alerts.drills.house import SERVICES, House
from alerts.drills.model import Drill, Named

if TYPE_CHECKING:
    from alerts.drills.run import Run

JOBS: Final = (*SERVICES, "collector")
FIVE_MINUTES: Final = timedelta(minutes=5)


async def _messages_lost(run: Run) -> None:
    house = await House.open(run)
    await house.watched()
    await house.do("order", count=2)
    await run.steps(5)
    async with run.broken():
        await house.do("wire_up", loses="crm,collector")
        await house.do("order")
        await run.steps(1)
        await house.do("wire_up")
        await run.steps(23)
        for service in ("shop", "mes"):
            for consumer in ("crm", "collector"):
                await house.do("replay", service=service, consumer=consumer)
    await run.steps(8)


async def _mes_lies(run: Run) -> None:
    house = await House.open(run)
    await house.watched()
    [order] = await house.do("order")
    await run.steps(4)
    async with run.broken():
        believed = await house.do("lie", order=order, status="PACKAGING")
        await run.steps(10)
        await house.do("lie", order=order, status=believed)
    await run.steps(3)


DRILLS: Final = (
    Drill(
        "messages-lost",
        "What each system says first of an order is lost on its way to CRM and collector; the next events come.",
        _messages_lost,
        (Named("BusGap", {"consumer": "crm"}), Named("OrdersLost"), Named("SequenceGaps")),
        also=("InvariantViolated",),
        jobs=JOBS,
    ),
    Drill(
        "mes-lies",
        "The MES says that an order is being packed, which nobody else has heard of.",
        _mes_lies,
        (Named("SystemsDisagree"),),
        jobs=JOBS,
        step=FIVE_MINUTES,
    ),
)
