"""What sets browsers apart from other callers: cookies, requests forged by other sites, pages to come back to."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations

from instrumentation.problems import ProblemError

if TYPE_CHECKING:
    from datetime import timedelta

    from fastapi import Response

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_PAGE: Final = 2_000  # it waits in a cookie while its reader signs in
LONGEST_COOKIE: Final = 3_900  # browsers drop cookies above 4,096 bytes, name and attributes included, and say nothing


def cookie_name(name: str, *, secure: bool) -> str:
    """Return a cookie's full name; with ``__Host-`` no other host of the same domain can set it (RFC 6265bis)."""
    return f"__Host-{name}" if secure else name


def set_cookie(response: Response, name: str, value: str, lifetime: timedelta, *, secure: bool) -> None:
    """Keep a secret in the browser where no script reads it and no other site's form sends it."""
    if len(value) > LONGEST_COOKIE:
        detail = (
            f"the issuer's token is longer than the {LONGEST_COOKIE:,} bytes a cookie holds; have it list fewer claims"
        )
        raise ProblemError(HTTPStatus.BAD_GATEWAY, detail)
    response.set_cookie(
        cookie_name(name, secure=secure),
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response, name: str, *, secure: bool) -> None:
    """Take a cookie back."""
    full = cookie_name(name, secure=secure)
    response.delete_cookie(full, path="/", secure=secure, httponly=True, samesite="lax")


async def same_origin(request: Request) -> None:
    """Refuse a request that changes something unless a page of this very origin sent it (403).

    For endpoints that take a form without a token, such as the one to sign in; with a token in a cookie it is checked
    anyway. Browsers send ``Sec-Fetch-Site``, old ones ``Origin`` only.
    """
    if request.method in SAFE_METHODS:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        # By host and port: behind a proxy that ends TLS the scheme seen here is not the browser's.
        own = origin is not None and origin.partition("://")[2] == request.headers.get("host")
    if not own:
        detail = "this was sent by another site's page; open the page here, and send it from there"
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)


def page_awaited(request: Request) -> bool:
    """Whether a person waits for a page."""
    return "text/html" in request.headers.get("accept", "") and "authorization" not in request.headers


def wants_page(request: Request) -> bool:
    """Whether a person waits for a page, and can be led to another one."""
    return page_awaited(request) and request.method in ("GET", "HEAD")


def page_asked_for(request: Request) -> str:
    """Return path and query of a request, to come back to."""
    return quote(request.scope["path"]) + (f"?{request.url.query}" if request.url.query else "")


def sign_in_address(path: str, back: str) -> str:
    """Return where to sign in, and come back from."""
    return f"{path}?next={quote(back, safe='')}"


def local_page(path: str) -> str:
    """Return a path of this site as it is. Raises ProblemError (400) for whatever a browser takes to another site."""
    # Browsers read a backslash as a slash, and skip tabs and line breaks.
    plain = path.isascii() and path.isprintable() and "\\" not in path and len(path) <= LONGEST_PAGE
    if not plain or not path.startswith("/") or path.startswith("//"):
        detail = (
            f"`next` is no path of this site; begin it with one `/`, encode what is not ASCII, {LONGEST_PAGE} at most"
        )
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    return path
