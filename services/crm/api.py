"""The desk over HTTP: parse, call, reply."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as FromPath
from fastapi.responses import StreamingResponse

from instrumentation.problems import ProblemError, responses
from pricing.storage import StoreUnavailable
from services.auth.gates import require
from services.auth.people import Person, Role
from services.contract import Status  # noqa: TC001 - FastAPI reads the annotations
from services.crm import documents, reading
from services.crm.model import Action

if TYPE_CHECKING:
    from services.crm.app import Service

PNG: Final = "image/png"
REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
SALES: Final = require(Role.SALES)
WATCHERS: Final = require(Role.SRE, Role.SERVICE)
READERS: Final = require(Role.SALES, Role.SRE, Role.SERVICE)

Manager = Annotated[Person, Depends(SALES)]
Id = Annotated[str, FromPath(min_length=1, max_length=200, pattern=r"^[^\x00/]+$")]
Cursor = Annotated[str | None, Query(max_length=1_000, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1_000)]

manage = APIRouter(dependencies=[Depends(SALES)], responses=responses(*REFUSED), tags=["desk"])
read = APIRouter(dependencies=[Depends(READERS)], responses=responses(*REFUSED), tags=["orders"])
watch = APIRouter(dependencies=[Depends(WATCHERS)], responses=responses(*REFUSED), tags=["operations"])
_UNFIT: Final = responses(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def service_of(request: Request) -> Service:
    """Return the service that answers."""
    service: Service = request.app.state.service
    return service


@manage.get("/desk", summary="Orders that wait for a decision, nearest promise first")
async def get_desk(request: Request, limit: Limit = 50, cursor: Cursor = None) -> documents.OnDesk:
    """Return a page of the desk, with the reason why each order lies there."""
    async with service_of(request).database.reading() as connection:
        return await reading.desk(connection, cursor, limit)


@read.get("/orders", summary="All orders, by id")
async def get_orders(
    request: Request,
    status: Annotated[Status | None, Query(description="Only orders in this status.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> documents.Orders:
    """Return a page of the orders that the desk has a file of."""
    async with service_of(request).database.reading() as connection:
        return await reading.orders(connection, status, cursor, limit)


@read.get("/orders/{order}", summary="An order's file", responses=responses(HTTPStatus.NOT_FOUND))
async def get_order(request: Request, order: Id) -> documents.Order:
    """Return facts, price, history, decisions and dialogue of an order."""
    async with service_of(request).database.reading() as connection:
        return await reading.order(connection, order)


@manage.get(
    "/orders/{order}/picture",
    summary="The picture of an order's model",
    response_class=StreamingResponse,
    responses={
        **responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
        200: {"content": {PNG: {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def get_picture(
    request: Request,
    order: Id,
    of: Annotated[
        str | None, Query(max_length=64, description="The picture's own name, so that it may be kept.")
    ] = None,
) -> StreamingResponse:
    """Return the model as a PNG, with the spots marked that pricing noticed."""
    service = service_of(request)
    async with service.database.reading() as connection:
        picture = await reading.picture(connection, order)
    if picture is None or of not in (None, picture) or service.models is None:
        raise _no_picture(order)
    try:
        size = await service.models.size(picture)
    except KeyError as error:
        raise _no_picture(order) from error
    except StoreUnavailable as error:
        detail = "the store of 3D models does not answer; try again in a minute"
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail) from error
    # An order that is priced anew has another picture: only where it is named may it be kept for good.
    keeping = "private, max-age=31536000, immutable" if of else "private, no-cache"
    headers = {"content-length": str(size), "cache-control": keeping, "etag": f'"{picture}"'}
    return StreamingResponse(service.models.open(picture), media_type=PNG, headers=headers)


def _no_picture(order: str) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, f"there is no such picture of the order `{order}`")


async def decide(request: Request, order: str, action: Action, by: str, reason: str) -> documents.Order:
    """Let a person decide on an order, as one transaction, and return its file."""
    service = service_of(request)
    await service.database.write(partial(service.desk.act, order=order, action=action, by=by, reason=reason))
    async with service.database.reading() as connection:
        return await reading.order(connection, order)


@manage.post("/orders/{order}/approval", summary="Approve an order", responses=_UNFIT)
async def post_approval(
    request: Request, order: Id, manager: Manager, said: documents.Approval | None = None
) -> documents.Order:
    """Have the order made, whatever the rules say. The same again by the same person changes nothing."""
    reason = (said or documents.Approval()).reason
    return await decide(request, order, Action.APPROVE, manager.name, reason)


@manage.post("/orders/{order}/rejection", summary="Reject an order", responses=_UNFIT)
async def post_rejection(request: Request, order: Id, manager: Manager, said: documents.Reason) -> documents.Order:
    """Refuse to make the order. The same again by the same person changes nothing."""
    return await decide(request, order, Action.REJECT, manager.name, said.reason)


@manage.post("/orders/{order}/question", summary="Ask the customer back", responses=_UNFIT)
async def post_question(request: Request, order: Id, manager: Manager, said: documents.Ask) -> documents.Order:
    """Ask the customer; the promise's clock stands still until the order is priced again."""
    return await decide(request, order, Action.ASK, manager.name, said.question)


@manage.post("/orders/{order}/cancellation", summary="Cancel an order", responses=_UNFIT)
async def post_cancellation(request: Request, order: Id, manager: Manager, said: documents.Reason) -> documents.Order:
    """Cancel an order, an approved one too, as long as manufacturing has not started."""
    return await decide(request, order, Action.CANCEL, manager.name, said.reason)


@manage.post("/orders/{order}/closing", summary="Close a shipped order", responses=_UNFIT)
async def post_closing(
    request: Request, order: Id, manager: Manager, said: documents.Closing | None = None
) -> documents.Order:
    """Close a shipped order before its time has come by itself."""
    return await decide(request, order, Action.CLOSE, manager.name, (said or documents.Closing()).reason)


@read.get("/customers/{customer}", summary="A customer's standing", responses=responses(HTTPStatus.NOT_FOUND))
async def get_customer(request: Request, customer: Id) -> documents.Customer:
    """Return what the house thinks of a customer, and how it came to that."""
    async with service_of(request).database.reading() as connection:
        return await reading.customer(connection, customer)


@manage.put("/customers/{customer}/standing", summary="Judge a customer")
async def put_standing(
    request: Request, customer: Id, manager: Manager, said: documents.Judgement
) -> documents.Customer:
    """Set a customer's standing, which counts from the next quote on."""
    service = service_of(request)
    work = partial(
        service.desk.judge_customer, customer=customer, standing=said.standing, by=manager.name, reason=said.reason
    )
    await service.database.write(work)
    async with service.database.reading() as connection:
        return await reading.customer(connection, customer)


@watch.get("/statuses", summary="What the desk believes of every order")
async def get_statuses(
    request: Request,
    after: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="`next` of the page before.")] = "",
    limit: Limit = 1_000,
) -> documents.Statuses:
    """Return a page of orders by id, each with its status, since when, and who said so."""
    async with service_of(request).database.reading() as connection:
        return await reading.statuses(connection, after, limit)
