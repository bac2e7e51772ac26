"""The shop over HTTP for programs: parse, call, reply."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from instrumentation.problems import ProblemError, responses
from services.auth.gates import customers, public, require
from services.auth.people import Person, Role
from services.columns import EPOCH
from services.shop import direct, documents, store
from services.shop.model import Customer, Item, Wish
from services.shop.uploads import LIMITED_HERE

if TYPE_CHECKING:
    from services.shop.app import Service

MEDIA: Final = "application/octet-stream"
PNG: Final = "image/png"
UNKNOWN: Final = HTTPStatus.NOT_FOUND
CONFLICT: Final = HTTPStatus.CONFLICT
_UPLOAD: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "Content-Digest",
            "in": "header",
            "schema": {"type": "string", "examples": ["sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"]},
            "description": "The body's SHA-256 as RFC 9530 writes it: checked if given. Not of a form.",
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            MEDIA: {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["model"],
                    "properties": {
                        "model": {"type": "string", "format": "binary"},
                        "sha256": {"type": "string", "description": "The file's SHA-256, in hex: checked if given."},
                    },
                }
            },
        },
    },
}
KEY: Final = re.compile(r"^[\x21-\x7e]+$")
LONGEST_KEY: Final = 200
_CURSOR: Final = re.compile(r"(\d{1,16}) ([A-Za-z0-9._-]{1,100})")
OrderId = Annotated[str, Path(pattern="^[A-Za-z0-9._-]{1,100}$", examples=["R7K2-M4QF"])]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=KEY.pattern,
        description="Chosen by the caller, anew for each order: sending it again orders nothing twice.",
    ),
]
UploadId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")]
# What a model may be refused for.
_REFUSED: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
SALES: Final = Depends(require(Role.SALES))
MACHINES: Final = Depends(require(Role.SRE, Role.SERVICE))
api = APIRouter(
    responses=responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
)
open_api = APIRouter(dependencies=[Depends(public)])


def service_of(request: Request) -> Service:
    """Return the service that answers."""
    service: Service = request.app.state.service
    return service


def customer_of(person: Annotated[Person, Depends(customers)]) -> Customer:
    """Return the customer who calls."""
    return Customer(person.subject, person.name)


Caller = Annotated[Customer, Depends(customer_of)]


def uploader_of(person: Annotated[Person, Depends(require(Role.SALES, customer=True))]) -> Customer:
    """Return who brings a model: a customer, or the sales desk."""
    return Customer(person.subject, person.name)


Uploader = Annotated[Customer, Depends(uploader_of)]


@open_api.get("/catalogue", summary="The pieces on offer")
async def get_catalogue(request: Request) -> documents.Items:
    """Return every piece that can be ordered, by name."""
    found = await service_of(request).catalogue.items()
    return documents.Items(items=[documents.Item.of(item) for item in found.values() if item.active])


@open_api.get("/catalogue/{item}", summary="A piece", responses=responses(UNKNOWN))
async def get_item(request: Request, item: documents.Key) -> documents.Item:
    """Return a piece, a withdrawn one too."""
    found = (await service_of(request).catalogue.items()).get(item)
    if found is None:
        raise _no_piece(item)
    return documents.Item.of(found)


@api.put("/catalogue/{item}", dependencies=[SALES], summary="Add or change a piece")
async def put_item(request: Request, item: documents.Key, content: documents.ItemContent) -> documents.Revision:
    """Write a piece over the one of the same id, if any."""
    service = service_of(request)
    revision = await service.catalogue.put(Item(id=item, **dict(content)), service.objects.exists)
    return documents.Revision(revision=revision)


@api.delete("/catalogue/{item}", dependencies=[SALES], summary="Remove a piece", responses=responses(UNKNOWN))
async def delete_item(request: Request, item: documents.Key) -> documents.Revision:
    """Take a piece out of the catalogue; orders for it go on."""
    revision = await service_of(request).catalogue.remove(item)
    if revision is None:
        raise _no_piece(item)
    return documents.Revision(revision=revision)


def _no_piece(item: str) -> ProblemError:
    return ProblemError(UNKNOWN, f"there is no piece `{item}` in the catalogue")


@api.post(
    "/models",
    status_code=HTTPStatus.CREATED,
    max_body_size=LIMITED_HERE,
    summary="Upload a 3D model",
    openapi_extra=_UPLOAD,
    responses=responses(*_REFUSED),
)
async def post_model(request: Request, uploader: Uploader) -> documents.Model:
    """Keep a model (STL, OBJ, 3MF, PLY or GLB, told by its content), and return the name to order by."""
    return await service_of(request).uploads.take(uploader, request)


@api.post(
    "/uploads",
    status_code=HTTPStatus.CREATED,
    summary="Begin an upload straight to the store",
    responses=responses(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.NOT_IMPLEMENTED),
)
async def post_upload(request: Request, uploader: Uploader, wanted: direct.NewUpload) -> direct.Upload:
    """Return an address for each part of a large model: PUT the parts there, then complete the upload.

    Where the store takes no such uploads, the answer is 501: POST the model to `/models`.
    """
    return await service_of(request).direct.begin(uploader, wanted)


@api.post(
    "/uploads/{upload}/complete",
    summary="Complete an upload",
    responses=responses(*_REFUSED, UNKNOWN, CONFLICT, HTTPStatus.NOT_IMPLEMENTED),
)
async def post_completion(
    request: Request, uploader: Uploader, upload: UploadId, sent: direct.Parts
) -> documents.Model:
    """Check what arrived (its size, its SHA-256 if declared, its content), and return the name to order by.

    Where a part is missing (400) it can be sent again; what is refused otherwise is forgotten. Completing again what
    was completed gives the same answer.
    """
    return await service_of(request).direct.complete(uploader, upload, sent.parts)


@api.delete(
    "/uploads/{upload}",
    status_code=HTTPStatus.NO_CONTENT,
    summary="Give up an upload",
    responses=responses(UNKNOWN, HTTPStatus.NOT_IMPLEMENTED),
)
async def delete_upload(request: Request, uploader: Uploader, upload: UploadId) -> None:
    """Forget an upload, and the parts that arrived."""
    await service_of(request).direct.abort(uploader, upload)


@api.get(
    "/models/{model}",
    dependencies=[Depends(require(Role.SERVICE))],
    summary="Read a 3D model",
    response_class=StreamingResponse,
    responses={**responses(UNKNOWN), 200: {"content": {MEDIA: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_model(request: Request, model: documents.Sha256) -> StreamingResponse:
    """Return a model's bytes; for the systems that price and make it."""
    objects = service_of(request).objects
    try:
        size = await objects.size(model)
    except KeyError as error:
        raise ProblemError(UNKNOWN, f"there is no model `{model}`") from error
    return StreamingResponse(objects.open(model), media_type=MEDIA, headers={"content-length": str(size)})


