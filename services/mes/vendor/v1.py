"""`/v1` as the vendor froze it years ago: its own field names, codes, numbers and errors, times in epoch milliseconds.

No answer may change: tests/unit/test_mes_v1.json holds their shapes. A call may take what it did not take before, if
that can be left out.
"""

# ruff: noqa: N815 - the names are the vendor's
from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, model_validator

from instrumentation.problems import ProblemError
from services.mes.vendor import store
from services.mes.vendor.access import LARGEST, LATEST_MS, STATUS, Amount, Code, Currency, Front, Reference, slowly
from services.mes.vendor.model import Change, GivenPrice, Submission, VendorOrder, VendorRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import FastAPI


class ErrorV1(BaseModel):
    """What is wrong, the vendor's way."""

    errCd: int = Field(description="The HTTP status, once more.", examples=[404])
    errTxt: str = Field(examples=["no order has the number 1042"])


class GivenV1(BaseModel):
    """A price from outside, if any: such an order is not calculated here."""

    prcExt: Amount | None = Field(default=None, description="The price, a decimal number.")
    curExt: Currency | None = Field(default=None, description="Its currency; needed with a price.")
    prcExtValTs: int | None = Field(
        default=None, ge=0, le=LATEST_MS, description="The price holds until; as usual if left out."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.prcExt is None) != (self.curExt is None) or (self.prcExt is None and self.prcExtValTs is not None):
            raise ValueError("prcExt and curExt come together, and prcExtValTs only with them")
        return self

    @property
    def given(self) -> GivenPrice | None:
        """The price, None where there is none."""
        if self.prcExt is None or self.curExt is None:
            return None
        return GivenPrice(self.prcExt, self.curExt, self.prcExtValTs)


class SubmissionV1(GivenV1):
    """A new order."""

    extRef: Reference = Field(description="Your order id; tells a repeat.")
    prodCd: Code
    chn: Code
    mdlHash: Code | None = None
    mdlBytes: int | None = Field(default=None, ge=0, le=LARGEST)
    dueTs: int | None = Field(default=None, ge=0, le=LATEST_MS, description="Promised for; epoch milliseconds.")


class RequoteV1(GivenV1):
    """A quote to be confirmed, calculated for another model, or replaced by one from outside."""

    reqKey: Reference = Field(description="Tells a repeat.")
    mdlHash: Code | None = None
    mdlBytes: int | None = Field(default=None, ge=0, le=LARGEST)


class OrderV1(BaseModel):
    """An order as it is now. `stat`: 10 received, 20 calculating, 25 calculation failed, 30 calculated, 40 released,
    50 started, 60 completed, 70 packing, 80 shipped, 90 withdrawn. Times are epoch milliseconds."""  # noqa: D205, D209

    ordNo: int
    extRef: str
    prodCd: str
    chn: str
    mdlHash: str | None
    dueTs: int | None
    stat: int
    statTs: int = Field(description="In this status since.")
    updTs: int = Field(description="Changed last at.")
    calcPct: int
    prc: str | None
    cur: str | None
    prcValTs: int | None = Field(description="The price holds until.")
    errTxt: str | None


class OrdersV1(BaseModel):
    """A page of orders by their last change."""

    cnt: int
    ords: list[OrderV1]


class ExtraV1(BaseModel):
    """What a change brings along, by its status."""

    calcPct: int | None
    prc: str | None
    cur: str | None
    prcValTs: int | None
    errTxt: str | None


class ChangeV1(BaseModel):
    """A line of the journal."""

    jrnNo: int = Field(description="From 1, without gaps.")
    ordNo: int
    extRef: str
    stat: int
    ts: int
    xtra: ExtraV1


class JournalV1(BaseModel):
    """A page of the journal."""

    cnt: int
    jrn: list[ChangeV1]


class FrozenRoute(APIRoute):
    """Says everything that is wrong the vendor's way."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the route's own handler."""
        answer = super().get_route_handler()

        async def frozen(request: Request) -> Response:
            try:
                return await answer(request)
            except VendorRefusal as refusal:
                return _error(STATUS[refusal.kind], str(refusal))
            except ProblemError as error:
                return _error(error.status, error.detail)
            except RequestValidationError as error:
                found = error.errors()[0]
                return _error(HTTPStatus.BAD_REQUEST, f"{found['loc'][-1]}: {found['msg']}")

        return frozen


def _error(status: HTTPStatus, text: str) -> JSONResponse:
    return JSONResponse(ErrorV1(errCd=status.value, errTxt=text).model_dump(), status.value)


