"""Staff sign in with a browser: OpenID Connect's authorization code flow with PKCE (RFC 7636) and state."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlencode

import httpx
import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse

from instrumentation.problems import ProblemError
from services.auth.access import STAFF_COOKIE
from services.auth.browser import clear_cookie, cookie_name, local_page, same_origin, set_cookie
from services.auth.gates import access_of, public
from services.auth.keys import TIMEOUT_S, Discovery
from services.auth.people import new_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.settings import AuthSettings

ATTEMPT_COOKIE: Final = "touchstone_attempt"
ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
LOG: Final = logging.getLogger("touchstone.auth")


def challenge_of(verifier: str) -> str:
    """Return the code challenge of a verifier (RFC 7636, section 4.2, method S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def sign_in_routes(
    settings: AuthSettings, client: httpx.AsyncClient, random: Callable[[], str] = new_secret
) -> APIRouter:
    """Return ``/sign-in``, ``/sign-in/callback`` and ``/sign-out``, for an app that has ``state.access``."""
    flow = _Flow(settings, client, random)
    router = APIRouter(dependencies=[Depends(public)], include_in_schema=False)
    router.add_api_route("/sign-in", flow.begin, summary="Sign in")
    router.add_api_route("/sign-in/callback", flow.finish, summary="Come back from the issuer")
    router.add_api_route(
        "/sign-out",
        sign_out,
        methods=["POST"],
        summary="Sign out",
        dependencies=[Depends(same_origin)],
    )
    return router


async def sign_out(request: Request) -> RedirectResponse:
    """Forget the token in this browser; it stays good until it expires, which only the issuer could change."""
    answer = RedirectResponse(_root(request) + "/", HTTPStatus.SEE_OTHER)
    clear_cookie(answer, STAFF_COOKIE, secure=access_of(request).secure_cookies)
    return answer


class _Flow:
    def __init__(self, settings: AuthSettings, client: httpx.AsyncClient, random: Callable[[], str]) -> None:
        self._settings, self._client, self._random = settings, client, random
        self._issuer = Discovery(settings.issuer, client) if settings.issuer else None

    async def begin(self, request: Request, back: Annotated[str, Query(alias="next")] = "/") -> RedirectResponse:
        """Lead the browser to the issuer, and remember in a cookie what it must bring back."""
        attempt = {"state": self._random(), "verifier": self._random(), "next": local_page(back)}
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri(request),
            "scope": "openid profile",
            "state": attempt["state"],
            "code_challenge": challenge_of(attempt["verifier"]),
            "code_challenge_method": "S256",
        }
        address = await self._endpoint("authorization_endpoint")
        joint = "&" if "?" in address else "?"
        answer = RedirectResponse(f"{address}{joint}{urlencode(asked)}", HTTPStatus.SEE_OTHER)
        packed = base64.urlsafe_b64encode(orjson.dumps(attempt)).decode()
        set_cookie(answer, ATTEMPT_COOKIE, packed, ATTEMPT_LIFETIME, secure=access_of(request).secure_cookies)
        return answer

    async def finish(
        self, request: Request, state: str = "", code: str = "", error: str | None = None
    ) -> RedirectResponse:
        """Change the code for a token, check it, and go back to the page that was asked for."""
        access = access_of(request)
        attempt = _attempt(request, secure=access.secure_cookies)
        if not hmac.compare_digest(attempt["state"].encode(), state.encode()):
            raise ProblemError(HTTPStatus.BAD_REQUEST, "this answers another attempt to sign in; sign in again")
        if error is not None or not code:
            raise ProblemError(HTTPStatus.FORBIDDEN, "the issuer did not sign you in; sign in again or ask it why")
        token, lifetime = await self._token(request, code, attempt["verifier"])
        if access.staff is None:
            raise _unconfigured()
        # A token that the gates would refuse would lead the browser round in circles.
        await access.staff.verify(token)
        answer = RedirectResponse(local_page(attempt["next"]), HTTPStatus.SEE_OTHER)
        set_cookie(answer, STAFF_COOKIE, token, lifetime, secure=access.secure_cookies)
        clear_cookie(answer, ATTEMPT_COOKIE, secure=access.secure_cookies)
        return answer

    async def _token(self, request: Request, code: str, verifier: str) -> tuple[str, timedelta]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri(request),
            "client_id": self._settings.client_id,
            "code_verifier": verifier,
        }
        if self._settings.secret:
            form["client_secret"] = self._settings.secret
        address = await self._endpoint("token_endpoint")
        try:
            answer = await self._client.post(address, data=form, timeout=TIMEOUT_S)
            if answer.is_client_error:
                LOG.warning("the issuer refused a code: %s", answer.text[:500])
                raise ProblemError(HTTPStatus.BAD_REQUEST, "the issuer did not take the code; sign in again")
            answer.raise_for_status()
            given = answer.json()
            return str(given["access_token"]), timedelta(seconds=float(given.get("expires_in", 3_600)))
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            LOG.warning("the issuer's answer to a code cannot be used: %r", error)
            raise _silent() from error

    async def _endpoint(self, name: str) -> str:
        if self._issuer is None:
            raise _unconfigured()
        try:
            return await self._issuer.endpoint(name)
        except (httpx.HTTPError, ValueError) as error:
            LOG.warning("the issuer cannot be used: %s", error)
            raise _silent() from error

    def _redirect_uri(self, request: Request) -> str:
        base = self._settings.public_url or f"{request.url.scheme}://{request.url.netloc}{_root(request)}"
        return base.rstrip("/") + "/sign-in/callback"


def _attempt(request: Request, *, secure: bool) -> dict[str, str]:
    packed = request.cookies.get(cookie_name(ATTEMPT_COOKIE, secure=secure), "")
    try:
        attempt = orjson.loads(base64.urlsafe_b64decode(packed))
        return {name: str(attempt[name]) for name in ("state", "verifier", "next")}
    except (ValueError, KeyError, TypeError) as error:
        detail = "this browser did not begin to sign in here within the last ten minutes; sign in again"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from error


def _root(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root


def _unconfigured() -> ProblemError:
    detail = "staff cannot sign in here: no issuer is configured (TOUCHSTONE_OIDC_ISSUER)"
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail)


def _silent() -> ProblemError:
    return ProblemError(HTTPStatus.BAD_GATEWAY, "the issuer of sign-ins does not answer as it should; try again later")
