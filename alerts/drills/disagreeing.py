"""Faults between systems: what one of them never hears of or hears in no order, and one that says what is not so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from alerts.drills.house import SERVICES, House
from alerts.drills.model import Drill, Named
from alerts.drills.watching import counted
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from alerts.drills.run import Run

JOBS: Final = (*SERVICES, "collector")
TRIES: Final = 20
ROUNDS: Final = 10
EVERY: Final = 3
FIVE_MINUTES: Final = timedelta(minutes=5)


async def _messages_lost(run: Run) -> None:
    house = await House.open(run)
    await house.watched()
    await house.do("order", count=2)
    await run.steps(5)
    async with run.broken():
        await house.do("wire_up", loses="crm,collector")
        await house.do("order")
        for _ in range(TRIES):
            await run.steps(1)
            if {"/shop", "/mes"} <= set(await house.do("lost")):
                break
        else:
            raise TouchstoneError("the MES said nothing of an order that could be lost")
        await house.do("wire_up")
        await run.steps(29)  # systems are compared every five minutes, and one of them may be late to answer once
        for service in ("shop", "mes"):
            for consumer in ("crm", "collector"):
                await house.do("replay", service=service, consumer=consumer)
    await run.steps(8)


async def _messages_shuffled(run: Run) -> None:
    house = await House.open(run)
    await house.watched()
    await house.do("order", count=2)
    await run.steps(3)
    async with run.broken():
        await house.do("wire_up", shuffles=True)
        for _ in range(ROUNDS):
            await house.do("order", count=3)
            await run.steps(EVERY)
        for consumer in ("crm", "mes"):
            early = counted(f'touchstone_bus_received_messages_total{{consumer="{consumer}",outcome="parked"}}')
            if not early(await house.shown(consumer)):
                raise TouchstoneError(f"no message to {consumer} came before its time: nothing was shuffled")
        await house.do("wire_up")
    await run.steps(10)


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
        "messages-shuffled",
        "Messages come in no order, and some of them late: they are put in order again, and nobody is woken.",
        _messages_shuffled,
        (),
        silent=(
            "BusGap",
            "MessagesParked",
            "SequenceGaps",
            "OrdersLost",
            "SystemsDisagree",
            "DeadLetters",
            "OutboxStuck",
        ),
        calm=True,
        jobs=JOBS,
        quick=False,
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
