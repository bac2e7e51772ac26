"""Six weeks that never were: simulated statuses become what the services would have said, facts and prices included."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from services.bus import Message
from services.contract import (
    CRM,
    ORDER_ANSWERED,
    ORDER_CANCEL,
    ORDER_REQUOTE,
    SHOP,
    STATUS_CHANGED,
    Money,
    OrderAnswered,
    OrderCancel,
    OrderFacts,
    OrderRequote,
    Status,
    StatusChanged,
)
from services.crm.model import RULE, SAYS
from services.demo.people import ANSWERS, MANAGERS, QUESTIONS, REFUSALS, SECOND_THOUGHTS, UNPRICED, Buyer
from services.mes.vendor.pricing import CURRENCY, price
from services.shop.seed import PIECES

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping, Sequence

PROMISE: Final = timedelta(days=21)
QUOTE_VALID: Final = timedelta(days=14)
OWN_MODEL_SHARE: Final = 0.8  # of rings; the demo's script makes models of rings only
RECAST: Final = "the casting failed; the piece is made again"
_PRICED: Final = frozenset({Status.PRICE_CALCULATED, *SAYS.values()} - {Status.CLOSED})
AFTER_ANSWER: Final = timedelta(seconds=5)  # what the vendor needs to confirm a quote
# What the shop's customers call the channel that the simulated house calls shop.
CHANNELS: Final = {"shop": "online"}


@dataclass(frozen=True)
class Model:
    """A customer's 3D model. ``name``: the SHA-256 of its bytes."""

    name: str
    content: bytes = field(repr=False)

    @classmethod
    def of(cls, content: bytes) -> Model:
        """Return a model of these bytes."""
        return cls(hashlib.sha256(content).hexdigest(), content)


@dataclass(frozen=True)
class Past:
    """What was said by everybody, in the order of time; by whom pieces were ordered, and from which models."""

    messages: list[Message]
    buyers: Sequence[Buyer]
    models: Sequence[Model]
    until: datetime

    @property
    def sizes(self) -> dict[str, int]:
        """The bytes of each model."""
        return {model.name: len(model.content) for model in self.models}


@dataclass
class _Order:
    facts: OrderFacts
    manager: str
    price: Money | None = None
    valid_until: datetime | None = None
    shipped_at: datetime | None = None


class Teller:
    """Tells the past of a house: ``events`` are simulated CloudEvents, each with order, status, channel and product."""

    def __init__(self, rng: random.Random, buyers: Sequence[Buyer], models: Sequence[Model]) -> None:
        self.rng, self.buyers, self.models = rng, buyers, models
        self._sizes = {model.name: len(model.content) for model in models}
        self._orders: dict[str, _Order] = {}
        self._commands = 0

    def tell(self, events: Iterable[Mapping[str, Any]], until: datetime) -> Past:
        """Return what was said before ``until``."""
        messages = [message for event in events if _time(event) < until for message in self._said(event)]
        messages.sort(key=lambda message: message.time)
        return Past(messages, self.buyers, self.models, until)

    def _said(self, event: Mapping[str, Any]) -> list[Message]:
        """Return what an event was, and the commands that led to it, if any."""
        at = _time(event)
        status, previous = Status(event["data"]["status"]), event["data"]["previous"]
        order = self._orders.get(event["subject"])
        if order is None:
            order = self._orders[event["subject"]] = self._begin(event["data"]["order"])
        said = self._status(order, status, previous and Status(previous), at)
        message = Message(
            id=event["id"],
            source=event["source"],
            type=STATUS_CHANGED,
            subject=event["subject"],
            time=at,
            data=said.document(),
            sequence=int(event["sequence"]),
            traceparent=event["traceparent"],
        )
        return [*self._before(message, said), message]

    def _begin(self, simulated: Mapping[str, str]) -> _Order:
        channel, product = simulated["channel"], simulated["product"]
        partner = channel == "b2b"
        buyer = self.rng.choice([one for one in self.buyers if one.partner == partner])
        own = product == "ring" and self.rng.random() < OWN_MODEL_SHARE
        facts = OrderFacts(
            channel=CHANNELS.get(channel, channel),
            product=product,
            customer=buyer.id,
            customer_name=buyer.name,
            model=self.rng.choice(self.models).name if own else None,
            item=None if own else self.rng.choice([piece.id for piece in PIECES if piece.product == product]),
        )
        return _Order(facts, self.rng.choice(list(MANAGERS.values())))

    def _status(self, order: _Order, status: Status, previous: Status | None, at: datetime) -> StatusChanged:
        if status is Status.SUBMITTED:
            order.facts = order.facts.model_copy(update={"promised_at": at + PROMISE})
        if status is Status.PRICE_CALCULATED:
            amount = price(order.facts.product, order.facts.model, self._sizes.get(order.facts.model or ""))
            order.price, order.valid_until = Money(amount=amount, currency=CURRENCY), at + QUOTE_VALID
        if status is Status.SHIPPED:
            order.shipped_at = at
        reason, by = self._why(order, status, at, again=previous is Status.MANUFACTURING_STARTED)
        return StatusChanged(
            status=status,
            previous=previous,
            order=order.facts,
            price=order.price if status in _PRICED else None,
            valid_until=order.valid_until if status is Status.PRICE_CALCULATED else None,
            reason=reason,
            by=by,
        )

    def _why(self, order: _Order, status: Status, at: datetime, *, again: bool) -> tuple[str | None, str | None]:
        """Return the reason that was given for a status, and by whom."""
        days = (at - (order.shipped_at or at)) / timedelta(days=1)
        reasons = {
            Status.PRICE_FAILED: (UNPRICED,),
            Status.MANUFACTURING_APPROVED: (RECAST if again else "approved by hand",),
            Status.AWAITING_CUSTOMER: QUESTIONS,
            Status.REJECTED: REFUSALS,
            Status.CANCELLED: SECOND_THOUGHTS,
            Status.CLOSED: (f"closed automatically: shipped {days:.1f} days ago",),
        }
        if status not in reasons:
            return None, None
        by = {Status.CANCELLED: order.facts.customer_name, Status.CLOSED: RULE, Status.PRICE_FAILED: None}
        return self.rng.choice(reasons[status]), by.get(status, order.manager)

    def _before(self, message: Message, said: StatusChanged) -> list[Message]:
        """Return the commands that a status followed."""
        if said.status is Status.CANCELLED:
            asked = OrderCancel(reason=said.reason or "", asked_at=message.time)
            return [self._command(message, SHOP, ORDER_CANCEL, message.time, asked.document())]
        if said.status is Status.PRICE_CALCULATED and said.previous is Status.AWAITING_CUSTOMER:
            at = message.time - AFTER_ANSWER
            answered = OrderAnswered(answer=self.rng.choice(ANSWERS), answered_at=at)
            return [
                self._command(message, SHOP, ORDER_ANSWERED, at, answered.document()),
                self._command(message, CRM, ORDER_REQUOTE, at, OrderRequote().document()),
            ]
        return []

    def _command(self, led_to: Message, source: str, kind: str, at: datetime, data: dict[str, Any]) -> Message:
        self._commands += 1
        key = f"{led_to.subject}{source}/command/{self._commands}"
        return Message(key, source, kind, led_to.subject, at, data, traceparent=led_to.traceparent)


def _time(event: Mapping[str, Any]) -> datetime:
    at = datetime.fromisoformat(event["time"]).astimezone(UTC)
    # The vendor's clock knows milliseconds; so the whole past does.
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
