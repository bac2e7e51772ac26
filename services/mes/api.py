"""Workshop and adapter over HTTP: parse, call, reply.

The vendor's own API is in vendor/v1.py and vendor/v2.py.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request

from instrumentation.problems import ProblemError, responses
from services.auth.gates import require
from services.auth.people import Person, Role
from services.mes import documents, store
from services.mes.model import micros, moment_of
from services.mes.vendor.access import LARGEST, problem
from services.mes.vendor.distribution import Operator
from services.mes.vendor.model import Step, VendorRefusal
from services.mes.vendor.model import moment_of as vendor_moment_of
from services.mes.vendor.v2 import NAMES

if TYPE_CHECKING:
    from services.mes.app import Service
    from services.mes.vendor.workshop import Line

WORKERS: Final = require(Role.OPERATOR)
WATCHERS: Final = require(Role.SRE, Role.SERVICE)
_REFUSALS: Final = responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_OF_PIECE: Final = responses(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def service_of(request: Request) -> Service:
    """Return the service that answers."""
    service: Service = request.app.state.service
    return service


async def operator_of(request: Request, person: Annotated[Person, Depends(WORKERS)]) -> Operator:
    """Return the operator who calls. Raises ProblemError (403) where the workshop does not know them."""
    operator = await service_of(request).workshop.operator(person.subject)
    if operator is None:
        detail = f"`{person.subject}` is not among the workshop's operators; see TOUCHSTONE_MES_OPERATORS"
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)
    return operator


async def lead_of(operator: Annotated[Operator, Depends(operator_of)]) -> Operator:
    """Return the lead who calls. Raises ProblemError (403) for other operators."""
    if not operator.lead:
        raise ProblemError(HTTPStatus.FORBIDDEN, "this is for the workshop's lead; your own list is at /work")
    return operator


work = APIRouter(tags=["work"], responses=_REFUSALS)
lead = APIRouter(tags=["workshop"], responses=_REFUSALS)
watch = APIRouter(tags=["adapter"], dependencies=[Depends(WATCHERS)], responses=_REFUSALS)
Caller = Annotated[Operator, Depends(operator_of)]
Lead = Annotated[Operator, Depends(lead_of)]
Order = Annotated[documents.Text, Path(description="The order's id.")]


@work.get("/work", summary="My work list")
async def get_work(request: Request, caller: Caller) -> documents.WorkList:
    """Return the caller's unfinished pieces, nearest promise first."""
    lines = await service_of(request).workshop.list_of(caller.id)
    return documents.WorkList(work=[documents.WorkItem.model_validate(_piece(line)) for line in lines])


@work.post("/work/{order}/{step}", responses=_OF_PIECE, summary="Take a piece one step on")
async def post_step(request: Request, caller: Caller, order: Order, step: Step) -> documents.Done:
    """Start, complete, pack or ship a piece of the caller's; a repeat changes nothing."""
    try:
        moved = await service_of(request).workshop.advance(caller.id, order, step)
    except VendorRefusal as refusal:
        raise problem(refusal) from refusal
    return documents.Done(order=order, status=NAMES[moved.state])


@lead.get("/workshop", summary="The whole workshop")
async def get_workshop(request: Request, _lead: Lead) -> documents.WorkshopView:
    """Return the load of every operator, and all unfinished pieces, nearest promise first."""
    staff, lines = await service_of(request).workshop.overview()
    operators = [_operator(operator, load) for operator, load in staff]
    return documents.WorkshopView(operators=operators, pieces=[_piece(line) for line in lines])


@lead.post(
    "/workshop/pieces/{order}/assignment",
    status_code=HTTPStatus.NO_CONTENT,
    responses=_OF_PIECE,
    summary="Give a piece to somebody else",
)
async def post_assignment(request: Request, caller: Lead, order: Order, body: documents.Assignment) -> None:
    """Give a piece by hand to somebody who is at work and has the skill, whatever their load; the reason is kept."""
    try:
        await service_of(request).workshop.reassign(order, body.operator, caller.id, body.reason)
    except VendorRefusal as refusal:
        raise problem(refusal) from refusal


