"""Queries of the prices that the workers are asked for. The caller opens the transaction; nothing here commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, update

from services.mes.model import Pricing, PricingState, micros, to_the_millisecond
from services.mes.tables import ASKED, pricings

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.contract import Money
    from services.mes.model import Given

_PRICING: Final = [pricings.c[name] for name in ("request", "order_id", "model", "heard_at", "progress")]


def _pricing(row: Row[Any] | None) -> Pricing | None:
    return None if row is None else Pricing(*row)


async def begun_by(connection: AsyncConnection, cause: str) -> bool:
    """Whether a message has made us ask for a price already."""
    return await connection.scalar(select(pricings.c.request).where(pricings.c.cause == cause)) is not None


async def add(connection: AsyncConnection, pricing: Pricing, cause: str) -> None:
    """Note what was asked. The order awaits nothing else: see ``settle``."""
    row = {
        "request": pricing.request,
        "cause": cause,
        "order_id": pricing.order,
        "model": pricing.model,
        "state": PricingState.ASKED.value,
        "asked_at": pricing.heard_at,
        "heard_at": pricing.heard_at,
    }
    await connection.execute(insert(pricings).values(row))


async def awaited(connection: AsyncConnection, order: str) -> Pricing | None:
    """Return what an order, which is locked, awaits of the workers; None where it awaits nothing."""
    query = select(*_PRICING).where(ASKED, pricings.c.order_id == order)
    return _pricing((await connection.execute(query)).first())


async def note_progress(connection: AsyncConnection, request: str, progress: float, now: int) -> None:
    """Write how far the workers are, and that they said so now."""
    values = {"progress": progress, "heard_at": now}
    await connection.execute(update(pricings).where(pricings.c.request == request).values(values))


async def settle(connection: AsyncConnection, request: str, state: PricingState, brought: Given | None = None) -> None:
    """Write what became of a request, which the order awaits no longer, and the price that it brought."""
    values: dict[str, Any] = {"state": state.value}
    if brought is not None:
        price = {"amount": f"{brought.price.amount:f}", "currency": brought.price.currency}
        values |= price | {"valid_until": micros(brought.valid_until)}
    await connection.execute(update(pricings).where(pricings.c.request == request).values(values))


async def last(connection: AsyncConnection, order: str) -> str | None:
    """Return the last request about an order."""
    query = select(pricings.c.request).where(pricings.c.order_id == order)
    found: str | None = await connection.scalar(query.order_by(pricings.c.asked_at.desc()).limit(1))
    return found


async def given(connection: AsyncConnection, order: str, price: Money, valid_until: datetime) -> bool:
    """Whether a price with this term is one that the workers found for an order."""
    query = select(pricings.c.amount).where(
        pricings.c.order_id == order,
        pricings.c.currency == price.currency,
        pricings.c.valid_until == micros(to_the_millisecond(valid_until)),
    )
    return f"{price.amount:f}" in set((await connection.scalars(query)).all())


async def late(connection: AsyncConnection, before: int, limit: int) -> list[str]:
    """Return the orders that have heard nothing of their price since ``before``, those that wait longest first."""
    query = select(pricings.c.order_id).where(ASKED, pricings.c.heard_at < before)
    return list((await connection.scalars(query.order_by(pricings.c.heard_at).limit(limit))).all())
