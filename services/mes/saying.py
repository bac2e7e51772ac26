"""Telling everybody a status of an order, in the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.contract import STATUS_CHANGED, Status, StatusChanged
from services.mes.model import Belief, believe, micros, moment_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Bus
    from services.mes.model import Order


async def say(bus: Bus, connection: AsyncConnection, order: Order, status: Status, at: datetime, **more: Any) -> None:
    """Say a status of an order that is locked, and believe it; the caller saves the order.

    Vendor, workers and adapter may have clocks of their own: what is said of one order never runs backwards.
    """
    moment = max(micros(at), order.said_at or 0)
    previous = order.belief.status if order.belief else None
    said = StatusChanged(status=status, previous=previous, order=order.facts, **more)
    message = await bus.publish(connection, STATUS_CHANGED, order.id, said.document(), moment_of(moment))
    order.said_at = moment
    order.belief = believe(order.belief, Belief(status, moment, moment, message.source, message.sequence or 0))
