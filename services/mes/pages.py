"""The workshop's pages: an operator's work list, and the lead's overview. No script, nothing from elsewhere."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.auth.headers import PAGE_HEADERS
from services.mes.api import WORKERS, Caller, Lead, Order, service_of
from services.mes.vendor.model import IN_WORKSHOP, State, Step, VendorRefusal

if TYPE_CHECKING:
    from datetime import datetime

    from services.mes.vendor.distribution import Operator

FOLDER: Final = Path(__file__).parent / "templates"
NEAR: Final = timedelta(days=3)
BUTTONS: Final = {Step.START: "Start", Step.COMPLETE: "Complete", Step.PACK: "Pack", Step.SHIP: "Ship"}
STATES: Final = {
    State.RELEASED: "to be made",
    State.STARTED: "in the making",
    State.COMPLETED: "made",
    State.PACKING: "being packed",
}
pages = APIRouter(dependencies=[Depends(WORKERS)], include_in_schema=False)
Reason = Annotated[str, Form(min_length=1, max_length=1_000, pattern="^[^\x00]+$")]
Id = Annotated[str, Form(min_length=1, max_length=200, pattern="^[^\x00]+$")]


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["left"] = left
    environment.filters["urgency"] = urgency
    environment.globals |= {
        "style": (FOLDER / "mes.css").read_text(encoding="utf-8"),
        "buttons": BUTTONS,
        "states": STATES,
        "steps": [(state, STATES[state]) for state in sorted(IN_WORKSHOP)],
    }
    return environment


def left(promised: datetime | None, now: datetime) -> str:
    """Say how much time a promise leaves."""
    if promised is None:
        return "no date promised"
    remaining = promised - now
    late = remaining < timedelta()
    hours = round(abs(remaining).total_seconds() / 3600)
    amount = f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"
    return f"{amount} late" if late else f"{amount} left"


def urgency(promised: datetime | None, now: datetime) -> str:
    """Return how urgent a promise is: over, near, fine, or nothing."""
    if promised is None:
        return ""
    if promised < now:
        return "over"
    return "near" if promised - now < NEAR else "fine"


def _page(
    request: Request, name: str, caller: Operator, status: HTTPStatus = HTTPStatus.OK, **shown: Any
) -> HTMLResponse:
    root = request.scope.get("root_path", "")
    known = {"caller": caller, "now": service_of(request).clock(), "root": root, "here": name}
    return HTMLResponse(_templates().get_template(f"{name}.html").render(**known, **shown), status, PAGE_HEADERS)


def _back(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(request.scope.get("root_path", "") + path, HTTPStatus.SEE_OTHER)


async def _work_page(request: Request, caller: Operator, notice: str | None = None) -> HTMLResponse:
    lines = await service_of(request).workshop.list_of(caller.id)
    status = HTTPStatus.CONFLICT if notice else HTTPStatus.OK
    return _page(request, "work", caller, status, lines=lines, notice=notice)


async def _workshop_page(request: Request, caller: Operator, notice: str | None = None) -> HTMLResponse:
    staff, lines = await service_of(request).workshop.overview()
    names = {operator.id: operator.name for operator, _load in staff}
    status = HTTPStatus.CONFLICT if notice else HTTPStatus.OK
    absent = {operator.id for operator, _load in staff if not operator.at_work}
    shown = {"staff": staff, "lines": lines, "names": names, "absent": absent, "notice": notice}
    return _page(request, "workshop", caller, status, **shown)


@pages.get("/", summary="My work")
async def show_work(request: Request, caller: Caller) -> Response:
    """Show the caller's work list."""
    return await _work_page(request, caller)


@pages.post("/pages/work/{order}/{step}", summary="Take a piece one step on")
async def do_step(request: Request, caller: Caller, order: Order, step: Step) -> Response:
    """Do what a button says, and show the list again."""
    try:
        await service_of(request).workshop.advance(caller.id, order, step)
    except VendorRefusal as refusal:
        return await _work_page(request, caller, str(refusal))
    return _back(request, "/")


@pages.get("/pages/workshop", summary="The whole workshop")
async def show_workshop(request: Request, caller: Lead) -> Response:
    """Show who has how much to do, and all pieces."""
    return await _workshop_page(request, caller)


@pages.post("/pages/workshop/pieces/{order}", summary="Give a piece to somebody else")
async def do_reassign(request: Request, caller: Lead, order: Order, operator: Id, reason: Reason) -> Response:
    """Give a piece to somebody else, and show the workshop again."""
    try:
        await service_of(request).workshop.reassign(order, operator, caller.id, reason)
    except VendorRefusal as refusal:
        return await _workshop_page(request, caller, str(refusal))
    return _back(request, "/pages/workshop")


@pages.post("/pages/workshop/operators/{operator}", summary="Note who is at work")
async def do_presence(request: Request, caller: Lead, operator: Order, at_work: Annotated[bool, Form()]) -> Response:
    """Note who is at work, and show the workshop again."""
    try:
        await service_of(request).workshop.set_presence(operator, caller.id, at_work=at_work)
    except VendorRefusal as refusal:
        return await _workshop_page(request, caller, str(refusal))
    return _back(request, "/pages/workshop")
