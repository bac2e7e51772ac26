"""The collector over HTTP: parse, call, reply."""

from __future__ import annotations

import asyncio
import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import AwareDatetime  # noqa: TC002 - FastAPI reads the annotations

from collectors.live import documents, store
from collectors.live.chasing import page, stuck_by_limits, stuck_by_report
from collectors.live.examples import EVENTS_BODY
from collectors.live.reading import BATCHED, STRUCTURED, Intake, binary_message
from collectors.replay import micros
from collectors.sources.cloudevents_log import BadEvent
from collectors.sources.engine import EARLIEST_US, LATEST_US
from instrumentation.errors import BadInput
from instrumentation.problems import ProblemError, responses

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from collectors.live.app import Service
    from collectors.live.reports import Picture

BEARER: Final = HTTPBearer(auto_error=False, description="The token that the collector was started with.")
SECOND_US: Final = 1_000_000
UNAUTHORIZED: Final = HTTPStatus.UNAUTHORIZED
TOO_LARGE: Final = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def service_of(request: Request) -> Service:
    """Return the service that answers."""
    service: Service = request.app.state.service
    return service


async def authorize(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)] = None
) -> None:
    """Let callers with the token through; without a configured token, everybody on this machine."""
    secret = service_of(request).secret
    if secret is None:
        return
    given = credentials.credentials if credentials else ""
    if not hmac.compare_digest(given.encode(), secret.encode()):
        detail = "send the collector's token: `Authorization: Bearer ...`"
        raise ProblemError(UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


async def authorize_scrape(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)] = None
) -> None:
    """Let this machine's Prometheus in without a token, others only with it."""
    if not service_of(request).settings.loopback:
        await authorize(request, credentials)


open_api = APIRouter()
api = APIRouter(dependencies=[Depends(authorize)], responses=responses(UNAUTHORIZED))
metrics_api = APIRouter(dependencies=[Depends(authorize_scrape)], responses=responses(UNAUTHORIZED))


@api.post(
    "/events",
    status_code=HTTPStatus.ACCEPTED,
    summary="Send status events (CloudEvents)",
    openapi_extra=EVENTS_BODY,
    responses=responses(HTTPStatus.BAD_REQUEST, TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
)
async def post_events(request: Request) -> documents.Receipt:
    """Take in one event (structured or binary mode) or a batch of up to 10,000, as one transaction.

    Sending events again is safe: source and id say which are known. Bad events of a batch are quarantined and counted,
    and stop nothing.
    """
    service = service_of(request)
    body = await _body(request, service.settings.largest_body_bytes)
    intake = _intake(service, request, body)
    receipt = await service.collector.take_in(intake)
    return documents.Receipt(
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        quarantined=receipt.quarantined,
        late=receipt.late,
    )


async def _body(request: Request, largest: int) -> bytes:
    detail = f"a request holds at most {largest:,} bytes; send the events in several"
    if int(request.headers.get("content-length", "0")) > largest:
        raise ProblemError(TOO_LARGE, detail)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise ProblemError(TOO_LARGE, detail)
        parts.append(part)
    return b"".join(parts)


def _intake(service: Service, request: Request, body: bytes) -> Intake:
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    reader = service.collector.reader
    try:
        if media == BATCHED:
            return reader.read_all(_batch(orjson.loads(body), service.settings.largest_batch))
        # A CloudEvents content type says the mode, whatever headers come with it.
        if "ce-id" in request.headers and media != STRUCTURED[0]:
            return Intake([reader.read(binary_message(request.headers, body))])
        if media in STRUCTURED:
            return Intake([reader.read(orjson.loads(body))])
    except orjson.JSONDecodeError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body is no JSON ({error})") from error
    except BadEvent as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body is no status event: {error}") from error
    detail = f"send `{STRUCTURED[0]}`, `{BATCHED}`, or an event in binary mode with `ce-` headers"
    raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


def _batch(messages: object, largest: int) -> list[Any]:
    if not isinstance(messages, list):
        raise BadEvent("a batch is a JSON array of CloudEvents")
    if len(messages) > largest:
        raise ProblemError(TOO_LARGE, f"a batch holds at most {largest:,} events; send several")
    return messages


@api.get("/stages", response_model=documents.Stages, summary="The stage table, as of a moment")
async def get_stages(
    request: Request,
    as_of: Annotated[AwareDatetime | None, Query(description="Later events are ignored; now if left out.")] = None,
) -> Response:
    """Return the document of `touchstone replay --json` for all orders that the collector knows."""
    document = await service_of(request).reports.stages(None if as_of is None else moment_of(as_of, "as_of"))
    return Response(orjson.dumps(document), media_type="application/json")


def moment_of(given: datetime, name: str) -> int:
    """Return a given moment in microseconds since 1970 UTC. Raises ProblemError where the collector knows none such."""
    moment = micros(given)
    if not EARLIEST_US <= moment <= LATEST_US:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, f"`{name}` lies outside the years 1 to 9998; name a moment within them"
        )
    return moment


