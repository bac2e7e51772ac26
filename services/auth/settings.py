"""How signing in is configured: environment variables ``TOUCHSTONE_OIDC_...``, and what is built from them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from instrumentation.errors import BadInput
from services.auth.access import Access
from services.auth.keys import Discovery, FetchedKeys
from services.auth.people import now
from services.auth.tokens import StaffVerifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx

    from services.auth.access import CustomerGate


class AuthSettings(BaseSettings):
    """Which issuer's tokens are taken, and as which client this service or command is known there."""

    model_config = SettingsConfigDict(env_prefix="TOUCHSTONE_OIDC_", frozen=True)

    issuer: str | None = Field(default=None, description="The issuer's address, as its tokens name it in `iss`.")
    audience: str = Field(default="touchstone", description="What a token must name in `aud`.")
    client_id: str = "touchstone"
    client_secret: SecretStr | None = None
    jwks_url: str | None = Field(default=None, description="Where the issuer's keys are; asked of the issuer if unset.")
    public_url: str | None = Field(
        default=None, description="Where browsers reach this service; taken from the request if unset."
    )

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies travel over https only."""
        return self.public_url is not None and self.public_url.startswith("https://")

    @property
    def secret(self) -> str | None:
        """The client's secret, None for a public client."""
        return self.client_secret.get_secret_value() if self.client_secret else None


def create_access(
    settings: AuthSettings,
    client: httpx.AsyncClient,
    customer: CustomerGate | None = None,
    customer_sign_in: str | None = None,
    clock: Callable[[], datetime] = now,
) -> Access:
    """Return an app's access. Without an issuer no staff can sign in.

    Raises BadInput where the issuer's address, or that of its keys, could be read or changed on the way.
    """
    verifier = None
    if settings.issuer:
        for name, address in (("ISSUER", settings.issuer), ("JWKS_URL", settings.jwks_url or settings.issuer)):
            _check(name, address)
        keys = FetchedKeys(Discovery(settings.issuer, client), client, settings.jwks_url, clock)
        verifier = StaffVerifier(settings.issuer, settings.audience, keys, clock)
    return Access(verifier, customer, settings.secure_cookies, customer_sign_in=customer_sign_in)


def loopback(host: str | None) -> bool:
    """Whether a host is this machine itself, seen from itself only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _check(name: str, address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback(parts.hostname)):
        raise BadInput(f"TOUCHSTONE_OIDC_{name} is `{address}`; write an https:// address (http:// on loopback only)")
