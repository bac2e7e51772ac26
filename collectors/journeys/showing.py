"""``touchstone order ID``: ask the collector for one order's journey, and print it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx

from collectors.journeys.printing import print_journey
from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from rich.console import Console

TIMEOUT_S: Final = 10.0
COLLECTOR: Final = "http://127.0.0.1:8321"


def run_order(
    order: str,
    url: str,
    console: Console,
    *,
    token: str | None = None,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Print an order's journey. Raises BadInput for an unknown order, TouchstoneError where nobody answers."""
    print_journey(fetch_journey(order, url, token=token, transport=transport), console)


def fetch_journey(
    order: str, url: str, *, token: str | None = None, transport: httpx.BaseTransport | None = None
) -> dict[str, Any]:
    """Return the collector's document of an order (``GET /orders/{order}``).

    ``transport`` stands in for the network. Raises BadInput for an unknown order, TouchstoneError where the collector
    does not answer as one.
    """
    if not order.strip():
        raise BadInput("the order's id is empty; name an order")
    if token and not (token.isascii() and token.isprintable()):
        raise BadInput("TOUCHSTONE_TOKEN holds characters that no token has; set it to the collector's token")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S, transport=transport, trust_env=False) as client:
            answer = client.get(f"/orders/{quote(order)}", headers=headers)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise BadInput(f"`{url}` is no address of a collector; write http://HOST:PORT") from error
    except httpx.HTTPError as error:
        raise TouchstoneError(
            f"the collector at {url} does not answer ({type(error).__name__}); start it, or name another"
        ) from error
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        wants = (
            "refuses the token in TOUCHSTONE_TOKEN; set the right one"
            if token
            else "wants its token; set TOUCHSTONE_TOKEN"
        )
        raise BadInput(f"the collector at {url} {wants}")
    if answer.status_code == httpx.codes.NOT_FOUND and _is_a_problem(answer):
        raise BadInput(f"the collector at {url} has heard nothing of the order `{order}`; check its id")
    try:
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        document["events"], document["stages"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise TouchstoneError(
            f"what answers at {url} is no collector (status {answer.status_code}); name the collector's address"
        ) from error
    return document


def _is_a_problem(answer: httpx.Response) -> bool:
    """Whether a collector says so itself, and not a web server that knows no such page."""
    return str(answer.headers.get("content-type", "")).startswith("application/problem+json")
