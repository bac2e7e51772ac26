"""What the shop does when it hears of something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from services.bus import Refusal
from services.contract import STATUS_CHANGED, StatusChanged
from services.shop import store
from services.shop.model import Heard, standing

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Handler, Message


async def status_changed(connection: AsyncConnection, message: Message) -> None:
    """Write down a status of an order, whoever says it, and work out anew where the order stands.

    That is worked out from everything heard, so neither a second time nor another order of arrival changes it.
    """
    try:
        said = StatusChanged.model_validate(message.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Refusal(f"{message.type} of {message.source}: `data.{where}`: {first['msg']}") from error
    order = message.subject
    await store.add_order(connection, _begun(message, said))
    await store.lock_row(connection, order)
    await store.add_heard(connection, order, _heard(message, said))
    if said.order.promised_at is not None:
        await store.promise(connection, order, said.order.promised_at)
    await store.save_standing(connection, order, standing(await store.heard_of(connection, order)))


def _begun(message: Message, said: StatusChanged) -> dict[str, Any]:
    facts = said.order
    names = ("channel", "product", "customer", "customer_name", "model", "alloy", "unit", "item")
    return {"id": message.subject, "placed_at": message.time, **{name: getattr(facts, name) for name in names}}


def _heard(message: Message, said: StatusChanged) -> Heard:
    return Heard(
        source=message.source,
        sequence=message.place,
        status=said.status,
        at=message.time,
        progress=said.progress,
        price=said.price,
        valid_until=said.valid_until,
        reason=said.reason,
        by=said.by,
        problems=said.problems,
        picture=said.picture,
    )


HANDLERS: Final[dict[str, Handler]] = {STATUS_CHANGED: status_changed}
