"""From a template to an answer; and problems as pages."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from instrumentation.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from fastapi import Request, Response

    from services.contract import Money

    Answering = Callable[[Request], Coroutine[Any, Any, Response]]

NBSP: Final = "\u00a0"
_SYMBOLS: Final = {"EUR": "€", "GBP": "£", "USD": "$"}


def _moment(value: datetime) -> str:
    return f"{value.day}{NBSP}{value:%B}, {value:%H:%M}{NBSP}UTC"


def _day(value: datetime) -> str:
    return f"{value:%A},{NBSP}{value.day}{NBSP}{value:%B}"


def _money(value: Money) -> str:
    plain = value.amount == value.amount.to_integral_value()
    return f"{_SYMBOLS.get(value.currency, value.currency + NBSP)}{value.amount:,.{0 if plain else 2}f}"


def _sentence(detail: str) -> str:
    """Begin a problem's detail as a sentence; the backticks round names are for programs."""
    plain = detail.replace("`", "")
    return plain[:1].upper() + plain[1:]


TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {"sentence": _sentence, "moment": _moment, "day": _day, "money": _money}
_LEFT_OUT: Final[dict[str, Any]] = {"wrong": None, "given": {}}


def page(request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
    """Return a page. It is the customer's own, so no cache keeps it."""
    # Who has passed a gate is known even where the page is about what went wrong behind it.
    of_request = {"path": request.url.path, "person": getattr(request.state, "person", None)}
    text = TEMPLATES.get_template(template).render({**_LEFT_OUT, **of_request, **values})
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})


class PageRoute(APIRoute):
    """A route whose problems are shown as a page, and whose redirections stay what they are."""

    def get_route_handler(self) -> Answering:
        """Return what answers a request."""
        answering = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await answering(request)
            except ProblemError as error:
                if "Location" in (error.headers or {}):
                    raise
                return page(request, "problem.html", error.status, title=error.status.phrase, detail=str(error))
            except RequestValidationError:
                status, detail = HTTPStatus.NOT_FOUND, "there is no such page; look at the address once more"
                return page(request, "problem.html", status, title=status.phrase, detail=detail)

        return handler
