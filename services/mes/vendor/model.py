"""What the bought-in system knows of an order: its own states, what may follow what, and how it says no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decimal import Decimal

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class State(IntEnum):
    """The vendor's own codes."""

    RECEIVED = 10
    CALCULATING = 20
    CALCULATION_FAILED = 25
    CALCULATED = 30
    RELEASED = 40
    STARTED = 50
    COMPLETED = 60
    PACKING = 70
    SHIPPED = 80
    WITHDRAWN = 90


QUOTED: Final = frozenset({State.CALCULATED, State.CALCULATION_FAILED})
IN_CALCULATION: Final = frozenset({State.RECEIVED, State.CALCULATING})
IN_WORKSHOP: Final = frozenset({State.RELEASED, State.STARTED, State.COMPLETED, State.PACKING})


class Step(StrEnum):
    """What an operator does to a piece."""

    START = "start"
    COMPLETE = "complete"
    PACK = "pack"
    SHIP = "ship"


# Step -> the state that a piece must be in, and the one that it is in afterwards.
STEPS: Final = {
    Step.START: (State.RELEASED, State.STARTED),
    Step.COMPLETE: (State.STARTED, State.COMPLETED),
    Step.PACK: (State.COMPLETED, State.PACKING),
    Step.SHIP: (State.PACKING, State.SHIPPED),
}


class Kind(StrEnum):
    """Why the vendor's system says no."""

    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    BAD = "bad"


class VendorRefusal(Exception):
    """The vendor's system does not do what was asked; the text says why."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class VendorOrder:
    """One order as the vendor's system holds it. Moments are milliseconds since 1970 UTC."""

    number: int
    reference: str
    product: str
    channel: str
    model_hash: str | None
    model_bytes: int | None
    due_ms: int | None
    state: State
    state_ms: int
    changed_ms: int
    percent: int
    price: str | None
    currency: str | None
    valid_ms: int | None
    reason: str | None
    operator: str | None


@dataclass(frozen=True)
class GivenPrice:
    """A price that comes with the order, and is not calculated here. ``valid_ms``: None for the usual term."""

    amount: Decimal
    currency: str
    valid_ms: int | None = None


@dataclass(frozen=True)
class Submission:
    """What somebody orders."""

    reference: str
    product: str
    channel: str
    model_hash: str | None = None
    model_bytes: int | None = None
    due_ms: int | None = None


@dataclass(frozen=True)
class Change:
    """One line of the vendor's journal: numbers have no gaps and the order of commits."""

    number: int
    order_number: int
    reference: str
    state: State
    at_ms: int
    percent: int | None
    price: str | None
    currency: str | None
    valid_ms: int | None
    reason: str | None


def milliseconds(moment: datetime) -> int:
    """Return a moment in milliseconds since 1970 UTC, cut off."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def moment_of(milliseconds_since: int) -> datetime:
    """Return the moment, aware UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds_since)
