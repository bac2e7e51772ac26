"""The house: every number of the simulated shop, and why it is that number.

Means are in hours. Those of waits are elapsed; those of work are duty hours of whoever does it (a piece that
takes the workshop 65 duty hours lies there for five days, nights and Sunday included). The mean of a whole
stage is larger than what is written here: closing hours, queues and rework add to it. All were set by
measurement, so that the healthy house has the stage means that the design gives (days: 0.05, 0.02, 2, 2, 5,
1.5, 1) and keeps about 95 % of its promises at 5 to 500 orders a day.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from collectors.simulation.calendars import Shift

WEEKDAYS = (0, 1, 2, 3, 4)
ALL_WEEK = (0, 1, 2, 3, 4, 5, 6)
SATURDAY = (5,)

# The stages of the house's own promise, in its order.
PRICE_QUEUE = "price queue"
PRICING = "pricing"
APPROVAL = "approval"
CUSTOMERS_TURN = "customer's turn"
ASSIGNMENT = "assignment"
MANUFACTURING = "manufacturing"
PACKING_QUEUE = "packing queue"
PACKING = "packing"
STAGES = (PRICE_QUEUE, PRICING, APPROVAL, CUSTOMERS_TURN, ASSIGNMENT, MANUFACTURING, PACKING_QUEUE, PACKING)


class Status(StrEnum):
    """What a system says an order is in."""

    INITIATED = "INITIATED"
    SUBMITTED = "SUBMITTED"
    PRICE_CALCULATING = "PRICE_CALCULATING"
    PRICE_CALCULATED = "PRICE_CALCULATED"
    MANUFACTURING_APPROVED = "MANUFACTURING_APPROVED"
    MANUFACTURING_STARTED = "MANUFACTURING_STARTED"
    MANUFACTURING_COMPLETED = "MANUFACTURING_COMPLETED"
    PACKAGING = "PACKAGING"
    SHIPPED = "SHIPPED"
    CLOSED = "CLOSED"
    PRICE_FAILED = "PRICE_FAILED"
    AWAITING_CUSTOMER = "AWAITING_CUSTOMER"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


# Which system owns each status: the source of its event.
REPORTED_BY = {
    Status.INITIATED: "/shop",
    Status.SUBMITTED: "/shop",
    Status.PRICE_CALCULATING: "/mes",
    Status.PRICE_FAILED: "/mes",
    Status.PRICE_CALCULATED: "/mes",
    Status.AWAITING_CUSTOMER: "/crm",
    Status.REJECTED: "/crm",
    Status.CANCELLED: "/crm",
    Status.MANUFACTURING_APPROVED: "/crm",
    Status.MANUFACTURING_STARTED: "/mes",
    Status.MANUFACTURING_COMPLETED: "/mes",
    Status.PACKAGING: "/mes",
    Status.SHIPPED: "/mes",
    Status.CLOSED: "/crm",
}


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A heavy-tailed time: mean in hours, and coefficient of variation (standard deviation / mean)."""

    mean_h: float
    cv: float


@dataclass(frozen=True, slots=True)
class Staff:
    """A group of equal servers: their duty hours, and how much of these the demand takes when all is well."""

    shifts: tuple[Shift, ...]
    utilisation: float
    # Duty hours that an order takes of them, rework included: what they are staffed for.
    work_per_order_h: float
    at_least: int = 1
    # A fixed number of servers, whatever the volume; then each works at the pace that the demand asks of it.
    places: int | None = None
    # Software knows no holidays.
    rests: bool = True

    def servers(self, orders_per_day: float, hours_per_week: float) -> int:
        """How many it takes at this volume (rounded up: a small house has more slack than a large one)."""
        if self.places is not None:
            return self.places
        demand = 7 * orders_per_day * self.work_per_order_h / (hours_per_week * self.utilisation)
        return max(self.at_least, math.ceil(demand))

    def pace(self, orders_per_day: float, hours_per_week: float) -> float:
        """Return what work on an order takes against `work_per_order_h`: 1, unless the number of servers is fixed."""
        if self.places is None:
            return 1.0
        return self.places * hours_per_week * self.utilisation / (7 * orders_per_day * self.work_per_order_h)


class Product(NamedTuple):
    """What is made: its share of the orders, and its work in the workshop against the mean piece."""

    name: str
    share: float
    effort: float


