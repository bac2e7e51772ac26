"""All that chance decides of an order.

Each concern has its own stream of random numbers, and each order its own row in it. So a slowed stage changes
what happens to orders, never which orders come or how hard each is (common random numbers; Law, Simulation
Modeling and Analysis, 11.2), and a longer log begins with the shorter one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import numpy as np

from collectors.simulation.calendars import SECOND
from collectors.simulation.settings import MANUFACTURING, PACKING, PRICING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.simulation.demand import Order
    from collectors.simulation.settings import House, Lognormal

# How often the same thing can go wrong with one order; the last attempt always succeeds.
ATTEMPTS = 3


class Draws:
    """What chance decides: durations in microseconds and yes-or-no, by concern, order and attempt."""

    def __init__(self, seed: int, orders: int) -> None:
        self._seed = seed
        self._orders = orders
        self._durations: dict[str, NDArray[np.int64]] = {}
        self._chances: dict[str, NDArray[np.bool_]] = {}

    def add_duration(self, concern: str, law: Lognormal, scale: NDArray[np.float64] | float = 1.0) -> None:
        """Draw a duration per order and attempt; `scale` multiplies it (a number, or one per order)."""
        variance = math.log1p(law.cv**2)
        rng = stream(self._seed, concern)
        hours = rng.lognormal(math.log(law.mean_h) - variance / 2, math.sqrt(variance), (self._orders, ATTEMPTS))
        # Whole seconds: the last bit of exp() differs between machines, and rounding hides it.
        seconds = np.rint(hours * np.reshape(scale, (-1, 1)) * 3600).astype(np.int64)
        self._durations[concern] = np.maximum(seconds, 1) * SECOND

    def add_chance(self, concern: str, probability: float) -> None:
        """Draw whether it happens per order and attempt."""
        self._chances[concern] = stream(self._seed, concern).random((self._orders, ATTEMPTS)) < probability

    def duration(self, concern: str, order: Order, attempt: int = 0) -> int:
        """How long this takes, in microseconds."""
        return int(self._durations[concern][order.row, attempt])

    def happens(self, concern: str, order: Order, attempt: int = 0) -> bool:
        """Whether this happens to the order."""
        return bool(self._chances[concern][order.row, attempt])


def stream(seed: int, concern: str) -> np.random.Generator:
    """Return the concern's own stream, which depends on the seed and its name alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(crc32(concern.encode()),))))


class Paces(NamedTuple):
    """What the work of each group takes against the house's own figures (1: the same)."""

    workers: float = 1.0
    sales: float = 1.0
    workshop: float = 1.0
    packers: float = 1.0


def draw_lives(house: House, seed: int, orders: list[Order], paces: Paces) -> Draws:
    """Draw all that can happen to these orders, each concern from its own stream."""
    draws = Draws(seed, len(orders))
    b2b = np.array([order.channel == "b2b" for order in orders], dtype=np.bool_)
    shop_dialogue = (1 - house.b2b_share * house.b2b_dialogue) / (1 - house.b2b_share)
    patience = np.where(b2b, house.b2b_dialogue, shop_dialogue)
    efforts = {product.name: product.effort for product in house.products}
    effort = np.array([efforts[order.product] for order in orders], dtype=np.float64) * paces.workshop
    # A partner's system needs seconds from INITIATED to SUBMITTED.
    draws.add_duration("configuring", house.configuring, np.where(b2b, 0.01, 1.0))
    draws.add_duration("upload", house.upload)
    draws.add_duration("repair mesh", house.repair_mesh)
    draws.add_duration(PRICING, house.pricing, paces.workers)
    draws.add_duration("dialogue", house.dialogue, patience)
    draws.add_duration("second dialogue", house.dialogue, patience * house.second_dialogue)
    draws.add_duration("approving", house.approving, paces.sales)
    draws.add_duration("answer", house.answer)
    draws.add_duration("material", house.material)
    draws.add_duration("second material", house.material, house.second_material)
    draws.add_duration(MANUFACTURING, house.manufacturing, effort)
    draws.add_duration("inspection", house.inspection)
    draws.add_duration("polishing", house.polishing, paces.workshop)
    draws.add_duration("hallmarking", house.hallmarking)
    draws.add_duration(PACKING, house.packing, paces.packers)
    draws.add_duration("closing", house.closing)
    draws.add_chance("price fails", house.price_fails)
    draws.add_chance("rejected", house.rejected)
    draws.add_chance("withdrawn", house.withdrawn)
    draws.add_chance("asks customer", house.asks_customer)
    draws.add_chance("cancelled by customer", house.cancelled_by_customer)
    draws.add_chance("casting fails", house.casting_fails)
    draws.add_chance("inspection fails", house.inspection_fails)
    return draws
