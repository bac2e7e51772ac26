"""A flood of partner requests and heavy models, and a shop customer who wants a price in the middle of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pricing.messages import PriceClass
from tests.load import rings
from tests.load.asking import Asker
from tests.load.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.load.workers import Ground

PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Flood:
    """How much is asked at once, and how often the shop asks meanwhile."""

    partner: int = 2_000
    heavy: int = 20
    shop: int = 100
    shop_every_s: float = 2.0
    workers: int = 2


async def fairness(ground: Ground, flood: Flood, say: Callable[[str], None]) -> dict[str, Any]:
    """Ask for all of it and return, by class, how long answers took."""
    say(f"making {flood.partner + flood.shop:,} rings and {flood.heavy} heavy ones")
    partner = await rings.light(ground, flood.partner, seed=1)
    heavy = await rings.heavy(ground, flood.heavy, seed=2)
    shop = await rings.light(ground, flood.shop, seed=3)
    asker = await Asker.begun(ground, "fairness_asker")
    workers = Workers(ground, await ground.database("fairness_pricing"))
    try:
        workers.start(flood.workers)
        began = time.monotonic()
        for number, model in enumerate(heavy):
            await asker.ask(f"heavy-{number}", model, PriceClass.HEAVY)
        for number, model in enumerate(partner):
            await asker.ask(f"partner-{number}", model, PriceClass.PARTNER)
        say("all asked; the shop begins to ask")
        for number, model in enumerate(shop):
            await asker.ask(f"shop-{number}", model, PriceClass.SHOP)
            await asyncio.sleep(flood.shop_every_s)
        flooded = len(asker.open())
        say(f"the shop has asked; {flooded:,} answers are due")
        settled = await asker.settled(PATIENCE_S)
        found: dict[str, Any] = {str(one): _figures(asker, one) for one in PriceClass}
        found |= {"workers": flood.workers, "settled": settled, "due_when_the_shop_ended": flooded}
        return found | {"seconds": round(time.monotonic() - began, 1)}
    finally:
        workers.stop()
        await asker.stop()


def _figures(asker: Asker, price_class: PriceClass) -> dict[str, Any]:
    asked = [one for one in asker.asked.values() if one.price_class == price_class]
    times = [one.seconds for one in asked if one.answered is not None]
    p50, p95, p99 = np.percentile(times, (50, 95, 99)) if times else (np.nan,) * 3
    return {
        "asked": len(asked),
        "answered": len(times),
        "refused": sum(isinstance(answer, str) for one in asked for answer in one.answers),
        "p50_s": round(float(p50), 3),
        "p95_s": round(float(p95), 3),
        "p99_s": round(float(p99), 3),
        "max_s": round(max(times, default=float("nan")), 3),
    }
