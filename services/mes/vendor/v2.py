"""`/v2` as it will be: our order ids, our status names, ISO 8601 moments, problems by RFC 9457."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from instrumentation.problems import responses
from services.contract import Money, Status
from services.mes.vendor import store
from services.mes.vendor.access import LARGEST, Amount, Code, Currency, Front, Moment, Reference, problem, slowly
from services.mes.vendor.model import (
    Change,
    GivenPrice,
    State,
    Submission,
    VendorOrder,
    VendorRefusal,
    milliseconds,
    moment_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request

NAMES: Final = {
    State.RECEIVED: Status.SUBMITTED,
    State.CALCULATING: Status.PRICE_CALCULATING,
    State.CALCULATION_FAILED: Status.PRICE_FAILED,
    State.CALCULATED: Status.PRICE_CALCULATED,
    State.RELEASED: Status.MANUFACTURING_APPROVED,
    State.STARTED: Status.MANUFACTURING_STARTED,
    State.COMPLETED: Status.MANUFACTURING_COMPLETED,
    State.PACKING: Status.PACKAGING,
    State.SHIPPED: Status.SHIPPED,
    State.WITHDRAWN: Status.CANCELLED,
}


class ModelV2(BaseModel):
    """A 3D model: what it is, and how large."""

    sha256: Code
    bytes: int | None = Field(default=None, ge=0, le=LARGEST)


class PriceV2(BaseModel):
    """A price from outside."""

    amount: Amount
    currency: Currency


class GivenV2(BaseModel):
    """A price from outside, if any: such an order is not calculated here."""

    price: PriceV2 | None = None
    valid_until: Moment | None = Field(default=None, description="Of the price; as usual if left out.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.price is None and self.valid_until is not None:
            raise ValueError("`valid_until` comes with a `price` only")
        return self

    @property
    def given(self) -> GivenPrice | None:
        """The price, None where there is none."""
        if self.price is None:
            return None
        until = None if self.valid_until is None else milliseconds(self.valid_until)
        return GivenPrice(self.price.amount, self.price.currency, until)


class SubmissionV2(GivenV2):
    """A new order."""

    id: Reference = Field(description="Your order id; tells a repeat.")
    product: Code
    channel: Code
    model: ModelV2 | None = None
    promised_at: Moment | None = None


class RequoteV2(GivenV2):
    """A quote to be confirmed, calculated for another model, or replaced by one from outside."""

    request: Reference = Field(description="Tells a repeat.")
    model: ModelV2 | None = None


class OrderV2(BaseModel):
    """An order as it is now."""

    id: str
    number: int
    product: str
    channel: str
    model: str | None
    promised_at: datetime | None
    status: Status
    since: datetime
    changed_at: datetime
    progress: float
    price: Money | None
    valid_until: datetime | None
    reason: str | None


class OrdersV2(BaseModel):
    """A page of orders by their last change."""

    orders: list[OrderV2]


class ChangeV2(BaseModel):
    """A line of the journal."""

    number: int = Field(description="From 1, without gaps.")
    id: str
    status: Status
    at: datetime
    progress: float | None
    price: Money | None
    valid_until: datetime | None
    reason: str | None


class ChangesV2(BaseModel):
    """A page of the journal."""

    changes: list[ChangeV2]


class ProblemRoute(APIRoute):
    """Says the vendor's refusals as problems."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the route's own handler."""
        answer = super().get_route_handler()

        async def telling(request: Request) -> Response:
            try:
                return await answer(request)
            except VendorRefusal as refusal:
                raise problem(refusal) from refusal

        return telling


_OF_ORDER: Final = responses(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
v2 = APIRouter(prefix="/v2", route_class=ProblemRoute, tags=["vendor v2"], responses=responses(HTTPStatus.UNAUTHORIZED))
Caller = Annotated[Front, Depends(slowly)]
Id = Annotated[Reference, Path(description="Your order id.")]


@v2.post(
    "/orders",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": OrderV2, "description": "It was there already."}},
    summary="Submit an order",
)
async def submit(front: Caller, body: SubmissionV2, response: Response) -> OrderV2:
    """Take an order; the id tells a repeat, which changes nothing."""
    due = None if body.promised_at is None else milliseconds(body.promised_at)
    wanted = Submission(body.id, body.product, body.channel, *_model(body.model), due)
    order, new = await front.orders.submit(wanted, body.given)
    response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
    return _order(order)


@v2.post("/orders/{order}/release", responses=_OF_ORDER, summary="Release an order to the workshop")
async def release(front: Caller, order: Id) -> OrderV2:
    """Give a calculated order to the workshop; a repeat changes nothing."""
    return _order(await front.orders.release(partial(store.by_reference, reference=order)))


@v2.post("/orders/{order}/withdraw", responses=_OF_ORDER, summary="Withdraw an order")
async def withdraw(front: Caller, order: Id) -> OrderV2:
    """Take an order back that nobody has begun to make; a repeat changes nothing."""
    return _order(await front.orders.withdraw(partial(store.by_reference, reference=order)))


@v2.post("/orders/{order}/requote", responses=_OF_ORDER, summary="Renew a quote")
async def requote(front: Caller, order: Id, body: RequoteV2) -> OrderV2:
    """Confirm the price for another term, or calculate again for another model; `request` tells a repeat."""
    find = partial(store.by_reference, reference=order)
    return _order(await front.orders.requote(find, body.request, *_model(body.model), body.given))


@v2.get("/orders/{order}", responses=_OF_ORDER, summary="One order")
async def get_order(front: Caller, order: Id) -> OrderV2:
    """Return an order as it is now."""
    return _order(await front.orders.get(partial(store.by_reference, reference=order)))


@v2.get("/orders", summary="Orders by their last change")
async def get_orders(
    front: Caller,
    updated_since: Annotated[AwareDatetime | None, Query(description="Inclusive; from the first, if left out.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="A `number`, of those changed at that moment.")] = 0,
) -> OrdersV2:
    """Return orders as they are now, by `changed_at` and `number`: how they came there is not told."""
    since = 0 if updated_since is None else milliseconds(updated_since)
    return OrdersV2(orders=[_order(order) for order in await front.orders.updated_since(since, after, limit)])


@v2.get("/changes", summary="The journal of changes")
async def get_changes(
    front: Caller,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="The last number that you know.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> ChangesV2:
    """Return the next lines of the journal."""
    return ChangesV2(changes=[_change(change) for change in await front.orders.changes_after(after, limit)])


def _model(model: ModelV2 | None) -> tuple[str | None, int | None]:
    return (None, None) if model is None else (model.sha256, model.bytes)


def _order(order: VendorOrder) -> OrderV2:
    return OrderV2(
        id=order.reference,
        number=order.number,
        product=order.product,
        channel=order.channel,
        model=order.model_hash,
        promised_at=_moment(order.due_ms),
        status=NAMES[order.state],
        since=moment_of(order.state_ms),
        changed_at=moment_of(order.changed_ms),
        progress=order.percent / 100,
        price=_price(order.price, order.currency),
        valid_until=_moment(order.valid_ms),
        reason=order.reason,
    )


def _change(change: Change) -> ChangeV2:
    return ChangeV2(
        number=change.number,
        id=change.reference,
        status=NAMES[change.state],
        at=moment_of(change.at_ms),
        progress=None if change.percent is None else change.percent / 100,
        price=_price(change.price, change.currency),
        valid_until=_moment(change.valid_ms),
        reason=change.reason,
    )


def _moment(milliseconds_since: int | None) -> datetime | None:
    return None if milliseconds_since is None else moment_of(milliseconds_since)


def _price(amount: str | None, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount=Decimal(amount), currency=currency)
