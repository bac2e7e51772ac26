"""Half-years of a simulated house as visits, kept under build/ because a simulation is dear and its answer the same."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.promise.model import Calendar
from collectors.signals.ledger import HOUR_US, Ledger, Visits
from collectors.signals.scope import ALL, Scope
from collectors.simulation import BUSY, FREE, STAGES, House, Scenario, Slowdown, Status, simulate
from collectors.simulation.scenario import MONDAY
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT: Final = Path(__file__).parents[2] / "build" / "drills"
HOUSES: Final = {"busy": BUSY, "independent": FREE}
DAY_US: Final = 24 * HOUR_US
BEGIN_US: Final = int(MONDAY.timestamp()) * 1_000_000
SEGMENTS: Final = (ALL, "channel=shop", "channel=b2b")
# A month to fill the house, eight weeks of reference, and then what is watched.
REFERENCE_FROM: Final = 28
REFERENCE_TO: Final = 84
SLOWED_FROM: Final = 90
_STAGE: Final = {
    Status.SUBMITTED: 0,
    Status.PRICE_FAILED: 0,
    Status.PRICE_CALCULATING: 1,
    Status.PRICE_CALCULATED: 2,
    Status.AWAITING_CUSTOMER: 3,
    Status.MANUFACTURING_APPROVED: 4,
    Status.MANUFACTURING_STARTED: 5,
    Status.MANUFACTURING_COMPLETED: 6,
    Status.PACKAGING: 7,
}
CUSTOMERS: Final = 3
# Price queue, assignment and packing queue wait for the work that follows them.
QUEUES: Final = ((0, 1), (4, 5), (6, 7))


@dataclass(frozen=True)
class Life:
    """A run of a house: ``visits`` of its orders, and each order's clock.

    ``order`` [n] is the order of each visit; ``started``, ``shipped``, ``cancelled`` [orders]: moments, NEVER for none;
    ``paused`` [orders]: time in the customer's turn. Microseconds.
    """

    house: str
    days: int
    visits: Visits
    order: NDArray[np.int64]
    started: NDArray[np.int64]
    shipped: NDArray[np.int64]
    cancelled: NDArray[np.int64]
    paused: NDArray[np.int64]

    def ledger(self) -> Ledger:
        """Return the ledger of all of it. A later visit does not change an earlier hour: so it was known then."""
        ledger = Ledger(len(STAGES), len(SEGMENTS), history_h=(self.days // 7 + 2) * 168)
        ledger.add(self.visits)
        ledger.advance(BEGIN_US + self.days * DAY_US)
        return ledger


def scope_of(house: str, budgets_us: NDArray[np.int64] | None = None) -> Scope:
    """Return what is watched of a house; it tells of its holidays, as a promise file does."""
    closed = [day.isoformat() for day in HOUSES[house].holidays]
    calendar = Calendar.model_validate({"closed": closed}) if closed else None
    budgets = np.full(len(STAGES), -1, dtype=np.int64) if budgets_us is None else budgets_us
    return Scope(STAGES, SEGMENTS, budgets, np.zeros(len(STAGES), dtype=np.bool_), calendar, QUEUES)


def life(house: str, days: int, orders_per_day: float, seed: int, slowdowns: tuple[Slowdown, ...] = ()) -> Life:
    """Return a run of a house, simulated or read from where it is kept."""
    scenario = Scenario(days, orders_per_day, seed, slowdowns)
    said = repr((house, HOUSES[house], scenario)).encode()
    file = KEPT / f"{house}-{orders_per_day:g}-{seed}-{sha256(said).hexdigest()[:16]}.npz"
    if not file.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez_compressed(part, allow_pickle=False, **_simulated(scenario, HOUSES[house]))
        part.rename(file)
    with np.load(file) as kept:
        found = {name: kept[name] for name in kept.files}
    segments = 1 + found.pop("b2b")[:, np.newaxis]
    visits = Visits(found.pop("stage"), segments, found.pop("entered"), found.pop("left"))
    return Life(house=house, days=days, visits=visits, **found)


def _simulated(scenario: Scenario, house: House) -> dict[str, NDArray[np.int64]]:
    numbers: dict[str, int] = {}
    rows: list[tuple[int, int, int, int, int]] = []
    inside: dict[int, tuple[int, int, int]] = {}
    clocks: list[list[int]] = []
    for event in simulate(scenario, house):
        number = numbers.setdefault(event.order, len(numbers))
        if number == len(clocks):
            clocks.append([NEVER, NEVER, NEVER, 0])
        at = round(event.at.timestamp() * 1_000_000)
        clock, b2b = clocks[number], int(event.channel == "b2b")
        stage = _STAGE.get(event.status)
        if number in inside:
            before, entered, _ = inside[number]
            if before == stage:
                continue
            del inside[number]
            rows.append((number, before, entered, at, b2b))
            clock[3] += at - entered if before == CUSTOMERS else 0
        if stage is not None:
            inside[number] = (stage, at, b2b)
        _clock(clock, event.status, at)
    rows.extend((number, stage, entered, NEVER, b2b) for number, (stage, entered, b2b) in inside.items())
    table = np.array(rows, dtype=np.int64)
    names = ("order", "stage", "entered", "left", "b2b")
    moments = np.array(clocks, dtype=np.int64)
    clocked = ("started", "shipped", "cancelled", "paused")
    return dict(zip(names, table.T, strict=True)) | dict(zip(clocked, moments.T, strict=True))


def _clock(clock: list[int], status: Status, at: int) -> None:
    if status == Status.SUBMITTED:
        clock[0] = min(clock[0], at)
    elif status == Status.SHIPPED:
        clock[1] = at
    elif status in {Status.REJECTED, Status.CANCELLED}:
        clock[2] = at
