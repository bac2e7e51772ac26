"""Loading past orders into the manufacturing system and its adapter, as if they had gone through it.

The vendor's orders, journal and work lists, and the adapter's copies, follow from what all services said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import insert, update

from services.contract import (
    CANCELLING,
    MES,
    ORDER_REQUOTE,
    STATUS_CHANGED,
    OrderFacts,
    OrderRequote,
    Status,
    StatusChanged,
)
from services.mes.model import REACTIONS, Belief, Call, CallKind, Order, believe, merged, micros
from services.mes.tables import calls, feed
from services.mes.tables import orders as copies
from services.mes.vendor.distribution import Operator, Piece, distribute
from services.mes.vendor.model import IN_WORKSHOP, State, milliseconds
from services.mes.vendor.pricing import duration_ms
from services.mes.vendor.tables import changes, journal, moves, requests
from services.mes.vendor.tables import orders as vendor_orders
from services.mes.vendor.workshop import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message

_STATES: Final = {
    Status.SUBMITTED: State.RECEIVED,
    Status.PRICE_CALCULATING: State.CALCULATING,
    Status.PRICE_FAILED: State.CALCULATION_FAILED,
    Status.PRICE_CALCULATED: State.CALCULATED,
    Status.MANUFACTURING_APPROVED: State.RELEASED,
    Status.MANUFACTURING_STARTED: State.STARTED,
    Status.MANUFACTURING_COMPLETED: State.COMPLETED,
    Status.PACKAGING: State.PACKING,
    Status.SHIPPED: State.SHIPPED,
    Status.REJECTED: State.WITHDRAWN,
    Status.CANCELLED: State.WITHDRAWN,
}
_NO_QUOTE: Final = {"price": None, "currency": None, "valid_ms": None}


@dataclass
class Past:
    """What vendor and adapter would have written. ``sizes``: the bytes of each model; ``mean_s``: of a calculation."""

    operators: Sequence[Operator]
    sizes: Mapping[str, int]
    mean_s: float
    copies: dict[str, Order] = field(default_factory=dict)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    loads: dict[str, int] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        """Take in what a service said next."""
        if message.type == ORDER_REQUOTE:
            wanted = OrderRequote.model_validate(message.data)
            self._called(message, Call(message.id, message.subject, CallKind.REQUOTE, wanted.document()))
            self.requests.append({"key": message.id})
        if message.type == STATUS_CHANGED:
            said = StatusChanged.model_validate(message.data)
            self._believe(message, said)
            self._follow(message, said)

    def _believe(self, message: Message, said: StatusChanged) -> None:
        order = self.copies.setdefault(message.subject, Order(message.subject, said.order))
        order.facts = merged(order.facts, said.order)
        order.traceparent = order.traceparent or message.traceparent
        at = micros(message.time)
        if message.source == MES:
            order.said_at = at
        order.belief = believe(order.belief, Belief(said.status, at, at, message.source, message.place))
        kind = REACTIONS.get((message.source, said.status))
        if kind is None or (kind is CallKind.WITHDRAW and not order.submitted):
            return
        order.submitted = True
        facts = order.facts.document() if kind is CallKind.SUBMIT else {}
        self._called(message, Call(message.id, order.id, kind, facts))

    def _called(self, message: Message, call: Call) -> None:
        row = {"key": call.key, "order_id": call.order, "kind": call.kind.value, "due_at": 0, "refused": False}
        payload = orjson.dumps(call.payload).decode()
        self.calls.append(row | {"payload": payload, "done_at": micros(message.time)})

    def _follow(self, message: Message, said: StatusChanged) -> None:
        """Let the vendor's own order follow."""
        state = _STATES.get(said.status)
        if said.status is Status.SUBMITTED:
            self._submit(message, said.order)
        order = self.orders.get(message.subject)
        if order is None or state is None:
            return
        now = milliseconds(message.time)
        order |= {"state": state, "state_ms": now, "changed_ms": now, "reason": None}
        order |= self._of_price(order, said, now)
        if state in IN_WORKSHOP:
            self._assign(order, now, at_any_rate=state != State.RELEASED)
        elif order["operator"] is not None:
            self.loads[order["operator"]] -= 1
            order |= {"operator": None} if said.status in CANCELLING else {}
        self._record(order)

    def _submit(self, message: Message, facts: OrderFacts) -> None:
        self.orders[message.subject] = {
            "number": len(self.orders) + 1,
            "reference": message.subject,
            "product": facts.product,
            "channel": facts.channel,
            "model_hash": facts.model,
            "model_bytes": self.sizes.get(facts.model or ""),
            "due_ms": None if facts.promised_at is None else milliseconds(facts.promised_at),
            "queued": len(self.orders) + 1,
            "percent": 0,
            "calculation_from_ms": None,
            "calculation_takes_ms": None,
            "operator": None,
            **_NO_QUOTE,
        }
        self.copies[message.subject].vendor_number = len(self.orders)

    def _of_price(self, order: Mapping[str, Any], said: StatusChanged, now: int) -> dict[str, Any]:
        if said.status is Status.PRICE_CALCULATING:
            takes = duration_ms(self.mean_s, order["product"], order["model_bytes"])
            return {**_NO_QUOTE, "percent": 0, "calculation_from_ms": now, "calculation_takes_ms": takes}
        if said.status is Status.PRICE_FAILED:
            return {**_NO_QUOTE, "reason": said.reason}
        if said.status is Status.PRICE_CALCULATED and said.price is not None and said.valid_until is not None:
            price = {"price": str(said.price.amount), "currency": said.price.currency}
            return {**price, "percent": 100, "valid_ms": milliseconds(said.valid_until)}
        return {}

    def _assign(self, order: dict[str, Any], now: int, *, at_any_rate: bool) -> None:
        """Give a piece to an operator, as the workshop does; what is being made is somebody's, however full."""
        if order["operator"] is not None:
            return
        piece = Piece(order["number"], order["product"], order["due_ms"])
        given = distribute([piece], self.operators, self.loads)
        if not given and not at_any_rate:
            return
        able = [one for one in self.operators if one.makes(order["product"])]
        chosen = given[0][1] if given else min(able, key=lambda one: self.loads.get(one.id, 0) / one.capacity)
        self.loads[chosen.id] = self.loads.get(chosen.id, 0) + 1
        order["operator"] = chosen.id
        why = {"moved_by": SYSTEM, "reason": "released", "at_ms": now}
        self.moves.append({"reference": order["reference"], "previous": None, "operator": chosen.id, **why})

    def _record(self, order: Mapping[str, Any]) -> None:
        state = order["state"]
        priced = state == State.CALCULATED
        line = {name: order[name] if priced else None for name in _NO_QUOTE}
        line |= {"number": len(self.journal) + 1, "order_number": order["number"], "reference": order["reference"]}
        line |= {"state": state, "at_ms": order["changed_ms"], "reason": order["reason"]}
        self.journal.append(line | {"percent": order["percent"] if state == State.CALCULATING else None})

    def copied(self) -> list[dict[str, Any]]:
        """Return the adapter's copies as rows."""
        return [_copied(order) for order in self.copies.values()]

    def restart(self, now: datetime) -> None:
        """Let calculations that the past leaves running go on from ``now``: it is of another pace than its end."""
        for order in self.orders.values():
            if order["state"] == State.CALCULATING:
                order["calculation_from_ms"] = milliseconds(now)


