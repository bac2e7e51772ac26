"""Heavy models on one worker and on two: how much faster, and whether the digits stay the same."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pricing.messages import PriceClass
from tests.load import rings
from tests.load.asking import Asker
from tests.load.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from tests.load.workers import Ground

PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Haul:
    """How many heavy models, and how often with one worker and with two in turn."""

    models: int = 24
    rounds: int = 3


async def scaling(ground: Ground, haul: Haul, say: Callable[[str], None]) -> dict[str, Any]:
    """Price the same models with one worker and with two, in turn; each time nothing is known of them."""
    models = await rings.heavy(ground, haul.models, seed=5)
    took: dict[int, list[float]] = {1: [], 2: []}
    prices: list[list[Decimal | str]] = []
    for turn in range(haul.rounds):
        for number in (1, 2):
            seconds, found = await _hauled(ground, models, number, f"scaling_{turn}_{number}")
            say(f"{len(models)} heavy models on {number} worker{'s' * (number > 1)}: {seconds:.1f} s")
            took[number].append(seconds)
            prices.append(found)
    one, two = (sum(took[number]) / haul.rounds for number in (1, 2))
    return {
        "models": haul.models,
        "rounds": haul.rounds,
        "one_s": round(one, 2),
        "two_s": round(two, 2),
        "ratio": round(one / two, 3),
        "same": all(found == prices[0] for found in prices),
        "refused": sum(isinstance(answer, str) for answer in prices[0]),
    }


async def _hauled(ground: Ground, models: list[str], number: int, name: str) -> tuple[float, list[Decimal | str]]:
    asker = await Asker.begun(ground, f"{name}_asker")
    workers = Workers(ground, await ground.database(f"{name}_pricing"))
    try:
        workers.start(number)
        warm = await rings.light(ground, number, seed=9)
        for model in warm:  # so that no child's start is counted
            await asker.ask("warm", model, PriceClass.SHOP)
        await asker.settled(PATIENCE_S)
        began = time.monotonic()
        asked = [await asker.ask(f"heavy-{place}", model, PriceClass.HEAVY) for place, model in enumerate(models)]
        await asker.settled(PATIENCE_S)
        seconds = time.monotonic() - began
        return seconds, [answer for request in asked for answer in asker.asked[request].answers]
    finally:
        workers.stop()
        await asker.stop()
