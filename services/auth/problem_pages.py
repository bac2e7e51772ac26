"""Problems as people see them: a page with one sentence and a way on, where a browser asks; a document for others."""

from __future__ import annotations

import functools
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment

from services.auth.browser import SAFE_METHODS, page_asked_for, page_awaited, sign_in_address
from services.auth.headers import PAGE_HEADERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI, Request

    from services.auth.access import Access

PAGE: Final = Environment(autoescape=True).from_string(
    (Path(__file__).parent / "problem.html").read_text(encoding="utf-8")
)
_OF_THE_DOCUMENT: Final = frozenset({"content-type", "content-length"})


def show_problems(app: FastAPI) -> None:
    """Answer browsers with pages where the app would answer with problem documents.

    Call it after ``instrumentation.problems.install``. Who is kept out is shown where to sign in (as somebody else).
    """
    for kind, answering in list(app.exception_handlers.items()):
        app.exception_handlers[kind] = functools.partial(_shown, answering)


async def _shown(answering: Callable[[Request, Any], Any], request: Request, error: Exception) -> Response:
    answered: Response | Awaitable[Response] = answering(request, error)
    document = answered if isinstance(answered, Response) else await answered
    redirected = "location" in document.headers or document.media_type != "application/problem+json"
    if redirected or not page_awaited(request):
        return document
    problem = orjson.loads(bytes(document.body))
    detail = problem["detail"].replace("`", "")  # round names, for programs
    text = PAGE.render(title=problem["title"], detail=detail, **_ways(request, problem["status"]))
    kept = {name: value for name, value in document.headers.items() if name not in _OF_THE_DOCUMENT}
    return HTMLResponse(text, document.status_code, kept | PAGE_HEADERS)


def _ways(request: Request, status: int) -> dict[str, Any]:
    """Return where a page leads on to: the start, and for who is kept out another sign-in."""
    root = request.scope.get("root_path", "")
    # Known: somebody who has signed in, and is still not let in.
    known = getattr(request.state, "kept_out", None) or getattr(request.state, "person", None)
    access: Access | None = getattr(request.app.state, "access", None)
    kept_out = status == HTTPStatus.UNAUTHORIZED or (status == HTTPStatus.FORBIDDEN and known is not None)
    sign_in = None
    if kept_out and access is not None:
        # What a form would have sent is lost; its address alone shows nothing.
        back = page_asked_for(request) if request.method in SAFE_METHODS else "/"
        sign_in = root + sign_in_address(access.customer_sign_in or access.staff_sign_in, back)
    return {"root": root, "known": known is not None, "sign_in": sign_in}
