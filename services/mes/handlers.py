"""What the adapter does about what it hears: it keeps its copy of the order, and notes what it owes the vendor.

The vendor is called later, outside of any transaction (calling.py): it is slow, and no lock must wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from services.bus import Refusal
from services.contract import (
    CANCELLING,
    ORDER_REQUOTE,
    STATUS_CHANGED,
    OrderRequote,
    StatusChanged,
)
from services.mes import store
from services.mes.model import REACTIONS, Belief, Call, CallKind, Order, believe, micros

if TYPE_CHECKING:
    from typing import TypeVar

    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Handler, Message

    Data = TypeVar("Data", bound=BaseModel)


async def status_changed(connection: AsyncConnection, message: Message) -> None:
    """Believe what the owner of the status says, and react if it concerns the vendor."""
    said = _read(StatusChanged, message)
    order = await store.lock_order(connection, message.subject, said.order, message.traceparent)
    at = micros(message.time)
    heard = Belief(said.status, at, at, message.source, message.sequence or 0)
    order.belief = believe(order.belief, heard)
    kind = REACTIONS.get((message.source, said.status))
    if kind is not None and _wanted(kind, order):
        order.submitted = True
        await store.owe(connection, _call(kind, order, message))
    await store.save_order(connection, order)


def _wanted(kind: CallKind, order: Order) -> bool:
    """Whether a call makes sense: what was cancelled before it came here is never submitted, nor withdrawn."""
    if kind == CallKind.SUBMIT:
        return order.belief is None or order.belief.status not in CANCELLING
    return kind != CallKind.WITHDRAW or order.submitted


def _call(kind: CallKind, order: Order, message: Message) -> Call:
    payload = order.facts.document() if kind == CallKind.SUBMIT else {}
    return Call(message.id, order.id, kind, payload)


async def order_requote(connection: AsyncConnection, message: Message) -> None:
    """Have the vendor confirm a quote, or price another model."""
    wanted = _read(OrderRequote, message)
    order = await store.find_order(connection, message.subject, lock=True)
    if order is None:
        # It comes from the CRM, which heard of the order from others than the adapter: their events are on their way.
        raise LookupError(f"nothing was heard of the order `{message.subject}` yet")
    if wanted.model is not None:
        order.facts = order.facts.model_copy(update={"model": wanted.model})
    await store.owe(connection, Call(message.id, order.id, CallKind.REQUOTE, wanted.document()))
    await store.save_order(connection, order)


def _read(data: type[Data], message: Message) -> Data:
    try:
        return data.model_validate(message.data)
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(map(str, found["loc"]))
        raise Refusal(f"`data.{field}` of {message.type} cannot be used: {found['msg']}") from error


HANDLERS: Final[dict[str, Handler]] = {STATUS_CHANGED: status_changed}
COMMANDS: Final[dict[str, dict[str, Handler]]] = {"mes": {ORDER_REQUOTE: order_requote}}
