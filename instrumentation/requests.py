"""Each request in its context (service, trace, order), counted and timed by its route's template."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fastapi.routing import iter_route_contexts
from opentelemetry import baggage, propagate, trace
from opentelemetry import context as current
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, format_trace_id
from starlette.routing import Match

from instrumentation import conventions as names
from instrumentation.context import CURRENT, remember

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from instrumentation.telemetry import Telemetry


@dataclass(frozen=True)
class Known:
    """A route of the app. A path that does not begin with ``prefix`` (the template's literal part) is not its."""

    matches: Callable[[Scope], tuple[Match, Scope]]
    template: str
    prefix: str


class Routes:
    """Finds the route of a request before the app does. Routes that are added after the first request are not seen."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def find(self, scope: Scope) -> tuple[str, str | None]:
        """Return the template of a request's route (or "unmatched") and the order that its path names, if any."""
        nearest, path = names.UNMATCHED, scope["path"]
        for route in self._known:
            if not path.startswith(route.prefix) and not scope.get("root_path"):
                continue  # a tenth of what it costs to ask the route itself
            match, found = route.matches(scope)
            if match is Match.FULL:
                return route.template, _order_in(found.get("path_params", {}))
            if match is Match.PARTIAL and nearest == names.UNMATCHED:
                nearest = route.template
        return nearest, None

    @cached_property
    def _known(self) -> list[Known]:
        known = []
        for route in iter_route_contexts(self._app.routes):
            template = route.path_format or route.path
            prefix = template.split("{")[0] if template else ""
            known.append(Known(route.matches, template or names.UNMATCHED, prefix))
        return known


def _order_in(parameters: dict[str, Any]) -> str | None:
    for name in names.ORDER_PARAMETERS:
        order = str(parameters.get(name, ""))
        if 0 < len(order) <= names.LONGEST_ORDER:
            return order
    return None


class Requests:
    """ASGI middleware: the context of each request, and its metrics. Probes pass through uncounted."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, routes: Routes) -> None:
        self._app, self._telemetry, self._routes = app, telemetry, routes
        self._metrics = telemetry.requests
        self._carriers = {name.encode(): name for name in propagate.get_global_textmap().fields}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route, order = self._routes.find(scope)
        if route in names.PROBES:
            await self._app(scope, receive, send)
            return
        token, was = current.attach(self._context(scope, order)), CURRENT.set(self._telemetry)
        try:
            await self._counted(route, scope, receive, send)
        finally:
            CURRENT.reset(was)
            current.detach(token)

    async def _counted(self, route: str, scope: Scope, receive: Receive, send: Send) -> None:
        started, trace_id = perf_counter(), _traced()
        status = 500  # what the app's outermost layer answers where nothing else was

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.begun(scope["method"])
        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            remember(error)
            raise
        finally:
            self._metrics.ended(scope["method"], route, status, perf_counter() - started, trace_id)

    def _context(self, scope: Scope, order: str | None) -> Context:
        context = current.get_current() if self._telemetry.tracing else self._come_with(scope)
        if order is None:
            return context
        if self._telemetry.tracing:
            trace.get_current_span().set_attribute(names.ORDER, order)
        return baggage.set_baggage(names.ORDER, order, context)

    def _come_with(self, scope: Scope) -> Context:
        """Return the context that a request brings along, as OpenTelemetry's middleware does where there are spans."""
        carried = {
            self._carriers[key]: value.decode("latin-1") for key, value in scope["headers"] if key in self._carriers
        }
        context = propagate.extract(carried, Context()) if carried else Context()
        return trace.set_span_in_context(self._telemetry.start("", SpanKind.SERVER, context), context)


def _traced() -> str | None:
    """Return the id of the current trace if it is kept: an exemplar must lead somewhere."""
    span = trace.get_current_span()
    identity = span.get_span_context()
    return format_trace_id(identity.trace_id) if span.is_recording() and identity.trace_flags.sampled else None
