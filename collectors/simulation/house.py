"""The life of an order through the house, and the log of its status changes."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from collectors.simulation.calendars import DAY, Calendar
from collectors.simulation.demand import Order, draw_orders
from collectors.simulation.draws import ATTEMPTS, Paces, draw_lives
from collectors.simulation.servers import Agenda, Claim, Process, Servers
from collectors.simulation.settings import (
    APPROVAL,
    ASSIGNMENT,
    CUSTOMERS_TURN,
    HOUSE,
    MANUFACTURING,
    PACKING,
    PACKING_QUEUE,
    PRICE_QUEUE,
    PRICING,
    House,
    Staff,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.simulation.scenario import Scenario

# A stretch of an order's life: yields to the agenda, returns when it ends (None: the order ends with it).
Stretch: TypeAlias = Generator[int | Claim, int, int]
Fork: TypeAlias = Generator[int | Claim, int, int | None]

# The lower number goes first: a piece that failed has lost time already, then partners, by contract.
REWORK_FIRST, B2B_NEXT, SHOP_LAST = 0, 1, 2

_LAST = ATTEMPTS - 1
_MICROSECOND = timedelta(microseconds=1)


class StatusChange(NamedTuple):
    """One line of the log: the order is in `status` from `at` (UTC) on; new ones have no `previous`."""

    order: str
    status: Status
    previous: Status | None
    at: datetime
    channel: str
    product: str


def simulate(scenario: Scenario, house: House = HOUSE) -> Iterator[StatusChange]:
    """Yield the status changes of days [0, days) in the order of time; the house is empty at the start.

    The same scenario gives the same changes (with the same release of numpy, on any machine).
    """
    return _Run(scenario, house).changes()


class _Slow(NamedTuple):
    """From a moment on, this stage's own time is multiplied, and then this much (microseconds) is added."""

    since: int
    factor: float
    added: int


