"""What the adapter does about what it hears: it keeps its copy of the order, and has orders priced, made, withdrawn.

Prices are asked of the pricing workers (asking.py). The vendor is called later, outside of any transaction
(calling.py): it is slow, and no lock must wait for it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pricing.messages import (
    PRICE_CALCULATED,
    PRICE_PROGRESSED,
    PRICE_REFUSED,
    PriceCalculated,
    PriceProgressed,
    PriceRefused,
)
from services.bus import Refusal
from services.contract import ORDER_REQUOTE, STATUS_CHANGED, OrderRequote, StatusChanged
from services.mes import store
from services.mes.model import REACTIONS, Belief, Call, CallKind, believe, micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Handler, Message
    from services.mes.asking import Asking
    from services.mes.model import Order

    Data = TypeVar("Data", bound=BaseModel)


async def status_changed(asking: Asking, connection: AsyncConnection, message: Message) -> None:
    """Believe what the owner of the status says, and react if it concerns workers or vendor."""
    said = _read(StatusChanged, message)
    order = await store.lock_order(connection, message.subject, said.order, message.traceparent)
    at = micros(message.time)
    heard = Belief(said.status, at, at, message.source, message.sequence or 0)
    order.belief = believe(order.belief, heard)
    kind = REACTIONS.get((message.source, said.status))
    if kind is not None:
        await _react(asking, connection, order, Call(message.id, order.id, kind))
    await store.save_order(connection, order)


async def _react(asking: Asking, connection: AsyncConnection, order: Order, call: Call) -> None:
    """Have an order priced, released or withdrawn.

    What was cancelled before it came here is never priced nor submitted, and withdrawn only where it was submitted.
    """
    if call.kind == CallKind.SUBMIT:
        if not order.called_off:
            await asking.begin(connection, order, replace(call, payload=order.facts.document()))
    elif call.kind == CallKind.RELEASE:
        await asking.decided(connection, order)
        order.submitted = True
        await asking.owe(connection, call)
    else:
        await asking.drop(connection, order)
        if order.submitted:
            await asking.owe(connection, call)


async def order_requote(asking: Asking, connection: AsyncConnection, message: Message) -> None:
    """Have a quote confirmed, or another model priced."""
    wanted = _read(OrderRequote, message)
    order = await store.find_order(connection, message.subject, lock=True)
    if order is None:
        # It comes from the CRM, which heard of the order from others than the adapter: their events are on their way.
        raise LookupError(f"nothing was heard of the order `{message.subject}` yet")
    if wanted.model not in {None, order.facts.model}:
        order.facts = order.facts.model_copy(update={"model": wanted.model, "model_bytes": None})
    call = Call(message.id, order.id, CallKind.REQUOTE, wanted.document())
    if not order.submitted:
        # The workers could not price it, so the vendor does not know it yet; nor need it, where it was called off.
        call = replace(call, kind=CallKind.SUBMIT, payload=order.facts.document())
    if order.submitted or not order.called_off:
        await asking.begin(connection, order, call)
    await store.save_order(connection, order)


async def price_progressed(asking: Asking, connection: AsyncConnection, message: Message) -> None:
    """Tell how far the workers are with a price."""
    await asking.progressed(connection, message.subject, _read(PriceProgressed, message), message.time)


async def price_calculated(asking: Asking, connection: AsyncConnection, message: Message) -> None:
    """Tell a price, and give it to the vendor."""
    await asking.calculated(connection, message.subject, _read(PriceCalculated, message))


async def price_refused(asking: Asking, connection: AsyncConnection, message: Message) -> None:
    """Tell why there is no price, or let the vendor calculate it."""
    await asking.refused(connection, message.subject, _read(PriceRefused, message))


def _read(data: type[Data], message: Message) -> Data:
    try:
        return data.model_validate(message.data)
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(map(str, found["loc"]))
        raise Refusal(f"`data.{field}` of {message.type} cannot be used: {found['msg']}") from error


# Every message that the adapter reacts to, and how.
HANDLERS: Final[dict[str, Callable[..., Any]]] = {STATUS_CHANGED: status_changed}
COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    ORDER_REQUOTE: order_requote,
    PRICE_PROGRESSED: price_progressed,
    PRICE_CALCULATED: price_calculated,
    PRICE_REFUSED: price_refused,
}


def bound(asking: Asking, table: dict[str, Callable[..., Any]]) -> dict[str, Handler]:
    """Return a table's handlers as the bus calls them."""
    return {message_type: partial(handler, asking) for message_type, handler in table.items()}
