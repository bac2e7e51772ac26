"""The shop's queries. The caller opens the transaction; nothing here commits."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, literal, select, tuple_, update

from services.columns import inserting
from services.contract import Money, Status
from services.shop.model import Heard, Item, Order, Product
from services.shop.tables import catalogue, items, models, order_statuses, orders, requests, uploads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

_HEARD: Final = [order_statuses.c[field.name] for field in fields(Heard) if field.name != "price"]
_ONE: Final = "catalogue"


async def _add(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless its key is taken; return whether it was inserted.

    PostgreSQL waits here for another transaction that inserts the same key, and only then decides.
    """
    statement = inserting(connection, table).values(row).on_conflict_do_nothing()
    return bool((await connection.execute(statement)).rowcount)


def _columns(fields_: dict[str, Any]) -> dict[str, Any]:
    """Write an optional price as the two columns that hold it."""
    price: Money | None = fields_.pop("price")
    return fields_ | {"amount": str(price.amount) if price else None, "currency": price.currency if price else None}


def _price(row: RowMapping) -> Money | None:
    return None if row["amount"] is None else Money(amount=row["amount"], currency=row["currency"])


# The catalogue


async def all_items(connection: AsyncConnection) -> list[Item]:
    """Return every piece, withdrawn ones too, by name."""
    rows = (await connection.execute(select(items).order_by(items.c.name, items.c.id))).mappings()
    return [_item(row) for row in rows]


def _item(row: RowMapping) -> Item:
    return Item(
        id=row["id"],
        name=row["name"],
        product=Product(row["product"]),
        description=row["description"],
        model=row["model"],
        price=_price(row),
        active=row["active"],
    )


async def save_item(connection: AsyncConnection, item: Item) -> None:
    """Write a piece over the one of the same id, if any."""
    row = _columns({field.name: getattr(item, field.name) for field in fields(item)})
    statement = inserting(connection, items).values(row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=row))


async def remove_item(connection: AsyncConnection, item: str) -> bool:
    """Remove a piece; return whether there was one."""
    return bool((await connection.execute(delete(items).where(items.c.id == item))).rowcount)


async def next_revision(connection: AsyncConnection) -> int:
    """Count a change of the catalogue; return the number of it, from 1. The row stays locked until the commit."""
    statement = inserting(connection, catalogue).values(name=_ONE, revision=1)
    counted = statement.on_conflict_do_update(index_elements=["name"], set_={"revision": catalogue.c.revision + 1})
    return int((await connection.execute(counted.returning(catalogue.c.revision))).scalar_one())


async def revision(connection: AsyncConnection) -> int:
    """Return how often the catalogue was changed."""
    found = await connection.scalar(select(catalogue.c.revision))
    return int(found or 0)


# Models


async def add_upload(
    connection: AsyncConnection, customer: str, model: str, size: int, format_: str, at: datetime
) -> None:
    """Note a model, and who brought it; brought again, it is as if it were new."""
    statement = inserting(connection, models).values(model=model, bytes=size, format=format_, at=at)
    again = {"format": format_, "at": at, "cold": False}
    await connection.execute(statement.on_conflict_do_update(index_elements=["model"], set_=again))
    await _add(connection, uploads, {"customer": customer, "model": model, "at": at})


async def brought(connection: AsyncConnection, customer: str, model: str) -> bool:
    """Whether this customer has uploaded this model, which then stays theirs until the transaction ends."""
    query = select(uploads.c.at).where(uploads.c.customer == customer, uploads.c.model == model)
    return await connection.scalar(query.with_for_update(read=True)) is not None


async def hold_model(connection: AsyncConnection, model: str) -> None:
    """Let nobody delete a model until the transaction ends."""
    await connection.execute(select(models.c.model).where(models.c.model == model).with_for_update(read=True))


async def model_bytes(connection: AsyncConnection, model: str | None) -> int | None:
    """Return a model's size, None where it is not known."""
    size: int | None = await connection.scalar(select(models.c.bytes).where(models.c.model == model))
    return size


# Orders


async def add_order(connection: AsyncConnection, row: dict[str, Any]) -> bool:
    """Insert an order of which no status is written yet, unless its id is taken; return whether it was inserted."""
    return await _add(connection, orders, row)


