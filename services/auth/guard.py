"""Deny by default: a route that does not declare who may call it is refused, whatever it does."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Match, Mount

from instrumentation.problems import answer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from fastapi import FastAPI, Response
    from fastapi.dependencies.models import Dependant
    from starlette.types import ASGIApp, Receive, Scope, Send

LOG: Final = logging.getLogger("touchstone.auth")


def guard(app: FastAPI, open_paths: Collection[str] = ()) -> None:
    """Refuse (403) every route of an app that declares no access.

    A route declares it by a gate among its dependencies (``require``, ``customers``, ``public``, ``visitor``), or by
    an attribute ``access`` of its endpoint. ``open_paths`` declares public what can do neither: mounts of files and
    ``/openapi.json``. A mounted app counts as declared if it is guarded itself. Call it once, before the app serves.
    """
    app.state.open_paths = frozenset(open_paths)
    app.add_middleware(_Guard, guarded=app)


def undeclared(app: FastAPI) -> list[str]:
    """Return the routes of an app that declare no access, as ``GET /path``; a service's test asserts it is empty."""
    return [_shown(route) for route in _routes(app) if not _declared(app, route)]


class _Guard:
    def __init__(self, app: ASGIApp, guarded: FastAPI) -> None:
        self._app, self._guarded = app, guarded
        self._counted = -1
        self._suspect = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not self._refuses(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refusal()(scope, receive, send)

    def _refuses(self, scope: Scope) -> bool:
        # An app without undeclared routes, as every one should be, pays one comparison a request.
        if self._counted != len(self._guarded.routes):
            self._counted = len(self._guarded.routes)
            missing = undeclared(self._guarded)
            self._suspect = bool(missing)
            if missing:
                LOG.error("refused, because they do not declare who may call them: %s", ", ".join(missing))
        if not self._suspect:
            return False
        for route in _routes(self._guarded):
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return not _declared(self._guarded, route)
        return False


def _refusal() -> Response:
    detail = "this address does not declare who may call it, so nobody may; tell whoever runs the service"
    return answer(HTTPStatus.FORBIDDEN, detail)


def _routes(app: FastAPI) -> Iterator[RouteContext]:
    yield from iter_route_contexts(app.routes)
    # What app.frontend() serves is kept apart, and nothing public lists it.
    for route in app.router._iter_low_priority_routes():  # noqa: SLF001
        yield RouteContext(route)  # type: ignore[arg-type] # a context of a nested router answers as a route does


def _declared(app: FastAPI, route: RouteContext) -> bool:
    if getattr(route.endpoint, "access", None):
        return True
    dependant: Dependant | None = getattr(route, "dependant", None)
    if dependant is not None and any(getattr(call, "access", None) for call in _calls(dependant)):
        return True
    if route.path in getattr(app.state, "open_paths", ()):
        return True
    mounted: Any = getattr(route.original_route, "app", None) if isinstance(route.original_route, Mount) else None
    return hasattr(getattr(mounted, "state", None), "open_paths")


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)


def _shown(route: RouteContext) -> str:
    methods = ",".join(sorted(route.methods or ())) or type(route.original_route).__name__.upper()
    return f"{methods} {route.path or '/'}"
