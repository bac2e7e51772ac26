"""The telemetry of one service: its spans, its metrics, and what its messages carry from publisher to consumer."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from opentelemetry import baggage, trace
from opentelemetry import context as current
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Info, ProcessCollector

from instrumentation import conventions as names
from instrumentation.context import CURRENT
from instrumentation.metrics import RequestMetrics
from instrumentation.tracing import Tracing, tracing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

INSTRUMENTATION: Final = "touchstone"
_W3C: Final = TraceContextTextMapPropagator()
_NO_STATE: Final = trace.TraceState()
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


@dataclass
class Telemetry:
    """Where one service's spans and metrics go. ``tracing`` None: nowhere, and ids are all that is made.

    ``registry`` holds the service's metrics, and takes those that it adds of its own.
    """

    service: str
    version: str
    tracing: Tracing | None = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    ids: IdGenerator = field(default_factory=RandomIdGenerator)

    def __post_init__(self) -> None:
        self._tracer: Tracer | None = None
        if self.tracing is not None:
            self._tracer = self.tracing.provider.get_tracer(INSTRUMENTATION, self.version)
            if self.tracing.delivery is not None:
                self.tracing.delivery.metrics.register(self.registry)
        about = {"service_name": self.service, "service_version": self.version}
        Info(names.TARGET, "What is measured here.", registry=self.registry).info(about)
        ProcessCollector(registry=self.registry)

    @cached_property
    def requests(self) -> RequestMetrics:
        """The metrics of the requests that the service's apps answer."""
        return RequestMetrics(self.registry)

    def span(self, name: str, attributes: Mapping[str, str | int | float | bool] | None = None) -> Entered:
        """Return a context manager that makes what runs inside a span of this service; entering gives the span."""
        return Entered(self, name, SpanKind.INTERNAL, None, attributes)

    def span_of(
        self,
        name: str,
        begin_ns: int,
        end_ns: int,
        attributes: Mapping[str, AttributeValue] | None = None,
        *,
        failed: bool = False,
    ) -> None:
        """Tell of what another process did within the current span, from its times alone (nanoseconds since 1970)."""
        if self._tracer is None:
            return
        span = self._tracer.start_span(name, None, SpanKind.INTERNAL, attributes, start_time=begin_ns)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_ns)

    def consuming(
        self,
        name: str,
        *,
        order: str | None,
        traceparent: str | None,
        system: str = "touchstone",
        destination: str,
        message: str | None = None,
    ) -> Entered:
        """Return a context manager for the handling of one message.

        What runs inside continues the trace of the publisher (``traceparent``, as it stored it) and belongs to the
        order, and to nothing else that the consumer's own loop may belong to. ``message``: its id.
        """
        context = Context()
        if traceparent:
            context = _W3C.extract({"traceparent": traceparent}, context)
        if order:
            context = baggage.set_baggage(names.ORDER, order, context)
        if self._tracer is None:
            return Entered(self, name, SpanKind.CONSUMER, context)
        attributes = {
            names.MESSAGING_SYSTEM: system,
            names.MESSAGING_DESTINATION: destination,
            names.MESSAGING_OPERATION: names.PROCESS,
        }
        if message:
            attributes[names.MESSAGING_MESSAGE] = message
        return Entered(self, name, SpanKind.CONSUMER, context, attributes)

    @contextlib.contextmanager
    def active(self) -> Iterator[Telemetry]:
        """Make this the telemetry of what runs inside, and of the tasks that it starts: their log lines name it."""
        token = CURRENT.set(self)
        try:
            yield self
        finally:
            CURRENT.reset(token)

    def start(
        self,
        name: str,
        kind: SpanKind,
        context: Context | None,
        attributes: Mapping[str, str | int | float | bool] | None = None,
    ) -> Span:
        """Start a span; the caller ends it. Without a backend it has ids only: those of its parent, if it has one.

        Passing the parent on unchanged (what OpenTelemetry's own no-op tracer does) leaves no hole in the trace of
        services that do deliver. A trace that starts here is marked sampled, so as not to decide for them.
        """
        if self._tracer is not None:
            return self._tracer.start_span(name, context, kind, attributes)
        parent = trace.get_current_span(context)
        if parent.get_span_context().is_valid:
            return parent
        identity = (self.ids.generate_trace_id(), self.ids.generate_span_id())
        return NonRecordingSpan(SpanContext(*identity, is_remote=False, trace_flags=_SAMPLED, trace_state=_NO_STATE))

    def shutdown(self) -> None:
        """Deliver the spans that wait, if the backend answers, and stop delivering: for the end of a process.

        Waits for one export at most (2 s unless the environment says otherwise).
        """
        if self.tracing is not None:
            self.tracing.shutdown()


class Entered:
    """A span around what runs inside, in a context of its own (default: the one at entry)."""

    __slots__ = ("_attributes", "_context", "_kind", "_name", "_span", "_telemetry", "_token", "_was")
    _span: Span
    _token: Token[Context]
    _was: Token[Telemetry | None]

    def __init__(
        self,
        telemetry: Telemetry,
        name: str,
        kind: SpanKind,
        context: Context | None,
        attributes: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        self._telemetry, self._name, self._kind = telemetry, name, kind
        self._context, self._attributes = context, attributes

    def __enter__(self) -> Span:
        self._span = self._telemetry.start(self._name, self._kind, self._context, self._attributes)
        self._token = current.attach(trace.set_span_in_context(self._span, self._context))
        self._was = CURRENT.set(self._telemetry)
        return self._span

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _where: TracebackType | None
    ) -> None:
        CURRENT.reset(self._was)
        current.detach(self._token)
        if self._telemetry.tracing is None:
            return
        if isinstance(error, Exception) and self._span.is_recording():
            self._span.record_exception(error)
            self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        self._span.end()


def configure(service: str, *, version: str) -> Telemetry:
    """Return telemetry for a service, as the environment wants it.

    Asked again for the same service and version it delivers through the same queue, with metrics of its own.
    """
    return Telemetry(service, version, tracing_of(service, version))


_NOWHERE: Final = Telemetry("", "")


def span(name: str, attributes: Mapping[str, str | int | float | bool] | None = None) -> Entered:
    """``Telemetry.span`` of the service that is at work here; outside of any, ids only."""
    return (CURRENT.get() or _NOWHERE).span(name, attributes)


def consuming(
    name: str,
    *,
    order: str | None,
    traceparent: str | None,
    system: str = "touchstone",
    destination: str,
    message: str | None = None,
) -> Entered:
    """``Telemetry.consuming`` of the service that is at work here; outside of any, ids only."""
    return (CURRENT.get() or _NOWHERE).consuming(
        name, order=order, traceparent=traceparent, system=system, destination=destination, message=message
    )
