"""What the adapter knows, without I/O: what it believes of an order, what it owes the vendor, and when to try again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from services.contract import CANCELLING, CRM, OWNER, SHOP, Money, OrderFacts, Status

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US: Final = 1_000_000
FIRST_WAIT_US: Final = SECOND_US
LONGEST_WAIT_US: Final = 5 * 60 * SECOND_US


class CallKind(StrEnum):
    """What the adapter may ask of the vendor."""

    SUBMIT = "submit"
    RELEASE = "release"
    WITHDRAW = "withdraw"
    REQUOTE = "requote"


# What an event of another system makes the adapter ask of the vendor.
REACTIONS: Final = {
    (SHOP, Status.SUBMITTED): CallKind.SUBMIT,
    (CRM, Status.MANUFACTURING_APPROVED): CallKind.RELEASE,
    (CRM, Status.REJECTED): CallKind.WITHDRAW,
    (CRM, Status.CANCELLED): CallKind.WITHDRAW,
}


@dataclass(frozen=True)
class Belief:
    """The status that an order is believed to be in: since when, and by which event. Microseconds since 1970 UTC."""

    status: Status
    since: int
    at: int
    source: str
    sequence: int


def believe(before: Belief | None, heard: Belief) -> Belief | None:
    """Return what is believed after an event was heard; events may be heard in any order.

    Only the owner of a status is believed, and only news: of one source by sequence; of another by time, then by rank
    on the main line.
    """
    if OWNER[heard.status] != heard.source:
        return before
    if before is None:
        return heard
    at = heard.at
    if heard.source == before.source:  # its sequence tells, even if its clock was set back
        newer, at = heard.sequence > before.sequence, max(at, before.at)
    else:
        newer = (at, heard.status.rank) > (before.at, before.status.rank)
    if not newer:
        return before
    since = before.since if heard.status == before.status else at
    return Belief(heard.status, since, at, heard.source, heard.sequence)


@dataclass
class Order:
    """The adapter's copy of an order.

    ``submitted``: the vendor has been asked to take it, or will be. ``said_at``: of the last status that this system
    said itself, microseconds since 1970 UTC. ``by_workers``: the pricing workers, not the vendor, price it.
    """

    id: str
    facts: OrderFacts
    belief: Belief | None = None
    submitted: bool = False
    vendor_number: int | None = None
    traceparent: str | None = None
    said_at: int | None = None
    by_workers: bool = False

    @property
    def decided(self) -> bool:
        """Whether the desk has decided, so that nobody waits for a price any more."""
        return self.belief is not None and self.belief.status.rank >= Status.MANUFACTURING_APPROVED.rank

    @property
    def called_off(self) -> bool:
        """Whether the desk has rejected or cancelled the order."""
        return self.belief is not None and self.belief.status in CANCELLING


class PricingState(StrEnum):
    """What became of a request to the pricing workers."""

    ASKED = "asked"
    PRICED = "priced"
    REFUSED = "refused"
    VENDOR = "vendor"  # the vendor calculates in their place
    DROPPED = "dropped"  # nobody waits for the answer any more


@dataclass(frozen=True)
class Pricing:
    """A price that the workers were asked for, and that the order awaits. ``request`` is the command's id."""

    request: str
    order: str
    model: str
    heard_at: int
    progress: float | None = None


@dataclass(frozen=True)
class Given:
    """A price that is not the vendor's own. ``valid_until`` as exact as the vendor keeps it: to the millisecond."""

    price: Money
    valid_until: datetime

    def document(self) -> dict[str, Any]:
        """Return what a call says of it."""
        price = {"amount": f"{self.price.amount:f}", "currency": self.price.currency}
        return {"price": price, "valid_until": self.valid_until.isoformat()}


def merged(known: OrderFacts, heard: OrderFacts) -> OrderFacts:
    """Return the facts of an order with what was missing filled in; what is known stays."""
    missing = {name: value for name, value in heard if getattr(known, name) is None}
    if known.model not in {None, heard.model}:
        missing.pop("model_bytes", None)  # of a model that another one has replaced
    return known.model_copy(update=missing)


@dataclass(frozen=True)
class Call:
    """Something to be asked of the vendor. ``key`` is the id of the message it is for, and tells a repeat."""

    key: str
    order: str
    kind: CallKind
    payload: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    attempts: int = 0
    vendor_number: int | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class VendorChange:
    """A line of the vendor's journal in our words. ``status`` is None where it is not the vendor's to say."""

    number: int
    order: str
    order_number: int | None
    status: Status | None
    at: datetime
    progress: float | None = None
    price: Money | None = None
    valid_until: datetime | None = None
    reason: str | None = None


def wait_us(attempts: int, chance: float) -> int:
    """Return how long to wait after so many failures: doubled each time, and half of it by chance (0 to 1).

    The chance keeps callers apart that failed together (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter).
    """
    longest = min(FIRST_WAIT_US * (1 << min(attempts, 20)), LONGEST_WAIT_US)
    return round(longest * (0.5 + chance / 2))


def to_the_millisecond(moment: datetime) -> datetime:
    """Return a moment cut off as the vendor's system cuts it off."""
    return moment_of(micros(moment) // 1000 * 1000)


def micros(moment: datetime) -> int:
    """Return a moment in microseconds since 1970 UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(microseconds: int) -> datetime:
    """Return the moment, aware UTC."""
    return EPOCH + timedelta(microseconds=microseconds)
