"""How a service or a command signs in: OAuth 2.0 client credentials (RFC 6749, section 4.4)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx

from instrumentation.errors import TouchstoneError
from services.auth.keys import TIMEOUT_S, Discovery
from services.auth.people import now

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from services.auth.settings import AuthSettings

# A token that ends while the request travels is refused: ask for the next one a little early.
EARLY: Final = timedelta(seconds=30)


class SignInFailed(TouchstoneError):
    """The issuer gave no token."""


class ServiceToken(httpx.Auth):
    """A token of the role ``service``, asked for when needed and kept until shortly before it expires.

    Use it as ``client.get(url, auth=token)``, or read it with ``await token.bearer()``.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: str,
        client: httpx.AsyncClient,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._issuer = Discovery(issuer, client)
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self._client, self._clock = client, clock
        self._token, self._until = "", datetime.min.replace(tzinfo=UTC)
        self._one_asks = asyncio.Lock()

    async def bearer(self) -> str:
        """Return a token that is still good. Raises SignInFailed where the issuer gives none."""
        async with self._one_asks:
            if self._clock() >= self._until:
                await self._ask()
            return self._token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the token with a request."""
        request.headers["Authorization"] = f"Bearer {await self.bearer()}"
        yield request

    async def _ask(self) -> None:
        asked = self._clock()
        try:
            address = await self._issuer.endpoint("token_endpoint")
            answer = await self._client.post(address, data=self._form, timeout=TIMEOUT_S)
            given: dict[str, Any] = answer.json()
            answer.raise_for_status()
            self._token, lifetime = str(given["access_token"]), timedelta(seconds=float(given["expires_in"]))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            client_id = self._form["client_id"]
            raise SignInFailed(
                f"{self._issuer.issuer}: no token for the client `{client_id}` ({error}); check its id and secret"
            ) from error
        self._until = asked + lifetime - EARLY


def command_token(settings: AuthSettings) -> str | None:
    """Return a token for a command of the command line, None where no client's secret is configured.

    Raises SignInFailed where the issuer gives none.
    """
    issuer, secret = settings.issuer, settings.secret
    if issuer is None or secret is None:
        return None

    async def ask() -> str:
        async with httpx.AsyncClient() as client:
            return await ServiceToken(issuer, settings.client_id, secret, client).bearer()

    return asyncio.run(ask())