def _copied(order: Order) -> dict[str, Any]:
    if order.belief is None:
        raise AssertionError(order.id)
    names = ("since", "at", "source", "sequence")
    return {
        "order_id": order.id,
        "facts": orjson.dumps(order.facts.document()).decode(),
        "status": order.belief.status.value,
        **{name: getattr(order.belief, name) for name in names},
        "traceparent": order.traceparent,
        "submitted": order.submitted,
        "vendor_number": order.vendor_number,
        "said_at": order.said_at,
    }


async def load(
    connection: AsyncConnection,
    said: Iterable[Message],
    operators: Sequence[Operator],
    sizes: Mapping[str, int],
    mean_s: float,
    now: datetime,
) -> None:
    """Write the orders that everybody's messages (in the order of time) speak of, to an empty system.

    ``operators``: whom released pieces were given to; ``now``: when the past ends. Nothing is owed to the vendor, and
    all of its journal has been published.
    """
    past = Past(operators, sizes, mean_s)
    for message in said:
        past.take(message)
    past.restart(now)
    rows = {
        copies: past.copied(),
        calls: past.calls,
        vendor_orders: list(past.orders.values()),
        changes: past.journal,
        moves: past.moves,
        requests: past.requests,
    }
    for table, filling in rows.items():
        if filling:
            await connection.execute(insert(table), filling)
    last = len(past.journal)
    await connection.execute(update(journal).values(last=last))
    await connection.execute(update(feed).values(last=last))
