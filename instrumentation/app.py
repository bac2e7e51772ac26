"""The one call that makes an app observable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instrumentation.operations import operations
from instrumentation.requests import Requests, Routes
from instrumentation.telemetry import Telemetry, configure
from instrumentation.tracing import trace_requests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI


def instrument(
    app: FastAPI,
    service: str,
    ready: Callable[[], Awaitable[str | None]] | None = None,
    telemetry: Telemetry | None = None,
) -> Telemetry:
    """Make an app observable: traces, metrics by route, the order of each request, ``/healthz /readyz /metrics``.

    To be called once, after the app's own routes and middleware are added: what a middleware added later refuses is
    not counted. ``ready`` says why the service cannot do its work, or None where it can. ``telemetry``: the service's,
    if it has been set up already. What is returned is also ``app.state.telemetry``.
    """
    telemetry = telemetry or configure(service, version=app.version)
    app.include_router(operations(telemetry, ready))
    observe(app, telemetry)
    return telemetry


def observe(app: FastAPI, telemetry: Telemetry) -> None:
    """Trace, count and time the requests of an app that has its own probes and its own ``/metrics``."""
    app.state.telemetry = telemetry
    app.add_middleware(Requests, telemetry=telemetry, routes=Routes(app))
    if telemetry.tracing is not None:
        trace_requests(app, telemetry.tracing.provider)