@dataclass(frozen=True, slots=True)
class House:
    """One made-to-order jewellery shop. The defaults are the healthy house."""

    # Who works when. The house runs on UTC; public holidays are left out, they would be an unannounced fault.
    holidays: tuple[date, ...] = ()
    # First come, first served; otherwise pieces that failed go first, then partners.
    fifo: bool = False
    # Pricing is software: day and night, and with room for evening peaks and bursts, so that the
    # price queue does not mirror pricing.
    workers: Staff = Staff((Shift(ALL_WEEK, 0, 24),), utilisation=0.35, work_per_order_h=0.48, at_least=4)
    # Monday's pile of the weekend must be gone by the evening, so managers cannot be busier than this.
    sales: Staff = Staff((Shift(WEEKDAYS, 9, 18),), utilisation=0.45, work_per_order_h=0.38)
    # The workshop has twice the capacity that it needs. A server is a place for one piece.
    workshop: Staff = Staff(
        (Shift(WEEKDAYS, 6, 14), Shift(WEEKDAYS, 14, 22), Shift(SATURDAY, 6, 14)),
        utilisation=0.5,
        work_per_order_h=67.0,
        at_least=4,
    )
    # A server is a packing place, which is cheap; fewer would make the packing queue a matter of packers.
    packers: Staff = Staff((Shift(WEEKDAYS, 8, 18),), utilisation=0.4, work_per_order_h=10.0, at_least=2)

    # Demand. Private customers order in the evening and at weekends, partners in their office hours.
    shop_by_weekday: tuple[float, ...] = (1.0, 0.95, 0.95, 1.0, 0.9, 1.1, 1.3)
    shop_by_hour: tuple[float, ...] = (
        *(0.4, 0.2, 0.1, 0.1, 0.1, 0.2, 0.4, 0.7, 0.9, 1.0, 1.1, 1.1),
        *(1.2, 1.1, 1.0, 1.0, 1.1, 1.3, 1.6, 2.0, 2.2, 2.1, 1.6, 0.9),
    )
    b2b_share: float = 0.25
    b2b_by_weekday: tuple[float, ...] = (1.2, 1.0, 1.0, 1.0, 0.8, 0.0, 0.0)
    b2b_by_hour: tuple[float, ...] = (
        *((0.0,) * 8),
        *(1.0, 1.5, 1.5, 1.2, 0.6, 1.0, 1.2, 1.2, 1.0, 0.5),
        *((0.0,) * 6),
    )
    # A partner sends a collection: several pieces, uploaded one after another within this time.
    burst_mean: float = 5.0
    burst_spread_h: float = 2.0
    # The work averages to 1 over the shares.
    products: tuple[Product, ...] = (
        Product("ring", share=0.5, effort=0.95),
        Product("pendant", share=0.25, effort=0.9),
        Product("earrings", share=0.15, effort=1.1),
        Product("bracelet", share=0.1, effort=1.35),
    )

    # Before the promise: the customer turns the model and thinks; a few never send the order.
    abandoned: float = 0.05
    configuring: Lognormal = Lognormal(1.0, 1.5)

    # Price queue: a model is uploaded, scanned and converted before a worker may have it.
    upload: Lognormal = Lognormal(1.07, 1.0)
    pricing: Lognormal = Lognormal(0.46, 0.8)
    # A mesh with holes is repaired by hand and priced again.
    price_fails: float = 0.04
    repair_mesh: Lognormal = Lognormal(3.0, 0.8)

    # Approval: the manager waits for the customer's word on stones and sizes, then spends minutes on it.
    dialogue: Lognormal = Lognormal(30.0, 1.3)
    approving: Lognormal = Lognormal(1 / 3, 0.5)
    # Partners order under a framework contract; the mean over both channels is left as it is.
    b2b_dialogue: float = 0.7
    asks_customer: float = 0.12
    answer: Lognormal = Lognormal(40.0, 1.0)
    # After the answer the manager only confirms, so that the second round is short.
    second_dialogue: float = 0.25
    rejected: float = 0.015
    withdrawn: float = 0.01
    cancelled_by_customer: float = 0.08

    # Assignment: alloy, stones and a wax print must be there before an operator takes the piece.
    material: Lognormal = Lognormal(43.0, 1.0)
    manufacturing: Lognormal = Lognormal(65.0, 0.72)
    # A failed casting shows early and needs a new print; a failed inspection needs polishing only.
    casting_fails: float = 0.04
    failed_casting_work: float = 0.35
    second_material: float = 0.5
    inspection_fails: float = 0.02
    inspection: Lognormal = Lognormal(6.0, 0.5)
    polishing: Lognormal = Lognormal(8.0, 0.6)

    # Packing queue: the assay office hallmarks the piece. Packing: cleaning, photographs, papers, courier.
    hallmarking: Lognormal = Lognormal(21.0, 0.9)
    packing: Lognormal = Lognormal(9.8, 0.6)
    # After the promise: delivery and the days in which a customer may send it back.
    closing: Lognormal = Lognormal(120.0, 0.5)


HOUSE = House()

# The same house with a few people at each desk, who are busy: what takes time is the queue. First come, first
# served, and public holidays that everybody knows of. Half-years of it are healthy, and look alarming.
BUSY = House(
    workers=replace(HOUSE.workers, utilisation=0.6, places=2, rests=False),
    sales=replace(HOUSE.sales, utilisation=0.85, places=3),
    workshop=replace(HOUSE.workshop, utilisation=0.85, places=6),
    packers=replace(HOUSE.packers, utilisation=0.85, places=3),
    fifo=True,
    holidays=(
        *(date(2026, 1, 6), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1), date(2026, 5, 14)),
        *(date(2026, 5, 25), date(2026, 6, 4), date(2026, 8, 14), date(2026, 10, 3), date(2026, 12, 25)),
    ),
)

# The same house with so many people at each desk that no order ever waits for one: stages independent of each other.
FREE = replace(
    HOUSE,
    workers=replace(HOUSE.workers, at_least=10**6),
    sales=replace(HOUSE.sales, at_least=10**6),
    workshop=replace(HOUSE.workshop, at_least=10**6),
    packers=replace(HOUSE.packers, at_least=10**6),
)
