"""What the shop knows: pieces, orders, and where an order stands by all that was heard of it. No I/O."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from services.contract import FINAL, DrawnIn, Money, OrderFacts, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

# Crockford's base 32 without 0 and 1 (https://www.crockford.com/base32.html): nothing that is misread or misheard.
LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 8
UNITS: Final[dict[DrawnIn, str]] = {"mm": "Millimetres", "cm": "Centimetres", "m": "Metres", "inch": "Inches"}
PRICING: Final = frozenset({Status.PRICE_CALCULATING, Status.PRICE_FAILED, Status.PRICE_CALCULATED})


class Product(StrEnum):
    """What the workshop makes."""

    RING = "ring"
    PENDANT = "pendant"
    EARRINGS = "earrings"
    BRACELET = "bracelet"


@dataclass(frozen=True)
class Item:
    """A piece of the catalogue. ``price`` guides; an order's own price is calculated from its model."""

    id: str
    name: str
    product: Product
    description: str
    model: str | None = None
    price: Money | None = None
    active: bool = True


@dataclass(frozen=True)
class Customer:
    """Who orders."""

    id: str
    name: str


@dataclass(frozen=True)
class Wish:
    """What a customer wants made: a piece from their own model, or one of the catalogue."""

    product: Product
    model: str | None = None
    item: str | None = None
    channel: str = "online"
    note: str | None = None
    alloy: str | None = None
    unit: DrawnIn | None = None


@dataclass(frozen=True)
class Heard:
    """One status of an order, as the system that owns it said."""

    source: str
    sequence: int
    status: Status
    at: datetime
    progress: float | None = None
    price: Money | None = None
    valid_until: datetime | None = None
    reason: str | None = None
    by: str | None = None
    problems: tuple[str, ...] = ()
    picture: str | None = None


@dataclass(frozen=True)
class Order:
    """An order as the shop sees it."""

    id: str
    customer: str | None
    customer_name: str | None
    channel: str
    product: str
    model: str | None
    alloy: str | None
    unit: DrawnIn | None
    item: str | None
    note: str | None
    placed_at: datetime
    promised_at: datetime | None
    status: Status
    since: datetime
    source: str
    sequence: int
    progress: float | None
    reason: str | None
    price: Money | None
    valid_until: datetime | None
    problems: tuple[str, ...]
    picture: str | None
    answer: str | None
    answered_to: int | None
    cancel_asked_at: datetime | None

    @property
    def facts(self) -> OrderFacts:
        """What every event says of the order."""
        return OrderFacts(
            channel=self.channel,
            product=self.product,
            customer=self.customer,
            customer_name=self.customer_name,
            model=self.model,
            alloy=self.alloy,
            unit=self.unit,
            item=self.item,
            promised_at=self.promised_at,
        )

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in FINAL

    @property
    def cancellable(self) -> bool:
        """Whether the workshop has not begun, so that the customer may still step back."""
        return self.status.rank < Status.MANUFACTURING_STARTED.rank

    @property
    def asked(self) -> bool:
        """Whether the sales manager's question still waits for the customer's answer."""
        return self.status is Status.AWAITING_CUSTOMER and self.answered_to != self.sequence

    @property
    def cancelling(self) -> bool:
        """Whether the customer has asked to cancel, and the desk has not decided yet."""
        return self.cancel_asked_at is not None and self.cancellable


def in_order(heard: Iterable[Heard]) -> list[Heard]:
    """Return what was heard in the order in which it happened, whatever the order in which it came.

    Within a source by sequence, and a time that runs backwards is that of the status before it; across sources by
    time, then by rank on the main line.
    """
    placed: list[tuple[tuple[datetime, float, str, int], Heard]] = []
    for _, own in groupby(sorted(heard, key=attrgetter("source", "sequence")), attrgetter("source")):
        place: tuple[datetime, float] | None = None
        for one in own:
            at, rank = one.at, one.status.rank
            if place is not None and at <= place[0]:
                at, rank = place[0], max(rank, place[1])
            place = at, rank
            placed.append(((at, rank, one.source, one.sequence), replace(one, at=at)))
    return [one for _, one in sorted(placed, key=lambda entry: entry[0])]


def standing(heard: Sequence[Heard]) -> dict[str, Any]:
    """Return the fields of an order that follow from everything heard of it: the same whatever came first.

    A status counts from the moment its stretch began: progress within one status does not begin it again.
    """
    told = in_order(heard)
    last = told[-1]
    stretch = next(iter(groupby(reversed(told), attrgetter("status"))))[1]
    begun = next((one for one in told if one.status is Status.INITIATED), told[0])
    priced = next((one for one in reversed(told) if one.price is not None), None)
    # What is calculated anew shows nothing of the model before, which may be another one.
    judged = next((one for one in reversed(told) if one.status in PRICING), last)
    return {
        "placed_at": begun.at,
        "status": last.status,
        "since": list(stretch)[-1].at,
        "source": last.source,
        "sequence": last.sequence,
        "progress": last.progress,
        "reason": last.reason,
        "price": priced.price if priced else None,
        "valid_until": priced.valid_until if priced else None,
        "problems": judged.problems,
        "picture": judged.picture,
    }


def new_order_id(choose: Callable[[str], str] = secrets.choice) -> str:
    """Return an order id such as ``R7K2-M4QF``: 6.6e11 of them, so none is found by guessing."""
    letters = "".join(choose(LETTERS) for _ in range(_LENGTH))
    return f"{letters[: _LENGTH // 2]}-{letters[_LENGTH // 2 :]}"


_CHOICES: Final = frozenset({"alloy", "unit"})


def fingerprint(wish: dict[str, Any]) -> str:
    """Return what tells one request from another: SHA-256 of its JSON.

    A choice that was not made is left out, as it was before there was one: remembered requests stay the same.
    """
    wish = {name: value for name, value in wish.items() if name not in _CHOICES or value is not None}
    return hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()
