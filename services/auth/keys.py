"""An issuer's public keys: fixed, or fetched and kept."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
import jwt

from instrumentation.problems import ProblemError
from services.auth.people import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Asymmetric ones only: with HS* a public key would do for signing, and `none` needs no key at all.
ALGORITHMS: Final = ("EdDSA", "ES256", "RS256")
MAX_AGE: Final = timedelta(minutes=10)
# Made-up key ids cost the issuer one request in this time, however many tokens carry them.
PAUSE: Final = timedelta(seconds=10)
TIMEOUT_S: Final = 2.0
LOG: Final = logging.getLogger("touchstone.auth")
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Keys(Protocol):
    """Where a verifier finds the key that a token names."""

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key with this id, None where the issuer has none such."""


class FixedKeys:
    """Keys that were handed over once, as a JSON Web Key Set (RFC 7517)."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        self._keys = usable_keys(jwks)

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key with this id."""
        return self._keys.get(kid)


class Discovery:
    """An issuer's own description of itself (OpenID Connect Discovery 1.0), read once."""

    def __init__(self, issuer: str, client: httpx.AsyncClient) -> None:
        self.issuer = issuer
        self._client = client
        self._document: dict[str, Any] | None = None

    async def endpoint(self, name: str) -> str:
        """Return the address under a name, such as ``token_endpoint``.

        Raises httpx.HTTPError where the issuer does not answer, ValueError where its answer is no such description.
        """
        if self._document is None:
            address = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
            document = await fetched(self._client, address)
            if document.get("issuer") != self.issuer:
                raise ValueError(f"{address} speaks for the issuer {document.get('issuer')!r}, not {self.issuer!r}")
            self._document = document
        found = self._document.get(name)
        if not isinstance(found, str):
            raise ValueError(f"the issuer {self.issuer} names no {name}")  # noqa: TRY004 - its document is wrong
        return found


class FetchedKeys:
    """An issuer's keys, fetched when needed, kept for ``MAX_AGE``, and kept longer while the issuer does not answer."""

    def __init__(
        self,
        issuer: Discovery,
        client: httpx.AsyncClient,
        jwks_url: str | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._issuer, self._client, self._url, self._clock = issuer, client, jwks_url, clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = _NEVER
        self._one_fetch = asyncio.Lock()

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key with this id. Raises ProblemError (503) where the issuer never answered yet."""
        # While one caller asks the issuer, known keys serve the others; who needs an unknown one waits for the answer.
        if not (kid in self._keys and self._one_fetch.locked()):
            async with self._one_fetch:
                if self._wanting(kid):
                    await self._fetch()
        if not self._keys:
            detail = "the issuer of sign-ins does not answer, so no token can be checked; try again in a minute"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "60"})
        return self._keys.get(kid)

    def _wanting(self, kid: str) -> bool:
        moment = self._clock()
        fresh = kid in self._keys and moment - self._fetched < MAX_AGE
        return not fresh and moment - self._tried >= PAUSE

    async def _fetch(self) -> None:
        self._tried = self._clock()
        try:
            url = self._url or await self._issuer.endpoint("jwks_uri")
            keys = usable_keys(await fetched(self._client, url))
        except (httpx.HTTPError, ValueError) as error:
            LOG.warning(
                "the keys of %s cannot be fetched (%s); the %d known ones stay",
                self._issuer.issuer,
                error,
                len(self._keys),
            )
            return
        if not keys:
            LOG.warning("%s has no key for %s; the %d known ones stay", url, ", ".join(ALGORITHMS), len(self._keys))
            return
        self._keys, self._fetched = keys, self._tried


def usable_keys(jwks: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Return the signing keys of a set by their ids, those for other algorithms or purposes left out."""
    listed = jwks.get("keys")
    if not isinstance(listed, list):
        raise ValueError("a key set has `keys`, a list")  # noqa: TRY004 - what came over the wire is wrong
    found = {}
    for described in listed:
        if not isinstance(described, dict) or described.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(described)
        except jwt.PyJWTError:
            continue  # a kind of key that is not known here is none of ours
        if key.algorithm_name in ALGORITHMS and isinstance(key.key_id, str):
            found[key.key_id] = key
    return found


async def fetched(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    """Fetch a JSON object. Raises httpx.HTTPError, or ValueError where it is none."""
    answer = await client.get(address, timeout=TIMEOUT_S)
    answer.raise_for_status()
    document = answer.json()
    if not isinstance(document, dict):
        raise ValueError(f"{address} holds no JSON object")  # noqa: TRY004 - what came over the wire is wrong
    return document