async def lock_order(connection: AsyncConnection, order: str) -> Order | None:
    """Return an order, locked until the transaction ends."""
    query = select(orders).where(orders.c.id == order).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _order(row)


async def lock_row(connection: AsyncConnection, order: str) -> None:
    """Lock an order until the transaction ends."""
    await connection.execute(select(orders.c.id).where(orders.c.id == order).with_for_update())


async def order_of(connection: AsyncConnection, customer: str, order: str) -> Order | None:
    """Return a customer's own order."""
    query = select(orders).where(orders.c.id == order, orders.c.customer == customer)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _order(row)


async def orders_of(
    connection: AsyncConnection, customer: str, before: tuple[datetime, str] | None, limit: int
) -> list[Order]:
    """Return a customer's orders, newest first, after a place in that list."""
    query = select(orders).where(orders.c.customer == customer)
    if before is not None:
        placed_at, order = before
        place = tuple_(literal(placed_at, orders.c.placed_at.type), literal(order))
        query = query.where(tuple_(orders.c.placed_at, orders.c.id) < place)
    query = query.order_by(orders.c.placed_at.desc(), orders.c.id.desc()).limit(limit)
    return [_order(row) for row in (await connection.execute(query)).mappings()]


def _order(row: RowMapping) -> Order:
    known = {field.name: row[field.name] for field in fields(Order) if field.name not in {"price", "status"}}
    return Order(**known, status=Status(row["status"]), price=_price(row))


async def change_order(connection: AsyncConnection, order: str, **changed: Any) -> None:
    """Write fields of an order."""
    await connection.execute(update(orders).where(orders.c.id == order).values(changed))


async def add_heard(connection: AsyncConnection, order: str, heard: Heard) -> None:
    """Note a status that was heard of an order, once."""
    row = _columns({field.name: getattr(heard, field.name) for field in fields(heard)})
    await _add(connection, order_statuses, row | {"order": order})


async def heard_of(connection: AsyncConnection, order: str) -> list[Heard]:
    """Return every status that was heard of an order."""
    query = select(*_HEARD, order_statuses.c.amount, order_statuses.c.currency).where(order_statuses.c.order == order)
    rows = (await connection.execute(query)).mappings()
    plain = [column.name for column in _HEARD if column.name != "status"]
    return [Heard(**{n: row[n] for n in plain}, status=Status(row["status"]), price=_price(row)) for row in rows]


async def promise(connection: AsyncConnection, order: str, promised_at: datetime) -> None:
    """Write an order's promise moment, unless it has one."""
    unpromised = (orders.c.id == order) & orders.c.promised_at.is_(None)
    await connection.execute(update(orders).where(unpromised).values(promised_at=promised_at))


async def save_standing(connection: AsyncConnection, order: str, fields_: dict[str, Any]) -> None:
    """Write where an order stands."""
    await change_order(connection, order, **_columns(dict(fields_)))


async def statuses_after(connection: AsyncConnection, after: str, limit: int) -> Sequence[Any]:
    """Return what is believed of the next orders by id."""
    columns = [orders.c[name] for name in ("id", "status", "since", "source", "sequence")]
    query = select(*columns).where(orders.c.id > after, orders.c.status.is_not(None)).order_by(orders.c.id)
    return (await connection.execute(query.limit(limit))).all()


# Requests that were answered


async def begin_request(connection: AsyncConnection, row: dict[str, Any]) -> bool:
    """Note that a request is being answered; return whether it is the first with its key."""
    return await _add(connection, requests, row)


async def request_of(connection: AsyncConnection, customer: str, key: str) -> tuple[str, str]:
    """Return the fingerprint of a customer's request by its key, and what was answered."""
    found = (requests.c.customer == customer) & (requests.c.key == key)
    print_, answer = (await connection.execute(select(requests.c.fingerprint, requests.c.answer).where(found))).one()
    return print_, answer


async def end_request(connection: AsyncConnection, customer: str, key: str, answer: str) -> None:
    """Note what was answered to a request."""
    found = (requests.c.customer == customer) & (requests.c.key == key)
    await connection.execute(update(requests).where(found).values(answer=answer))


async def forget_requests(connection: AsyncConnection, customer: str, before: datetime) -> None:
    """Forget a customer's requests of long ago."""
    await connection.execute(delete(requests).where(requests.c.customer == customer, requests.c.at < before))
