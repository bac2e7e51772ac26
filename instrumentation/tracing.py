"""The tracer provider of each service, as the standard environment variables want it; none where they name no backend.

Nothing here is set globally: several services may live in one process, and each keeps its own name.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Final

from opentelemetry import context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from instrumentation import conventions as names
from instrumentation.context import order_of
from instrumentation.delivery import Delivery, Queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span
    from opentelemetry.sdk.trace.export import SpanExporter
    from starlette.types import ASGIApp, Receive, Scope, Send

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
TIMEOUT_S: Final = 2.0  # the standard's 10 s would hold up a stop

_delivering: dict[tuple[str, str], Tracing] = {}
_captures: list[SpanExporter] = []  # of tests, the innermost last


class OrderOnSpans(SpanProcessor):
    """Marks each span with the order that its context belongs to."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Mark a span."""
        order = order_of(parent_context)
        if order is not None:
            span.set_attribute(names.ORDER, order)


class Tracing:
    """A tracer provider and how its spans leave. ``delivery`` is None where a test keeps them."""

    def __init__(self, service: str, version: str, last: SpanProcessor, delivery: Delivery | None = None) -> None:
        resource = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version})
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=delivery is not None)
        self.delivery = delivery
        self.provider.add_span_processor(OrderOnSpans())
        self.provider.add_span_processor(last)

    def shutdown(self) -> None:
        """Deliver what waits, if the backend answers, and stop. The process's end does it too."""
        for key in [key for key, tracing in _delivering.items() if tracing is self]:
            del _delivering[key]
        self.provider.shutdown()


def tracing_of(service: str, version: str) -> Tracing | None:
    """Return a service's tracing, always the same for the same service; None where no backend is configured."""
    if _captures:
        return Tracing(service, version, SimpleSpanProcessor(_captures[-1]))
    if not _wanted():
        return None
    key = (service, version)
    if key not in _delivering:
        _delivering[key] = _to_backend(service, version)
    return _delivering[key]


def _wanted() -> bool:
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(os.environ.get(name) for name in ENDPOINTS)


def _to_backend(service: str, version: str) -> Tracing:
    # The exporter alone takes a tenth of a second to import: only those who deliver pay for it.
    from opentelemetry.exporter.otlp.proto.http import trace_exporter

    # It would log every batch that fails; Delivery says it once.
    logging.getLogger(trace_exporter.__name__).setLevel(logging.CRITICAL)
    timeout = None if any(os.environ.get(name) for name in TIMEOUTS) else TIMEOUT_S
    delivery = Delivery(trace_exporter.OTLPSpanExporter(timeout=timeout))
    return Tracing(service, version, Queue(delivery), delivery)


@contextlib.contextmanager
def captured_by(exporter: SpanExporter) -> Iterator[None]:
    """Give the spans of all services that are set up inside to an exporter, whatever the environment says."""
    _captures.append(exporter)
    try:
        yield
    finally:
        _captures.remove(exporter)


def trace_requests(app: FastAPI, provider: TracerProvider) -> None:
    """Make each request a span of the provider, named by its route's template."""
    # Read once in a process by OpenTelemetry's packages: the stable attribute names instead of the ones before 1.23.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from starlette.background import BackgroundTask

    unpatched = BackgroundTask.__call__
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, excluded_urls=names.PROBE_URLS, exclude_spans=["receive", "send"]
    )
    # It patches background tasks for the whole process, with the tracer of whichever app came first.
    BackgroundTask.__call__ = unpatched  # type: ignore[method-assign]
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Apart(build())  # type: ignore[method-assign]


class Apart:
    """ASGI middleware, the outermost: each request begins with an empty context, and knows what its headers say.

    A server that has paused reading a large body resumes it in the context of that request; whatever comes next on the
    connection would be taken for a part of it, of its trace and its order.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        token = context.attach(context.Context())
        try:
            await self._app(scope, receive, send)
        finally:
            context.detach(token)