@api.get("/orders", summary="Orders to chase: those in flight, nearest promise first")
async def get_orders(
    request: Request,
    asked: Annotated[documents.OrdersAsked, Query()],
) -> documents.OpenOrders:
    """Return a page of the orders in flight, as of a few seconds ago at most, and how many there are in all.

    The filters are those of the alerts: what an alert counts, the list that it links to shows.
    """
    service = service_of(request)
    picture = await service.reports.picture()
    stuck = await _stuck(service, picture, asked)
    timelines, signalled = service.collector.timelines, service.signalling.account.segments
    try:
        # In a thread of its own: events are taken in meanwhile, however many orders there are.
        found = await asyncio.to_thread(page, timelines, picture, asked, stuck, signalled)
    except BadInput as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from error
    return documents.OpenOrders.model_validate(found)


async def _stuck(service: Service, picture: Picture, asked: documents.OrdersAsked) -> NDArray[np.bool_] | None:
    """Mark the orders of a picture that are stuck, if it matters: as the metric counts them, wherever it does."""
    if asked.stuck is None:
        return None
    if service.watch.report is not None:
        return stuck_by_report(picture, service.watch.report)
    return stuck_by_limits(picture, service.collector.timelines.codebook.stages, await service.reports.limits())


@api.get("/orders/{order:path}", summary="One order's journey", responses=responses(HTTPStatus.NOT_FOUND))
async def get_order(request: Request, order: str) -> documents.Order:
    """Return everything that is known of an order: events, stages, promise, ETA and risk."""
    found = await service_of(request).reports.order(order)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"nothing was heard of the order `{order}`")
    return documents.Order.model_validate(found | {"systems": service_of(request).watch.says(order)})


@api.get("/limits", summary="How long an order may be in each stage")
async def get_limits(request: Request) -> documents.Limits:
    """Return each stage's own P99 over ended orders, or its budget where too few have ended."""
    limits = await service_of(request).reports.limits()
    found = [documents.Limit.model_validate(limit._asdict() | {"limit_s": limit.us / SECOND_US}) for limit in limits]
    return documents.Limits(limits=found)


@api.get("/invariants", summary="What must be true at every moment, and whether it is")
async def get_invariants(request: Request) -> documents.Invariants:
    """Return every invariant with what its last check found."""
    return documents.Invariants.model_validate(service_of(request).watch.document())


@metrics_api.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def get_metrics(request: Request) -> Response:
    """Return stage durations, orders in stage by risk, promises kept and broken, and what arrived."""
    service = service_of(request)
    picture = await service.reports.picture_at_hand()
    return Response(service.metrics.exposition(picture.state()), media_type=CONTENT_TYPE_LATEST)


@open_api.get("/healthz", summary="Is the process alive?")
async def get_health() -> documents.Health:
    """Say that the process runs."""
    return documents.Health()


@open_api.get("/readyz", summary="Can it take in events?", responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
async def get_readiness(request: Request) -> documents.Health:
    """Say whether the database answers and the followed log, if any, is being read."""
    service = service_of(request)
    if service.failure is not None:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, service.failure)
    try:
        async with service.database.reading() as connection:
            await store.alive(connection)
    except Exception as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "the database does not answer") from error
    return documents.Health()
