"""An order's history as its page shows it."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from services.contract import CANCELLING, Status

if TYPE_CHECKING:
    from services.shop.documents import Event, Order

# What an order goes through, as a customer counts: a name, and the status from which on it is done.
_STEPS: Final = (
    ("Ordered", Status.SUBMITTED),
    ("Priced", Status.PRICE_CALCULATED),
    ("Approved", Status.MANUFACTURING_APPROVED),
    ("Made", Status.MANUFACTURING_COMPLETED),
    ("Shipped", Status.SHIPPED),
)


class Step(NamedTuple):
    """A step of the way: done, the current one, or ahead."""

    name: str
    state: str


def told(order: Order) -> list[Event]:
    """Return an order's statuses, newest first; of one said several times on end, its beginning and latest news."""
    runs = [list(run) for _, run in groupby(order.events, attrgetter("status"))]
    return [run[-1].model_copy(update={"time": run[0].time}) for run in reversed(runs)]


def steps(order: Order) -> list[Step]:
    """Return where on its way an order is; nothing for one that goes no further."""
    if order.status in CANCELLING:
        return []
    reached = [order.status.rank >= status.rank for _, status in _STEPS]
    current = reached.index(False) if False in reached else len(reached)
    states = ["done" if there else "now" if place == current else "ahead" for place, there in enumerate(reached)]
    return [Step(name, state) for (name, _), state in zip(_STEPS, states, strict=True)]
