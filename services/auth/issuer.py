"""The built-in issuer, for the demo only: whoever reaches it may be anybody, so nobody else's machine may reach it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import jwt

from instrumentation.errors import BadInput
from services.auth.people import Person, Role, new_secret, now
from services.auth.settings import loopback
from services.auth.sign_in import challenge_of
from services.auth.signing_key import kept_key, new_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

CODE_LIFETIME: Final = timedelta(seconds=60)
DAY_OF_WORK: Final = timedelta(hours=10)
MACHINE_LIFETIME: Final = timedelta(minutes=10)
MOST_CODES: Final = 1_000


def _staff(subject: str, name: str, role: Role) -> Person:
    return Person(subject, name, frozenset({role}))


DEMO_PEOPLE: Final = (
    _staff("sofia", "Sofia Marin", Role.SALES),
    _staff("tomas", "Tomas Berg", Role.SALES),
    _staff("mara", "Mara Lindt", Role.OPERATOR),
    _staff("jonas", "Jonas Feld", Role.OPERATOR),
    _staff("ines", "Ines Costa", Role.OPERATOR),
    _staff("pavel", "Pavel Novak", Role.OPERATOR),
    _staff("riku", "Riku Aalto", Role.SRE),
    _staff("elena", "Elena Voss", Role.EXECUTIVE),
)


class GrantRefused(Exception):
    """No token for this: an error code of RFC 6749, section 5.2, and one sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class _Code:
    person: Person
    redirect_uri: str
    challenge: str
    until: datetime


class DemoIssuer:
    """Signs tokens for the demo's people and machines."""

    def __init__(  # noqa: PLR0913 - everything that a demo or a test may want to set
        self,
        url: str = "http://127.0.0.1:8404",
        *,
        people: Sequence[Person] = DEMO_PEOPLE,
        machines: Mapping[str, str] | None = None,
        audience: str = "touchstone",
        web_client: str = "touchstone",
        key_file: Path | None = None,
        clock: Callable[[], datetime] = now,
        random: Callable[[], str] = new_secret,
    ) -> None:
        """Prepare an issuer at ``url``; ``machines`` maps the ids of machine clients to their secrets.

        Raises BadInput where the URL is not on loopback, a secret is empty, or the key file cannot be used.
        """
        refuse_beyond_loopback(urlsplit(url).hostname)
        if not all((machines or {}).values()):
            raise BadInput("a machine client of the demo issuer has an empty secret; set one")
        self.url, self.audience, self.web_client = url, audience, web_client
        self.people = {person.subject: person for person in people}
        self._machines = dict(machines or {})
        self._key = kept_key(key_file) if key_file else new_key()
        self._clock, self._random = clock, random
        self._codes: dict[str, _Code] = {}

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key, as a JSON Web Key Set."""
        return {"keys": [self._key.public]}

    def issue(self, person: Person, audience: str | None = None, lifetime: timedelta = DAY_OF_WORK) -> str:
        """Return a token that speaks for a person."""
        moment = self._clock()
        claims = {
            "iss": self.url,
            "aud": audience or self.audience,
            "sub": person.subject,
            "name": person.name,
            "roles": sorted(person.roles),
            "iat": int(moment.timestamp()),
            "nbf": int(moment.timestamp()),
            "exp": int((moment + lifetime).timestamp()),
            "jti": self._random(),
        }
        return jwt.encode(claims, self._key.private, "EdDSA", {"kid": self._key.kid, "typ": "at+jwt"})

    def code(self, person: Person, redirect_uri: str, challenge: str) -> str:
        """Return a code that can be changed for the person's token, once and soon."""
        moment = self._clock()
        self._codes = {code: kept for code, kept in self._codes.items() if kept.until > moment}
        if len(self._codes) >= MOST_CODES:
            raise GrantRefused("temporarily_unavailable", "too many codes wait to be used; try again in a minute")
        code = self._random()
        self._codes[code] = _Code(person, redirect_uri, challenge, moment + CODE_LIFETIME)
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str) -> tuple[str, timedelta]:
        """Return a code's token and its lifetime. Raises GrantRefused; whatever comes of it, the code is used up."""
        kept = self._codes.pop(code, None)
        if kept is None or kept.until <= self._clock():
            raise GrantRefused("invalid_grant", "the code is unknown, used, or older than a minute")
        if kept.redirect_uri != redirect_uri:
            raise GrantRefused("invalid_grant", "the code was given for another redirect_uri")
        if not hmac.compare_digest(challenge_of(verifier), kept.challenge):
            raise GrantRefused("invalid_grant", "code_verifier does not match the code_challenge (PKCE)")
        return self.issue(kept.person), DAY_OF_WORK

    def admit_machine(self, client_id: str, secret: str) -> tuple[str, timedelta]:
        """Return a token of the role service and its lifetime. Raises GrantRefused."""
        expected = self._machines.get(client_id)
        if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
            raise GrantRefused("invalid_client", "no client has this id and secret")
        machine = Person(client_id, client_id, frozenset({Role.SERVICE}), "service")
        return self.issue(machine, lifetime=MACHINE_LIFETIME), MACHINE_LIFETIME


def refuse_beyond_loopback(host: str | None) -> None:
    """Raise BadInput unless only this machine reaches the host. Whoever binds the demo issuer calls it first."""
    if not loopback(host):
        raise BadInput(
            f"the demo issuer lets everybody sign in as anybody, so it is not bound to `{host}`; "
            "bind 127.0.0.1, or set TOUCHSTONE_OIDC_ISSUER to a real issuer"
        )


def is_redirect(address: str) -> bool:
    """Whether the demo issuer may send a browser to an address: to this machine's sign-in pages only."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    known = parts.scheme in ("http", "https") and loopback(parts.hostname) and parts.path.endswith("/sign-in/callback")
    return known and not parts.query and not parts.fragment and parts.username is None
