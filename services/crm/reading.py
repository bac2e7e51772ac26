"""What is read of the desk, for the API and for the pages alike: pages of lists, and whole files."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from instrumentation.problems import ProblemError
from services.crm import documents, store
from services.crm.store import Place
from services.crm.tables import NEVER

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.contract import Status


async def desk(connection: AsyncConnection, cursor: str | None, limit: int) -> documents.OnDesk:
    """Return a page of the desk. Raises ProblemError (400) where the cursor is none."""
    found = await store.desk(connection, None if cursor is None else _place(cursor), limit + 1)
    load = await store.load(connection)
    last = found[limit - 1] if len(found) > limit else None
    after = None if last is None else _cursor(Place(store.due_us(last), last.order))
    lines = [documents.OrderLine.model_validate(documents.order_line(file)) for file in found[:limit]]
    return documents.OnDesk(orders=lines, next=after, waiting=load.orders, oldest=load.oldest)


async def orders(
    connection: AsyncConnection, status: Status | None, cursor: str | None, limit: int
) -> documents.Orders:
    """Return a page of all orders, by id. Raises ProblemError (400) where the cursor is none."""
    after = "" if cursor is None else _place(cursor).order
    found = await store.orders(connection, status, after, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    lines = [documents.OrderLine.model_validate(documents.order_line(file)) for file in found[:limit]]
    return documents.Orders(orders=lines, next=None if last is None else _cursor(Place(0, last.order)))


async def order(connection: AsyncConnection, name: str) -> documents.Order:
    """Return an order's whole file. Raises ProblemError (404) where nothing was heard of it."""
    file = await store.file_of(connection, name)
    if file is None or file.facts is None or file.status is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"nothing was heard of the order `{name}`")
    lines = (
        await store.history_of(connection, name),
        await store.decisions_of(connection, name),
        await store.dialogue_of(connection, name),
    )
    return documents.order_document(file, await store.standing_of(connection, file.facts.customer), lines)


async def picture(connection: AsyncConnection, name: str) -> str | None:
    """Return the name of the picture of an order's model, None where there is none."""
    file = await store.file_of(connection, name)
    return None if file is None else file.picture


async def customer(connection: AsyncConnection, name: str) -> documents.Customer:
    """Return a customer's standing. Raises ProblemError (404) where nothing is known of the customer."""
    judged = await store.standings_of(connection, name)
    count = await store.count_of(connection, name)
    if not judged and not count:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"nothing is known of the customer `{name}`")
    return documents.Customer(
        customer=name,
        name=await store.name_of(connection, name),
        orders=count,
        standing=await store.standing_of(connection, name),
        history=[documents.StandingLine.model_validate(documents.timed(row)) for row in judged],
    )


async def statuses(connection: AsyncConnection, after: str, limit: int) -> documents.Statuses:
    """Return a page of what the desk believes of every order."""
    found = await store.orders(connection, None, after, limit + 1)
    lines = [
        documents.StatusLine.model_validate(
            {
                "order": file.order,
                "status": file.status,
                "since": file.status_at,
                "source": file.source,
                "sequence": file.sequence,
            }
        )
        for file in found[:limit]
    ]
    return documents.Statuses(orders=lines, next=lines[-1].order if len(found) > limit else None)


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([*place])).decode()


def _place(cursor: str) -> Place:
    try:
        moment, name = orjson.loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, TypeError) as error:
        raise _no_cursor() from error
    if not isinstance(moment, int) or isinstance(moment, bool) or not isinstance(name, str):
        raise _no_cursor()
    if not 0 <= moment <= NEVER or "\0" in name:
        raise _no_cursor()
    return Place(moment, name)


def _no_cursor() -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, "`cursor` is not one that an earlier page gave as `next`")
