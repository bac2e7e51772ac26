"""Who can sign in and as whom; where time and chance come from unless they are handed in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal


class Role(StrEnum):
    """What a member of staff, or a machine, may be let in as."""

    SALES = "sales"
    OPERATOR = "operator"
    SRE = "sre"
    EXECUTIVE = "executive"
    SERVICE = "service"


STAFF: Final = (Role.SALES, Role.OPERATOR, Role.SRE, Role.EXECUTIVE)


@dataclass(frozen=True)
class Person:
    """Somebody who has signed in. ``subject`` is the issuer's or the account's id, and never changes."""

    subject: str
    name: str
    roles: frozenset[Role] = frozenset()
    kind: Literal["staff", "customer", "service"] = "staff"


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def new_secret() -> str:
    """Return 256 bits that nobody guesses, as text that may stand in an address."""
    return secrets.token_urlsafe(32)
