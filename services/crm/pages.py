"""The desk's pages: rendered here, plain CSS, nothing from elsewhere, and no script."""

from __future__ import annotations

from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from instrumentation.problems import ProblemError
from services.auth.headers import PAGE_HEADERS
from services.contract import Status
from services.crm import reading, wording
from services.crm.api import SALES, Cursor, Id, Manager, service_of
from services.crm.model import Action
from services.crm.rules import Standing  # noqa: TC001 - FastAPI reads the annotations

FOLDER: Final = Path(__file__).parent / "templates"
ON_A_PAGE: Final = 25
_POLICY: Final = "Content-Security-Policy"
HEADERS: Final = PAGE_HEADERS | {_POLICY: f"{PAGE_HEADERS[_POLICY]}; img-src 'self' data:"}
WHAT: Final = {
    "approval": (Action.APPROVE, "approved by hand"),
    "rejection": (Action.REJECT, None),
    "question": (Action.ASK, None),
    "cancellation": (Action.CANCEL, None),
    "closing": (Action.CLOSE, "closed by hand"),
}
pages = APIRouter(dependencies=[Depends(SALES)], include_in_schema=False)
Words = Annotated[str, Form(max_length=2_000)]


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("moment", "day", "money", "status", "deed", "age", "left", "mood", "capitalize_first"):
        environment.filters[name] = getattr(wording, name)
    environment.globals["style"] = (FOLDER / "crm.css").read_text(encoding="utf-8")
    return environment


def _page(request: Request, name: str, code: HTTPStatus = HTTPStatus.OK, **shown: Any) -> HTMLResponse:
    template = _templates().get_template(f"{name}.html.j2")
    root = request.scope.get("root_path", "")
    known = {"person": request.state.person, "now": service_of(request).desk.clock(), "root": root, "here": name}
    return HTMLResponse(template.render(**known, **shown), code, HEADERS)


def _trouble(request: Request, error: ProblemError) -> HTMLResponse:
    return _page(request, "trouble", error.status, title=error.status.phrase, detail=error.detail)


@pages.get("/", summary="The desk")
async def show_desk(request: Request, cursor: Cursor = None) -> Response:
    """Show the orders that wait for a decision, nearest promise first."""
    async with service_of(request).database.reading() as connection:
        try:
            desk = await reading.desk(connection, cursor, ON_A_PAGE)
        except ProblemError as error:
            return _trouble(request, error)
    return _page(request, "desk", desk=desk, first=cursor is None)


@pages.get("/pages/orders", summary="All orders")
async def show_orders(
    request: Request, status: Annotated[str, Query(max_length=50)] = "", cursor: Cursor = None
) -> Response:
    """Show all orders, or those in one status."""
    wanted = Status(status) if status in set(Status) else None
    async with service_of(request).database.reading() as connection:
        try:
            found = await reading.orders(connection, wanted, cursor, ON_A_PAGE)
        except ProblemError as error:
            return _trouble(request, error)
    return _page(request, "orders", found=found, wanted=wanted, statuses=list(Status), first=cursor is None)


@pages.get("/pages/orders/{order}", summary="An order's file")
async def show_order(request: Request, order: Id) -> Response:
    """Show everything that the desk knows of an order, and what may be decided."""
    return await _order_page(request, order)


async def _order_page(
    request: Request, order: str, code: HTTPStatus = HTTPStatus.OK, notice: str | None = None
) -> Response:
    async with service_of(request).database.reading() as connection:
        try:
            found = await reading.order(connection, order)
        except ProblemError as error:
            return _trouble(request, error)
    drawn = found.picture is not None and service_of(request).models is not None
    return _page(request, "order", code, order=found, may=set(found.may), notice=notice, drawn=drawn)


@pages.post("/pages/orders/{order}/{what}", summary="Decide on an order")
async def decide(
    request: Request, order: Id, what: str, manager: Manager, reason: Words = "", back: Words = ""
) -> Response:
    """Take in a decision, and lead back to where it was made; what does not fit is said on the order's page."""
    if what not in WHAT:
        return _trouble(request, ProblemError(HTTPStatus.NOT_FOUND, "there is no such decision"))
    action, unsaid = WHAT[what]
    reason = reason.replace("\0", "").strip() or unsaid or ""
    if not reason:
        return await _order_page(request, order, HTTPStatus.BAD_REQUEST, "Say why, in a few words.")
    service = service_of(request)
    try:
        await service.database.write(
            partial(service.desk.act, order=order, action=action, by=manager.name, reason=reason)
        )
    except ProblemError as error:
        return await _order_page(request, order, error.status, error.detail)
    return _to(request, "/" if back == "desk" else f"/pages/orders/{quote(order, safe='')}")


@pages.get("/pages/customers/{customer}", summary="A customer")
async def show_customer(request: Request, customer: Id) -> Response:
    """Show what the house thinks of a customer, and how it came to that."""
    async with service_of(request).database.reading() as connection:
        try:
            found = await reading.customer(connection, customer)
        except ProblemError as error:
            return _trouble(request, error)
    return _page(request, "customer", customer=found)


@pages.post("/pages/customers/{customer}/standing", summary="Judge a customer")
async def judge(
    request: Request, customer: Id, manager: Manager, standing: Annotated[Standing, Form()], reason: Words = ""
) -> Response:
    """Take in a judgement, and lead back to the customer's page."""
    reason = reason.replace("\0", "").strip()
    if not reason:
        return _trouble(request, ProblemError(HTTPStatus.BAD_REQUEST, "say why, in a few words"))
    service = service_of(request)
    await service.database.write(
        partial(service.desk.judge_customer, customer=customer, standing=standing, by=manager.name, reason=reason)
    )
    return _to(request, f"/pages/customers/{quote(customer, safe='')}")


def _to(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(request.scope.get("root_path", "") + path, HTTPStatus.SEE_OTHER)