_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    int(status): {"model": ErrorV1, "description": status.phrase}
    for status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)
}
_OF_ORDER: Final[dict[int | str, dict[str, Any]]] = {
    int(status): {"model": ErrorV1, "description": status.phrase}
    for status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
}
v1 = APIRouter(prefix="/v1", route_class=FrozenRoute, tags=["vendor v1"], responses=_ERRORS)
Caller = Annotated[Front, Depends(slowly)]
Number = Annotated[int, Path(ge=0, le=LARGEST, description="The vendor's number.")]


@v1.post(
    "/orders",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": OrderV1, "description": "It was there already."}},
    summary="Submit an order",
)
async def submit(front: Caller, body: SubmissionV1, response: Response) -> OrderV1:
    """Take an order; the reference tells a repeat, which changes nothing."""
    wanted = Submission(body.extRef, body.prodCd, body.chn, body.mdlHash, body.mdlBytes, body.dueTs)
    order, new = await front.orders.submit(wanted, body.given)
    response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
    return _order(order)


@v1.post("/orders/{number}/release", responses=_OF_ORDER, summary="Release an order to the workshop")
async def release(front: Caller, number: Number) -> OrderV1:
    """Give a calculated order to the workshop; a repeat changes nothing."""
    return _order(await front.orders.release(partial(store.by_number, number=number)))


@v1.post("/orders/{number}/withdraw", responses=_OF_ORDER, summary="Withdraw an order")
async def withdraw(front: Caller, number: Number) -> OrderV1:
    """Take an order back that nobody has begun to make; a repeat changes nothing."""
    return _order(await front.orders.withdraw(partial(store.by_number, number=number)))


@v1.post("/orders/{number}/requote", responses=_OF_ORDER, summary="Renew a quote")
async def requote(front: Caller, number: Number, body: RequoteV1) -> OrderV1:
    """Confirm the price for another term, or calculate again for another model; `reqKey` tells a repeat."""
    find = partial(store.by_number, number=number)
    return _order(await front.orders.requote(find, body.reqKey, body.mdlHash, body.mdlBytes, body.given))


@v1.get("/orders/{number}", responses=_OF_ORDER, summary="One order")
async def get_order(front: Caller, number: Number) -> OrderV1:
    """Return an order as it is now."""
    return _order(await front.orders.get(partial(store.by_number, number=number)))


@v1.get("/orders", summary="Orders by their last change")
async def get_orders(
    front: Caller,
    updated_since: Annotated[int, Query(ge=0, le=LARGEST, description="Epoch milliseconds, inclusive.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    after_no: Annotated[int, Query(ge=0, le=LARGEST, description="Of those changed at that very moment.")] = 0,
) -> OrdersV1:
    """Return orders as they are now, by `updTs` and `ordNo`: how they came there is not told."""
    found = await front.orders.updated_since(updated_since, after_no, limit)
    return OrdersV1(cnt=len(found), ords=[_order(order) for order in found])


@v1.get("/changes", summary="The journal of changes")
async def get_changes(
    front: Caller,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="The last number that you know.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> JournalV1:
    """Return the next lines of the journal."""
    found = await front.orders.changes_after(after, limit)
    return JournalV1(cnt=len(found), jrn=[_change(change) for change in found])


def _order(order: VendorOrder) -> OrderV1:
    return OrderV1(
        ordNo=order.number,
        extRef=order.reference,
        prodCd=order.product,
        chn=order.channel,
        mdlHash=order.model_hash,
        dueTs=order.due_ms,
        stat=int(order.state),
        statTs=order.state_ms,
        updTs=order.changed_ms,
        calcPct=order.percent,
        prc=order.price,
        cur=order.currency,
        prcValTs=order.valid_ms,
        errTxt=order.reason,
    )


def _change(change: Change) -> ChangeV1:
    extra = ExtraV1(
        calcPct=change.percent, prc=change.price, cur=change.currency, prcValTs=change.valid_ms, errTxt=change.reason
    )
    return ChangeV1(
        jrnNo=change.number,
        ordNo=change.order_number,
        extRef=change.reference,
        stat=int(change.state),
        ts=change.at_ms,
        xtra=extra,
    )


def describe_v1(app: FastAPI) -> None:
    """Make the app's OpenAPI document say that `/v1` answers bad requests its own way, not with a problem."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            own = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorV1"}}}
            for path, operations in written()["paths"].items():
                if path.startswith("/v1/"):
                    for operation in operations.values():
                        operation["responses"]["400"]["content"] = own
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the document