@api.post(
    "/orders",
    status_code=HTTPStatus.CREATED,
    summary="Begin an order",
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def post_order(
    request: Request, caller: Caller, key: IdempotencyKey, order: documents.NewOrder
) -> documents.Order:
    """Begin an order (INITIATED). The same key with the same order gets the first answer again; nothing is doubled."""
    return await service_of(request).ordering.place(caller, key, Wish(**dict(order)))


@api.get("/orders", summary="My orders", responses=responses(HTTPStatus.BAD_REQUEST))
async def get_orders(
    request: Request,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(description="`next` of the page before.", max_length=500)] = None,
) -> documents.Orders:
    """Return a page of the caller's own orders, newest first."""
    return await history(service_of(request), caller, limit, cursor)


async def history(service: Service, caller: Customer, limit: int, cursor: str | None) -> documents.Orders:
    """Return a page of a customer's orders. Raises ProblemError where the cursor is none."""
    found = await service.ordering.history(caller, _place(cursor) if cursor else None, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return documents.Orders(orders=found[:limit], next=_cursor(last) if last else None)


def _cursor(last: documents.OrderLine) -> str:
    micros = (last.placed_at - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros} {last.order}".encode()).decode()


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        found = _CURSOR.fullmatch(base64.urlsafe_b64decode(cursor.encode()).decode())
    except (ValueError, binascii.Error):
        found = None
    if found is None:
        detail = "`cursor` is none of ours; begin without one, then pass on `next`"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    return EPOCH + timedelta(microseconds=int(found[1])), found[2]


@api.get("/orders/{order}", summary="One of my orders", responses=responses(UNKNOWN))
async def get_order(request: Request, caller: Caller, order: OrderId) -> documents.Order:
    """Return everything that happened to an order of the caller's own; others' orders do not exist here."""
    return await service_of(request).ordering.look(caller, order)


@api.get(
    "/orders/{order}/picture",
    summary="The picture of one of my orders",
    response_class=StreamingResponse,
    responses={**responses(UNKNOWN), 200: {"content": {PNG: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_picture(
    request: Request,
    caller: Caller,
    order: OrderId,
    of: Annotated[documents.Sha256 | None, Query(description="The picture's own name, so that it may be kept.")] = None,
) -> StreamingResponse:
    """Return the model of an order of the caller's own as a PNG, with the spots marked that need a look."""
    service = service_of(request)
    picture = await service.ordering.picture(caller, order, of)
    if picture is None:
        raise _no_picture(order)
    try:
        size = await service.objects.size(picture)
    except KeyError as error:
        raise _no_picture(order) from error
    # An order that is priced anew has another picture: only where it is named may it be kept for good.
    keeping = "private, max-age=31536000, immutable" if of else "private, no-cache"
    headers = {"content-length": str(size), "cache-control": keeping, "etag": f'"{picture}"'}
    return StreamingResponse(service.objects.open(picture), media_type=PNG, headers=headers)


def _no_picture(order: str) -> ProblemError:
    return ProblemError(UNKNOWN, f"there is no such picture of the order `{order}`")


@api.post("/orders/{order}/submission", summary="Send an order off", responses=responses(UNKNOWN, CONFLICT))
async def post_submission(request: Request, caller: Caller, order: OrderId) -> documents.Order:
    """Send an order off (SUBMITTED); the promise begins. Sending it again changes nothing."""
    return await service_of(request).ordering.submit(caller, order)


@api.post("/orders/{order}/answer", summary="Answer our question", responses=responses(UNKNOWN, CONFLICT))
async def post_answer(request: Request, caller: Caller, order: OrderId, said: documents.Answer) -> documents.Order:
    """Answer the sales manager's question, with a better model if need be."""
    return await service_of(request).ordering.answer(caller, order, said.answer, said.model)


@api.post("/orders/{order}/cancellation", summary="Ask to cancel", responses=responses(UNKNOWN, CONFLICT))
async def post_cancellation(
    request: Request, caller: Caller, order: OrderId, wanted: documents.Cancellation
) -> documents.Order:
    """Ask to cancel an order, which is possible until its piece is being made."""
    return await service_of(request).ordering.cancel(caller, order, wanted.reason)


@api.get("/statuses", dependencies=[MACHINES], summary="What the shop believes of every order")
async def get_statuses(
    request: Request,
    after: Annotated[str, Query(description="`next` of the page before.", max_length=200, pattern=r"^[^\x00]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000,
) -> documents.Statuses:
    """Return a page of every order's status as the shop knows it, by order id; for reconciliation."""
    async with service_of(request).database.reading() as connection:
        rows = await store.statuses_after(connection, after, limit + 1)
    page = [
        documents.Believed(order=row.id, status=row.status, since=row.since, source=row.source, sequence=row.sequence)
        for row in rows[:limit]
    ]
    return documents.Statuses(orders=page, next=page[-1].order if len(rows) > limit else None)