class _Run:
    """One simulated house. Moments are microseconds since the Monday, 00:00 UTC, of the week of the start."""

    def __init__(self, scenario: Scenario, house: House) -> None:
        start = scenario.start.astimezone(UTC)
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        self._monday = midnight - timedelta(days=start.weekday())
        begin = (start - self._monday) // _MICROSECOND
        self._end = begin + scenario.days * DAY
        self._house = house
        self._agenda = Agenda()
        self._holidays = tuple((day - self._monday.date()).days for day in house.holidays if day >= self._monday.date())
        self._workers, self._sales, self._workshop, self._packers = (
            self._staff(staff, scenario.orders_per_day)
            for staff in (house.workers, house.sales, house.workshop, house.packers)
        )
        self._slow: dict[str, list[_Slow]] = {}
        for slow in scenario.slowdowns:
            since = begin + round(slow.from_day * DAY)
            entry = _Slow(since, slow.factor, slow.added // _MICROSECOND)
            self._slow.setdefault(slow.stage, []).append(entry)
        self._orders = draw_orders(house, scenario.seed, scenario.orders_per_day, begin, self._end)
        self._draws = draw_lives(house, scenario.seed, self._orders, self._paces(scenario.orders_per_day))
        self._status: dict[str, Status] = {}
        self._log: list[StatusChange] = []

    def changes(self) -> Iterator[StatusChange]:
        """Run the house, yielding what it logs."""
        self._agenda.start(self._arrivals(), 0)
        for _ in self._agenda.run(self._end):
            yield from self._log
            self._log.clear()

    def _staff(self, staff: Staff, orders_per_day: float) -> Servers:
        calendar = Calendar(staff.shifts, self._holidays if staff.rests else ())
        return Servers(staff.servers(orders_per_day, calendar.hours_per_week), calendar, self._agenda)

    def _paces(self, orders_per_day: float) -> Paces:
        house = self._house
        groups = ((house.workers, self._workers), (house.sales, self._sales), (house.workshop, self._workshop))
        return Paces(
            *(
                staff.pace(orders_per_day, servers.calendar.hours_per_week)
                for staff, servers in (*groups, (house.packers, self._packers))
            )
        )

    def _arrivals(self) -> Process:
        for order in self._orders:
            now = yield order.begun
            self._agenda.start(self._life(order, now), now)

    def _life(self, order: Order, now: int) -> Process:
        """Take the order from INITIATED to CLOSED, or to where it ends before."""
        self._enter(order, Status.INITIATED, now)
        if order.abandoned:
            return
        now = yield now + self._draws.duration("configuring", order)
        self._enter(order, Status.SUBMITTED, now)
        now = yield from self._price(order, now)
        approved = yield from self._approve(order, now)
        if approved is None:
            return
        now = yield from self._make(order, approved)
        now = yield from self._inspect(order, now)
        now = yield from self._pack(order, now)
        now = yield now + self._draws.duration("closing", order)
        self._enter(order, Status.CLOSED, now)

    def _price(self, order: Order, now: int) -> Stretch:
        """Price the model, again after each failure and repair."""
        for attempt in range(ATTEMPTS):
            wait = self._draws.duration("repair mesh" if attempt else "upload", order, attempt)
            priority = self._turn(order, again=attempt > 0)
            now = yield from self._wait(PRICE_QUEUE, self._workers, now, wait, priority)
            self._enter(order, Status.PRICE_CALCULATING, now)
            now = yield from self._work(PRICING, self._workers, now, self._draws.duration(PRICING, order, attempt))
            if attempt == _LAST or not self._draws.happens("price fails", order, attempt):
                break
            self._enter(order, Status.PRICE_FAILED, now)
        self._enter(order, Status.PRICE_CALCULATED, now)
        return now

    def _approve(self, order: Order, now: int) -> Fork:
        """Let a manager approve, reject or ask the customer; None when that is the order's end."""
        for attempt in range(ATTEMPTS):
            wait = self._draws.duration("second dialogue" if attempt else "dialogue", order, attempt)
            now = yield from self._wait(APPROVAL, self._sales, now, wait, self._turn(order))
            now = yield self._sales.calendar.after(now, self._draws.duration("approving", order, attempt))
            self._sales.release(now)
            for concern, end in (("rejected", Status.REJECTED), ("withdrawn", Status.CANCELLED)):
                if attempt == 0 and self._draws.happens(concern, order):
                    self._enter(order, end, now)
                    return None
            if attempt == _LAST or not self._draws.happens("asks customer", order, attempt):
                break
            self._enter(order, Status.AWAITING_CUSTOMER, now)
            factor, added = self._slowed(CUSTOMERS_TURN, now)
            now = yield now + added + round(factor * self._draws.duration("answer", order, attempt))
            if self._draws.happens("cancelled by customer", order, attempt):
                self._enter(order, Status.CANCELLED, now)
                return None
            self._enter(order, Status.PRICE_CALCULATED, now)
        self._enter(order, Status.MANUFACTURING_APPROVED, now)
        return now

    def _make(self, order: Order, now: int) -> Stretch:
        """Make the piece, again from the assignment on after each failed casting."""
        for attempt in range(ATTEMPTS):
            wait = self._draws.duration("second material" if attempt else "material", order, attempt)
            priority = self._turn(order, again=attempt > 0)
            now = yield from self._wait(ASSIGNMENT, self._workshop, now, wait, priority)
            self._enter(order, Status.MANUFACTURING_STARTED, now)
            fails = attempt != _LAST and self._draws.happens("casting fails", order, attempt)
            done = self._house.failed_casting_work if fails else 1.0
            work = round(done * self._draws.duration(MANUFACTURING, order, attempt))
            now = yield from self._work(MANUFACTURING, self._workshop, now, work)
            if not fails:
                break
            self._enter(order, Status.MANUFACTURING_APPROVED, now)
        self._enter(order, Status.MANUFACTURING_COMPLETED, now)
        return now

    def _inspect(self, order: Order, now: int) -> Stretch:
        """Send the few pieces that fail the inspection back for polishing."""
        if not self._draws.happens("inspection fails", order):
            return now
        wait = self._draws.duration("inspection", order)
        now = yield from self._wait(PACKING_QUEUE, self._workshop, now, wait, self._turn(order, again=True))
        self._enter(order, Status.MANUFACTURING_STARTED, now)
        now = yield from self._work(MANUFACTURING, self._workshop, now, self._draws.duration("polishing", order))
        self._enter(order, Status.MANUFACTURING_COMPLETED, now)
        return now

    def _pack(self, order: Order, now: int) -> Stretch:
        """Have the piece hallmarked, packed and shipped."""
        wait = self._draws.duration("hallmarking", order)
        now = yield from self._wait(PACKING_QUEUE, self._packers, now, wait, self._turn(order))
        self._enter(order, Status.PACKAGING, now)
        now = yield from self._work(PACKING, self._packers, now, self._draws.duration(PACKING, order))
        self._enter(order, Status.SHIPPED, now)
        return now

    def _wait(self, stage: str, servers: Servers, entered: int, wait: int, priority: int) -> Stretch:
        """Wait the stage's own wait, then until somebody is on duty, then for a server of the group.

        A factor stretches the wait and the mean wait for the opening, so that the mean of both is multiplied.
        (To stretch the very wait for the opening would have managers approve at night.)
        """
        factor, added = self._slowed(stage, entered)
        stretched = round(factor * wait + (factor - 1) * servers.calendar.mean_closure)
        yield servers.calendar.next_open(entered + added + max(stretched, 0))
        return (yield Claim(servers, priority))

    def _work(self, stage: str, servers: Servers, entered: int, work: int) -> Stretch:
        """Do the work in duty hours and let the server go; time added to the stage passes after that."""
        factor, added = self._slowed(stage, entered)
        now = yield servers.calendar.after(entered, round(factor * work))
        servers.release(now)
        return (yield now + added) if added else now

    def _slowed(self, stage: str, entered: int) -> tuple[float, int]:
        """Return the factor and the added time (microseconds) for an order that enters the stage now."""
        factor, added = 1.0, 0
        for slow in self._slow.get(stage, ()):
            if entered >= slow.since:
                factor, added = factor * slow.factor, added + slow.added
        return factor, added

    def _enter(self, order: Order, status: Status, now: int) -> None:
        """Log that the order is in this status from now on."""
        previous = self._status.get(order.name)
        self._status[order.name] = status
        at = self._monday + timedelta(microseconds=now)
        self._log.append(StatusChange(order.name, status, previous, at, order.channel, order.product))

    def _turn(self, order: Order, *, again: bool = False) -> int:
        """Return the order's priority at a desk."""
        if self._house.fifo or not (again or order.channel == "b2b"):
            return SHOP_LAST
        return REWORK_FIRST if again else B2B_NEXT
