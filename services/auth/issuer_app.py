"""The demo issuer over HTTP: as much of OpenID Connect as the sign-in pages and machine clients use."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment

from instrumentation import FASTAPI_TELEMETRY, problems
from instrumentation.problems import ProblemError
from services.auth.browser import same_origin
from services.auth.gates import public
from services.auth.guard import guard
from services.auth.issuer import GrantRefused, is_redirect
from services.auth.settings import loopback

if TYPE_CHECKING:
    from services.auth.issuer import DemoIssuer

PAGE: Final = Environment(autoescape=True).from_string(
    (Path(__file__).parent / "issuer.html").read_text(encoding="utf-8")
)
# The page is not to be shown inside another's, where a click could be stolen; nor may it load anything.
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_TOKEN_HEADERS: Final = {"Cache-Control": "no-store"}


def create_issuer_app(issuer: DemoIssuer) -> FastAPI:
    """Return the issuer's app. Bind it to ``issuer.url``; requests from other machines are refused in any case."""
    app = FastAPI(
        title="Touchstone demo issuer",
        summary="Signs in the demo's people without a password. For demonstration on one machine only.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry=FASTAPI_TELEMETRY,
    )
    problems.install(app)
    app.include_router(issuer_routes(issuer))
    guard(app)
    return app


def issuer_routes(issuer: DemoIssuer) -> APIRouter:
    """Return the issuer's endpoints."""
    pages = _Pages(issuer)
    router = APIRouter(dependencies=[Depends(public), Depends(_here_only)], include_in_schema=False)
    router.add_api_route("/.well-known/openid-configuration", pages.description)
    router.add_api_route("/jwks.json", pages.keys)
    router.add_api_route("/authorize", pages.choose)
    router.add_api_route("/authorize", pages.chosen, methods=["POST"], dependencies=[Depends(same_origin)])
    router.add_api_route("/token", pages.token, methods=["POST"])
    return router


async def _here_only(request: Request) -> None:
    # The host that the browser named as well: another site's name can be made to point at this machine.
    if not (request.client and loopback(request.client.host) and loopback(request.url.hostname)):
        detail = "the demo issuer answers this machine only; configure a real issuer (TOUCHSTONE_OIDC_ISSUER)"
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)


class _Pages:
    def __init__(self, issuer: DemoIssuer) -> None:
        self._issuer = issuer

    async def description(self) -> dict[str, Any]:
        """Describe the issuer (OpenID Connect Discovery 1.0)."""
        url = self._issuer.url
        return {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/jwks.json",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "code_challenge_methods_supported": ["S256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
        }

    async def keys(self) -> dict[str, Any]:
        """Publish the key (RFC 7517)."""
        return self._issuer.jwks

    async def choose(
        self,
        response_type: Annotated[str, Query()] = "",
        client_id: Annotated[str, Query()] = "",
        redirect_uri: Annotated[str, Query()] = "",
        state: Annotated[str, Query()] = "",
        code_challenge: Annotated[str, Query()] = "",
        code_challenge_method: Annotated[str, Query()] = "",
    ) -> HTMLResponse:
        """Ask the person at the browser whom to be."""
        if response_type != "code" or code_challenge_method != "S256":
            detail = "the demo issuer takes `response_type=code` with `code_challenge_method=S256` only"
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
        self._check(client_id, redirect_uri, code_challenge)
        fields = {
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": code_challenge,
        }
        text = PAGE.render(people=self._issuer.people.values(), fields=fields)
        return HTMLResponse(text, headers=_PAGE_HEADERS)

    async def chosen(
        self,
        subject: Annotated[str, Form()] = "",
        client_id: Annotated[str, Form()] = "",
        redirect_uri: Annotated[str, Form()] = "",
        state: Annotated[str, Form()] = "",
        code_challenge: Annotated[str, Form()] = "",
    ) -> RedirectResponse:
        """Send the browser back with a code."""
        self._check(client_id, redirect_uri, code_challenge)
        person = self._issuer.people.get(subject)
        if person is None:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, f"the demo has nobody called `{subject}`; choose one of the page"
            )
        try:
            code = self._issuer.code(person, redirect_uri, code_challenge)
        except GrantRefused as error:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        query = urlencode({"code": code, "state": state})
        return RedirectResponse(f"{redirect_uri}?{query}", HTTPStatus.SEE_OTHER)

    async def token(
        self,
        grant_type: Annotated[str, Form()] = "",
        code: Annotated[str, Form()] = "",
        redirect_uri: Annotated[str, Form()] = "",
        code_verifier: Annotated[str, Form()] = "",
        client_id: Annotated[str, Form()] = "",
        client_secret: Annotated[str, Form()] = "",
    ) -> JSONResponse:
        """Change a code, or a machine client's secret, for a token (RFC 6749, sections 4.1.3 and 4.4)."""
        try:
            if grant_type == "client_credentials":
                token, lifetime = self._issuer.admit_machine(client_id, client_secret)
            elif grant_type == "authorization_code" and client_id == self._issuer.web_client:
                token, lifetime = self._issuer.redeem(code, redirect_uri, code_verifier)
            elif grant_type == "authorization_code":
                raise GrantRefused("invalid_client", f"the web client is called `{self._issuer.web_client}`")  # noqa: TRY301
            else:
                raise GrantRefused("unsupported_grant_type", "send authorization_code or client_credentials")  # noqa: TRY301
        except GrantRefused as error:
            status = HTTPStatus.UNAUTHORIZED if error.code == "invalid_client" else HTTPStatus.BAD_REQUEST
            body = {"error": error.code, "error_description": str(error)}
            return JSONResponse(body, status, _TOKEN_HEADERS)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": int(lifetime.total_seconds())}
        return JSONResponse(answer, headers=_TOKEN_HEADERS)

    def _check(self, client_id: str, redirect_uri: str, challenge: str) -> None:
        if client_id != self._issuer.web_client:
            detail = (
                f"the demo issuer's web client is called `{self._issuer.web_client}`; set TOUCHSTONE_OIDC_CLIENT_ID"
            )
        elif not is_redirect(redirect_uri):
            detail = "`redirect_uri` is no sign-in page of this machine; the demo issuer sends browsers to no other"
        elif len(challenge) != len(_SOME_CHALLENGE) or not challenge.isascii():
            detail = "`code_challenge` is no SHA-256 in base64 (RFC 7636)"
        else:
            return
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)


_SOME_CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636, appendix B