@lead.get(
    "/workshop/pieces/{order}/moves", responses=responses(HTTPStatus.NOT_FOUND), summary="How a piece changed hands"
)
async def get_moves(request: Request, _lead: Lead, order: Order) -> documents.Moves:
    """Return who gave a piece to whom, and why, oldest first."""
    try:
        rows = await service_of(request).workshop.history(order)
    except VendorRefusal as refusal:
        raise problem(refusal) from refusal
    moves = [
        documents.Move(
            previous=row.previous,
            operator=row.operator,
            moved_by=row.moved_by,
            reason=row.reason,
            at=vendor_moment_of(row.at_ms),
        )
        for row in rows
    ]
    return documents.Moves(moves=moves)


@lead.put(
    "/workshop/operators/{operator}/presence",
    status_code=HTTPStatus.NO_CONTENT,
    responses=responses(HTTPStatus.NOT_FOUND),
    summary="Note who is at work",
)
async def put_presence(request: Request, caller: Lead, operator: Order, body: documents.Presence) -> None:
    """Note that somebody came or is absent; an absent operator's unstarted pieces go to others."""
    try:
        await service_of(request).workshop.set_presence(operator, caller.id, at_work=body.at_work)
    except VendorRefusal as refusal:
        raise problem(refusal) from refusal


@watch.get("/statuses", summary="What this system believes of every order")
async def get_statuses(
    request: Request,
    after: Annotated[str, Query(max_length=200, pattern="^[^\x00]*$", description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> documents.Statuses:
    """Return a page of orders by id, each with the status that the adapter believes, and who said so."""
    async with service_of(request).database.reading() as connection:
        found = await store.beliefs_after(connection, after, limit)
    orders = [
        documents.Believed(
            order=order, status=one.status, since=moment_of(one.since), source=one.source, sequence=one.sequence
        )
        for order, one in found
    ]
    return documents.Statuses(orders=orders, next=found[-1][0] if len(found) == limit else None)


@watch.get("/vendor-calls", summary="Calls that the vendor has not answered, or has refused")
async def get_vendor_calls(
    request: Request,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="`next` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> documents.OwedCalls:
    """Return a page of calls by number; none where everything is as it should be."""
    async with service_of(request).database.reading() as connection:
        rows = await store.unsettled_calls(connection, after, limit)
    calls = [
        documents.OwedCall(
            number=row.number,
            order=row.order_id,
            kind=row.kind,
            attempts=row.attempts,
            failure=row.failure,
            due_at=None if row.refused else moment_of(row.due_at),
            refused=row.refused,
        )
        for row in rows
    ]
    return documents.OwedCalls(calls=calls, next=rows[-1].number if len(rows) == limit else None)


@watch.post(
    "/vendor-calls/{number}/retry",
    status_code=HTTPStatus.NO_CONTENT,
    responses=responses(HTTPStatus.NOT_FOUND),
    summary="Make a refused call again",
)
async def post_retry(request: Request, number: Annotated[int, Path(ge=0, le=LARGEST)]) -> None:
    """Ask the vendor once more, after whatever was wrong has been mended."""
    service = service_of(request)
    now = micros(service.clock())
    if not await service.database.write(lambda connection: store.reopen_call(connection, number, now)):
        raise ProblemError(HTTPStatus.NOT_FOUND, f"no refused call has the number {number}")


def _piece(line: Line) -> documents.Piece:
    return documents.Piece(
        order=line.order,
        product=line.product,
        status=NAMES[line.state],
        promised_at=line.promised_at,
        next=line.next,
        operator=line.operator,
    )


def _operator(operator: Operator, load: int) -> documents.OperatorLoad:
    return documents.OperatorLoad(
        id=operator.id,
        name=operator.name,
        skills=sorted(operator.skills),
        at_work=operator.at_work,
        capacity=operator.capacity,
        load=load,
        lead=operator.lead,
    )
