"""Staff by JWT (RFC 7519): who signed it, for whom, until when."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import jwt

from instrumentation.problems import ProblemError
from services.auth.keys import ALGORITHMS
from services.auth.people import Person, Role, now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from services.auth.keys import Keys

LEEWAY: Final = timedelta(seconds=30)  # clocks of two machines differ
REQUIRED: Final = ("exp", "iss", "aud", "sub")
# Times are compared below, by a clock that is handed in.
_OPTIONS: Final[Any] = {"require": REQUIRED, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
_ROLES: Final = frozenset(Role)


class StaffVerifier:
    """Says who a token speaks for, or refuses it."""

    def __init__(self, issuer: str, audience: str, keys: Keys, clock: Callable[[], datetime] = now) -> None:
        self.issuer, self.audience = issuer, audience
        self._keys, self._clock = keys, clock

    async def verify(self, token: str) -> Person:
        """Return who a token speaks for.

        Raises ProblemError: 401 where the token is none that is taken, 503 where the issuer's keys are not to be had.
        """
        key = await self._keys.find(_key_id(token))
        if key is None:
            raise refused("the token is signed with a key that its issuer does not publish; sign in again")
        try:
            claims = jwt.decode(token, key, list(ALGORITHMS), _OPTIONS, audience=self.audience, issuer=self.issuer)
        except jwt.InvalidAudienceError as error:
            raise refused(f"the token is not for `{self.audience}`; ask its issuer for one that is") from error
        except jwt.InvalidIssuerError as error:
            raise refused(f"the token is not from {self.issuer}, the only issuer taken here") from error
        except jwt.MissingRequiredClaimError as error:
            raise refused(f"the token has no `{error.claim}`; it needs {', '.join(REQUIRED)}") from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise refused("the token's signature or form is wrong; sign in again") from error
        self._check_times(claims)
        return _person(claims)

    def _check_times(self, claims: dict[str, Any]) -> None:
        moment, leeway = self._clock().timestamp(), LEEWAY.total_seconds()
        if not moment < _seconds(claims, "exp") + leeway:
            raise refused("the token has expired; sign in again")
        if "nbf" in claims and not moment >= _seconds(claims, "nbf") - leeway:
            raise refused("the token is not valid yet; compare the clocks of this machine and of the issuer")


def refused(detail: str) -> ProblemError:
    """Return the answer to a token that is not taken (RFC 6750, section 3.1)."""
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _key_id(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise refused("this is no token; sign in, and send the one that you get") from error
    if header.get("alg") not in ALGORITHMS:
        raise refused(f"the token is not signed with one of {', '.join(ALGORITHMS)}; no other is taken")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise refused("the token does not name its key (`kid`); its issuer must")
    return kid


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    # A comparison with NaN is false, and refuses the token above.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(f"the token's `{name}` is no number of seconds")
    return value


def _person(claims: dict[str, Any]) -> Person:
    subject, listed = claims["sub"], claims.get("roles", [])
    if not subject:
        raise refused("the token's `sub` is empty; it says who has signed in")
    roles = (
        frozenset(Role(role) for role in listed if isinstance(role, str) and role in _ROLES)
        if isinstance(listed, list)
        else frozenset()
    )
    name = claims.get("name") or claims.get("preferred_username") or subject
    return Person(subject, str(name), roles, "service" if Role.SERVICE in roles else "staff")
