"""What a piece of work belongs to: a service, a trace, an order; and how that travels on."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from opentelemetry import baggage, propagate, trace
from opentelemetry import context as current
from opentelemetry.trace import format_span_id, format_trace_id

from instrumentation import conventions as names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context

    from instrumentation.telemetry import Telemetry

CURRENT: Final[ContextVar[Telemetry | None]] = ContextVar("telemetry", default=None)
_FIELDS: Final = "_touchstone_fields"


def order_of(context: Context | None = None) -> str | None:
    """Return the order that a context (default: the current one) belongs to, if any."""
    order = baggage.get_baggage(names.ORDER, context)
    return order if isinstance(order, str) and 0 < len(order) <= names.LONGEST_ORDER else None


@contextlib.contextmanager
def order_context(order_id: str) -> Iterator[None]:
    """Say that what runs inside belongs to an order: its spans, its log lines, its calls to other services.

    A request that learns its order only now (it has just placed it) is marked with the first one.
    """
    span = trace.get_current_span()
    if getattr(span, "kind", None) is trace.SpanKind.SERVER and order_of() is None:
        span.set_attribute(names.ORDER, order_id)
    token = current.attach(baggage.set_baggage(names.ORDER, order_id))
    try:
        yield
    finally:
        current.detach(token)


def current_traceparent() -> str | None:
    """Return the W3C traceparent of the current span, to be stored with a message that leaves later; None outside."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{format_trace_id(span.trace_id)}-{format_span_id(span.span_id)}-{span.trace_flags:02x}"


def outgoing_headers() -> dict[str, str]:
    """Return the headers that carry trace and order to another service: traceparent, baggage."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def fields() -> dict[str, str]:
    """Return what a log line says of its context: service, trace, span and order, where there are any."""
    found: dict[str, str] = {}
    telemetry = CURRENT.get()
    if telemetry is not None and telemetry.service:
        found[names.SERVICE] = telemetry.service
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        found[names.TRACE] = format_trace_id(span.trace_id)
        found[names.SPAN] = format_span_id(span.span_id)
    order = order_of()
    if order is not None:
        found[names.ORDER_FIELD] = order
    return found


def remember(error: BaseException) -> None:
    """Note on an error where it was raised, for it is logged when the request's context is gone."""
    with contextlib.suppress(AttributeError):  # an error with slots cannot be marked
        setattr(error, _FIELDS, fields())


def remembered(error: BaseException | None) -> dict[str, str]:
    """Return what was noted on an error."""
    found: dict[str, str] = getattr(error, _FIELDS, {})
    return found
