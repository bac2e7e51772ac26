"""Decisions over HTTP: the reference period of the stages, and maintenance windows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime  # noqa: TC003 - pydantic reads the annotations
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from collectors.live import decisions
from collectors.live.api import authorize, moment_of, service_of
from collectors.live.model import shown
from collectors.live.signalling.running import NotLeading
from instrumentation.errors import BadInput
from instrumentation.problems import ProblemError, responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collectors.live.decisions import Period

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Path(ge=1, lt=2**63)]

decisions_api = APIRouter(dependencies=[Depends(authorize)], responses=responses(HTTPStatus.UNAUTHORIZED))


class NewPeriod(BaseModel):
    """A period to decide on: from `begin` until `end`, which does not belong to it."""

    begin: AwareDatetime = Field(examples=["2026-01-05T00:00:00Z"])
    end: AwareDatetime = Field(examples=["2026-03-02T00:00:00Z"])
    why: Reason = Field(description="For those who look back.", examples=["the workshop's new shift began"])

    @model_validator(mode="after")
    def _has_length(self) -> NewPeriod:
        if self.end <= self.begin:
            raise ValueError("`end` must lie after `begin`")
        return self


class DecidedPeriod(BaseModel):
    """A period that was decided on."""

    number: int
    decided_at: datetime
    begin: datetime
    end: datetime
    why: str


class ReferencePeriods(BaseModel):
    """The reference periods decided so far, the latest first."""

    in_force: bool = Field(description="Whether stages are judged against the latest one now.")
    periods: list[DecidedPeriod]


class MaintenanceWindows(BaseModel):
    """The maintenance windows declared so far, the earliest first."""

    now: bool = Field(description="Whether it is maintenance now.")
    windows: list[DecidedPeriod]


@decisions_api.get("/reference", summary="The period that stages are judged against")
async def get_reference(request: Request) -> ReferencePeriods:
    """Return all decided reference periods with the reasons given."""
    service = service_of(request)
    async with service.database.reading() as connection:
        found = await decisions.references(connection)
    return ReferencePeriods(in_force=service.signalling.in_force, periods=_told(found))


@decisions_api.post(
    "/reference",
    status_code=HTTPStatus.CREATED,
    summary="Judge stages against another period",
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT),
)
async def post_reference(request: Request, period: NewPeriod) -> ReferencePeriods:
    """Fit a period of the past anew, and judge the stages against it from now on. Takes some seconds.

    What was slow by the old reference may be usual by the new one: alerts of slow stages can end by it. So it is kept
    who decided what, when and why, and nothing else ever moves the reference.
    """
    try:
        await service_of(request).signalling.decide_reference(
            moment_of(period.begin, "begin"), moment_of(period.end, "end"), period.why
        )
    except BadInput as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from error
    except NotLeading as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    return await get_reference(request)


@decisions_api.get("/maintenance", summary="Maintenance windows")
async def get_maintenance(request: Request) -> MaintenanceWindows:
    """Return all maintenance windows."""
    signalling = service_of(request).signalling
    return MaintenanceWindows(now=signalling.in_maintenance(), windows=_told(signalling.windows))


@decisions_api.post(
    "/maintenance",
    status_code=HTTPStatus.CREATED,
    summary="Declare a maintenance window",
    responses=responses(HTTPStatus.BAD_REQUEST),
)
async def post_maintenance(request: Request, period: NewPeriod) -> MaintenanceWindows:
    """Mute alerts from `begin` until `end`, and leave these hours out of the stages' signals for good."""
    begin, end = moment_of(period.begin, "begin"), moment_of(period.end, "end")
    await service_of(request).signalling.declare_maintenance(begin, end, period.why)
    return await get_maintenance(request)


@decisions_api.post(
    "/maintenance/{number}/end", summary="End a maintenance window now", responses=responses(HTTPStatus.NOT_FOUND)
)
async def post_end_of_maintenance(request: Request, number: Number) -> MaintenanceWindows:
    """Let alerts be heard again; the hours until now stay left out of the signals."""
    if not await service_of(request).signalling.end_maintenance(number):
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no window {number} that is not over yet")
    return await get_maintenance(request)


def _told(periods: Iterable[Period]) -> list[DecidedPeriod]:
    moments = ("decided_at", "begin", "end")
    return [
        DecidedPeriod.model_validate(asdict(one) | {name: shown(getattr(one, name)) for name in moments})
        for one in periods
    ]
