"""Loading past orders into the shop's own tables, as if it had heard of them when they happened."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert

from services.contract import ORDER_ANSWERED, ORDER_CANCEL, STATUS_CHANGED, OrderAnswered, OrderCancel, Status
from services.contract import StatusChanged as Said
from services.shop.model import Heard, in_order, standing
from services.shop.tables import accounts, models, order_statuses, orders, uploads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message

_FACTS: Final = ("channel", "product", "customer", "customer_name", "model", "alloy", "unit", "item")
_SAID: Final = ("status", "progress", "price", "valid_until", "reason", "by", "problems", "picture")


@dataclass(frozen=True)
class Account:
    """A customer of the past. ``password_hash``: as the accounts make it."""

    id: str
    email: str
    name: str
    password_hash: str
    created_at: datetime


async def load(
    connection: AsyncConnection, said: Sequence[Message], people: Sequence[Account], sizes: Mapping[str, int]
) -> None:
    """Write the orders that everybody's messages (in the order of time) speak of, and the accounts of who placed them.

    ``sizes``: the bytes of each model in the object store, binary STL; who ordered from one has uploaded it.
    """
    past: dict[str, list[Message]] = defaultdict(list)
    for message in said:
        past[message.subject].append(message)
    rows = [_order(order, messages) for order, messages in past.items()]
    await _fill(connection, accounts.customers, [vars(person) for person in people])
    await _fill(connection, orders, rows)
    await _fill(connection, order_statuses, [row for messages in past.values() for row in _statuses(messages)])
    await _fill(connection, models, [{"model": model, "bytes": size, "format": "stl"} for model, size in sizes.items()])
    await _fill(connection, uploads, _uploads(rows))


async def _fill(connection: AsyncConnection, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(table), rows)


def _order(order: str, messages: Sequence[Message]) -> dict[str, Any]:
    told = [(message, Said.model_validate(message.data)) for message in messages if message.type == STATUS_CHANGED]
    facts = told[0][1].order
    promised = next((said.order.promised_at for _, said in told if said.order.promised_at is not None), None)
    row: dict[str, Any] = {name: getattr(facts, name) for name in _FACTS}
    row |= {"id": order, "promised_at": promised, "note": None, "answer": None, "answered_to": None}
    row["cancel_asked_at"] = None
    heard = [_heard(message, said) for message, said in told]
    for message in messages:
        if message.type == ORDER_ANSWERED:
            row["answer"] = OrderAnswered.model_validate(message.data).answer
            row["answered_to"] = _asked(heard, message.time)
        elif message.type == ORDER_CANCEL:
            row["cancel_asked_at"] = OrderCancel.model_validate(message.data).asked_at
    return row | _columns(standing(heard))


def _asked(heard: Sequence[Heard], at: datetime) -> int | None:
    """Return the sequence of the question that was answered at a moment."""
    asked = [one for one in in_order(heard) if one.status is Status.AWAITING_CUSTOMER and one.at <= at]
    return asked[-1].sequence if asked else None


def _statuses(messages: Sequence[Message]) -> list[dict[str, Any]]:
    told = [message for message in messages if message.type == STATUS_CHANGED]
    heard = [(message.subject, _heard(message, Said.model_validate(message.data))) for message in told]
    return [_columns(vars(one)) | {"order": order} for order, one in heard]


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(fields)
    price = row.pop("price")
    return row | {"amount": str(price.amount) if price else None, "currency": price.currency if price else None}


def _heard(message: Message, said: Said) -> Heard:
    same = {name: getattr(said, name) for name in _SAID}
    return Heard(source=message.source, sequence=message.place, at=message.time, **same)


def _uploads(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    first: dict[tuple[str, str], datetime] = {}
    for row in rows:
        if row["model"] is not None and row["item"] is None:
            first.setdefault((row["customer"], row["model"]), row["placed_at"])
    return [{"customer": customer, "model": model, "at": at} for (customer, model), at in first.items()]
