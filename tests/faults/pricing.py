"""Pricing under kill -9: workers and their children end at random; each request must have one answer, the right one."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pricing.calculation import measured
from pricing.materials import DEFAULT_ALLOY, load_materials
from pricing.messages import PriceClass
from pricing.quoting import Order, quote
from pricing.storage import create_store
from pricing.workers.settings import Settings
from tests.load import rings
from tests.load.asking import Asker
from tests.load.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from tests.load.asking import Asked
    from tests.load.workers import Ground

# A killed worker is up again within this; much shorter, and nothing would ever be computed.
PACE_S: Final = 2.5
# Longer than any lease of a dead worker and any wait of the bus.
PATIENCE_S: Final = 90.0
WRONG: Final = ("stuck", "doubled", "priced_differently")
CHILDREN: Final = 0.5  # of all kills, how many hit a worker's child alone


@dataclass(frozen=True)
class Killing:
    """How much is asked, and how often something is killed. One request in ten is for a model that was asked before."""

    requests: int = 500
    kills: int = 200
    heavy: int = 15
    workers: int = 2


async def killing(ground: Ground, scale: Killing, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Ask and kill at random; return what became of every request."""
    chance = random.Random(f"{seed} pricing")  # noqa: S311 - a fault run, repeatable by its seed
    light = await rings.light(ground, scale.requests - scale.heavy - scale.requests // 10, seed)
    models = light + chance.choices(light, k=scale.requests // 10) + await rings.heavy(ground, scale.heavy, seed)
    expected = await _expected(ground, models)
    say(f"pricing: {len(expected) // 2:,} models priced beforehand, one by one")
    chance.shuffle(models)
    asker = await Asker.begun(ground, "killing_asker")
    workers = Workers(ground, await ground.database("killing_pricing"))
    began = time.monotonic()
    try:
        workers.start(scale.workers)
        killed = await _killed(asker, workers, models, scale, chance)
        say(f"pricing: {killed} killed after {time.monotonic() - began:.0f} s, waiting for the rest")
        await asker.settled(PATIENCE_S)
        await asyncio.sleep(5)  # for what may come twice
        return verdict(list(asker.asked.values()), expected) | killed | {"seconds": round(time.monotonic() - began, 1)}
    finally:
        workers.stop()
        await asker.stop()


async def _expected(ground: Ground, models: Sequence[str]) -> dict[tuple[str, bool], Decimal]:
    """Return each model's price, for partners (True) and for everybody else."""
    store, materials = create_store(str(ground.models)), load_materials()
    found = {}
    for name in dict.fromkeys(models):
        async with store.local(name) as path:
            model = measured(path, options=materials.options, plausible=materials.plausible)
        for partner, terms in ((True, Settings().partner_terms), (False, None)):
            made = quote(model.measures, materials, Order(DEFAULT_ALLOY, partner=terms), model.unit)
            found[name, partner] = made.price
    return found


async def _killed(
    asker: Asker, workers: Workers, models: Sequence[str], scale: Killing, chance: random.Random
) -> dict[str, int]:
    """Kill as often as asked, and ask evenly among the kills; return what was killed."""
    killed = {"workers_killed": 0, "children_killed": 0}
    classes = (PriceClass.SHOP, PriceClass.PARTNER, PriceClass.HEAVY)
    asked = 0
    while sum(killed.values()) < scale.kills:
        due = min(len(models), len(models) * (sum(killed.values()) + 1) // scale.kills)
        for number in range(asked, due):
            await asker.ask(f"order-{number}", models[number], chance.choice(classes))
        asked = due
        await asyncio.sleep(PACE_S * chance.uniform(0.2, 1.8))
        slot = chance.randrange(scale.workers)
        if workers.running[slot].poll() is not None:
            raise AssertionError(f"a worker ended by itself: {workers.last_words()}")
        if chance.random() < CHILDREN:
            killed["children_killed"] += workers.kill_child(slot)
        else:
            workers.kill(slot)
            workers.again(slot)
            killed["workers_killed"] += 1
    return killed


def verdict(asked: Sequence[Asked], expected: Mapping[tuple[str, bool], Decimal]) -> dict[str, int]:
    """Count what went wrong. ``expected``: by model and whether a partner asks, calculated where nothing is killed."""
    return {
        "requests": len(asked),
        "stuck": sum(not one.answers for one in asked),
        "doubled": sum(len(one.answers) > 1 for one in asked),
        "priced_differently": sum(
            answer != expected[one.model, one.price_class is PriceClass.PARTNER]
            for one in asked
            for answer in one.answers
        ),
    }


def failures(found: dict[str, Any], scale: Killing) -> list[str]:
    """Return what did not come out as it must, in sentences."""
    kills = found["workers_killed"] + found["children_killed"]
    told = [f"pricing: only {kills} of {scale.kills} kills were made"] if kills < scale.kills else []
    told += [f"pricing: {found[what]} requests {what.replace('_', ' ')}" for what in WRONG if found[what]]
    if found["requests"] < scale.requests:
        told.append(f"pricing: only {found['requests']} of {scale.requests} requests were made")
    return told
