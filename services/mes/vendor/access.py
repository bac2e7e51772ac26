"""Every call of the vendor's API: the key that it needs, the time that it takes, and how refusals are said."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader
from pydantic import AfterValidator, AwareDatetime, Field

from instrumentation.problems import ProblemError
from services.mes.vendor.model import Kind

if TYPE_CHECKING:
    from services.mes.vendor.model import VendorRefusal
    from services.mes.vendor.orders import Orders

KEY_HEADER: Final = "X-Api-Key"
KEY: Final = APIKeyHeader(name=KEY_HEADER, auto_error=False, description="The key that the vendor sold.")
LARGEST: Final = 2**63 - 1
LATEST_MS: Final = 253_370_764_800_000  # the year 9999: no later moment can be shown


def _shown(moment: datetime) -> datetime:
    """Return a moment that can be shown in UTC, whatever its own zone. Raises ValueError."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC this moment lies outside of the years 1 to 9999") from error


# Databases refuse NUL in texts.
Reference = Annotated[str, Field(min_length=1, max_length=200, pattern="^[^\x00]+$")]
Moment = Annotated[AwareDatetime, AfterValidator(_shown)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=4)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Code = Annotated[str, Field(min_length=1, max_length=100, pattern="^[^\x00]+$")]
STATUS: Final = {
    Kind.UNKNOWN: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.BAD: HTTPStatus.BAD_REQUEST,
}


@dataclass(frozen=True)
class Front:
    """What answers the vendor's API. ``latency_s``: what each call takes before anything is done."""

    orders: Orders
    key: str
    latency_s: float


def front_of(request: Request) -> Front:
    """Return what answers."""
    front: Front = request.app.state.vendor
    return front


async def slowly(request: Request, given: Annotated[str | None, Depends(KEY)] = None) -> Front:
    """Let callers with the key in, as slowly as the vendor does. Raises ProblemError (401)."""
    front = front_of(request)
    await asyncio.sleep(front.latency_s)
    if not hmac.compare_digest((given or "").encode(), front.key.encode()):
        raise ProblemError(HTTPStatus.UNAUTHORIZED, f"send the vendor's key in the header `{KEY_HEADER}`")
    return front


slowly.access = "vendor key"  # type: ignore[attr-defined] # declares to the guard who is let in


def problem(refusal: VendorRefusal) -> ProblemError:
    """Return a refusal as a problem (RFC 9457)."""
    return ProblemError(STATUS[refusal.kind], str(refusal))
