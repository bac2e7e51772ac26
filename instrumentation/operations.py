"""What whoever runs a service asks of it: does it live, is it ready, its metrics."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, Field

from instrumentation import conventions as names
from instrumentation import problems

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from instrumentation.telemetry import Telemetry

LOG: Final = logging.getLogger("touchstone.health")
_TEXT: Final = {"schema": {"type": "string"}}
_EXPOSED: Final[Any] = {200: {"content": {"text/plain": _TEXT, "application/openmetrics-text": _TEXT}}}
Endpoint = TypeVar("Endpoint", bound="Callable[..., Any]")


class Health(BaseModel):
    """A service that lives, or is ready."""

    status: str = Field(examples=["ok"])
    service: str = Field(examples=["shop"])


def _public(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint as open to all, for those who deny what is not marked."""
    endpoint.access = "public"  # type: ignore[attr-defined]
    return endpoint


def operations(telemetry: Telemetry, ready: Callable[[], Awaitable[str | None]] | None) -> APIRouter:
    """Return the routes. ``ready`` says why the service cannot do its work, or None where it can."""
    router = APIRouter(tags=["operations"])
    health = Health(status="ok", service=telemetry.service)

    @router.get(names.HEALTHZ, summary="Whether the process lives")
    @_public
    async def healthz() -> Health:
        """Answer as long as the process can answer at all; asks nothing of what it depends on."""
        return health

    unready = problems.responses(HTTPStatus.SERVICE_UNAVAILABLE)

    @router.get(names.READYZ, summary="Whether the service can do its work", response_model=Health, responses=unready)
    @_public
    async def readyz() -> Any:
        """Answer 503 with the reason where the service cannot do its work."""
        reason = await _reason(telemetry, ready)
        return health if reason is None else problems.answer(HTTPStatus.SERVICE_UNAVAILABLE, reason)

    @router.get(names.METRICS, summary="Metrics for Prometheus", response_class=Response, responses=_EXPOSED)
    @_public
    async def metrics(request: Request) -> Response:
        """Give the metrics in the text format, or in OpenMetrics (with exemplars) where that is accepted."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(telemetry.registry), headers={"content-type": media_type})

    return router


async def _reason(telemetry: Telemetry, ready: Callable[[], Awaitable[str | None]] | None) -> str | None:
    if ready is None:
        return None
    with telemetry.active():
        try:
            return await ready()
        except Exception:
            LOG.exception("the check for readiness failed")
            return "the check for readiness failed; the service's log says why"
