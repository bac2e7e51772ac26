"""The fault of the bought-in MES alone: nobody listens where its API was, and our adapter lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alerts.drills.house import SERVICES, House
from alerts.drills.model import Drill, Named

if TYPE_CHECKING:
    from alerts.drills.run import Run

ORDERS: Final = 7  # one every two minutes, while the vendor is away


async def _mes_down(run: Run) -> None:
    house = await House.open(run, vendor_apart=True)
    await house.watched()
    await house.do("order", count=2)
    await run.steps(3)
    async with run.broken():
        await house.do("vendor", on=False)
        for _ in range(ORDERS):
            await house.do("order")
            await run.steps(2)
        await house.do("vendor", on=True)
    await run.steps(8)  # the calls that are owed are tried again within five minutes


DRILLS: Final = (
    Drill(
        "mes-down",
        "The bought-in MES's API refuses connections; our adapter lives, and orders go on.",
        _mes_down,
        (Named("VendorSilent", {"job": "mes"}),),
        jobs=(*SERVICES, "collector"),
        silent=("ServiceDown",),
        quick=False,
    ),
)
