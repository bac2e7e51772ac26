"""Decisions over HTTP: the reference period of the stages, and maintenance windows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime  # noqa: TC003 - pydantic reads the annotations
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

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


class NewWindow(NewPeriod):
    """A maintenance window to declare."""

    past: bool = Field(default=False, description="Whether it is meant that it begins more than a day back.")


class Withdrawal(BaseModel):
    """Why a maintenance window is withdrawn."""

    why: Reason = Field(description="For those who look back.", examples=["declared for the wrong month"])


class DecidedPeriod(BaseModel):
    """A period that was decided on."""

    number: int
    decided_at: datetime
    begin: datetime
    end: datetime
    why: str


class DeclaredWindow(DecidedPeriod):
    """A maintenance window that was declared. One that was withdrawn is as if it had never been."""

    withdrawn_at: datetime | None
    withdrawn_why: str | None


class ReferencePeriods(BaseModel):
    """The reference periods decided so far, the latest first."""

    in_force: bool = Field(description="Whether stages are judged against the latest one now.")
    periods: list[DecidedPeriod]


class MaintenanceWindows(BaseModel):
    """The maintenance windows declared so far, the earliest first."""

    now: bool = Field(description="Whether it is maintenance now.")
    windows: list[DeclaredWindow]


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
    windows = [DeclaredWindow.model_validate(_shown(window)) for window in signalling.windows]
    return MaintenanceWindows(now=signalling.in_maintenance(), windows=windows)


@decisions_api.post(
    "/maintenance",
    status_code=HTTPStatus.CREATED,
    summary="Declare a maintenance window",
    responses=responses(HTTPStatus.BAD_REQUEST),
)
async def post_maintenance(request: Request, window: NewWindow) -> MaintenanceWindows:
    """Mute alerts from `begin` until `end`, seven days at most, and leave these hours out of the signals for good.

    What takes longer is declared as several windows, one after the other.
    """
    begin, end = moment_of(window.begin, "begin"), moment_of(window.end, "end")
    try:
        await service_of(request).signalling.declare_maintenance(begin, end, window.why, past=window.past)
    except BadInput as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from error
    return await get_maintenance(request)


@decisions_api.post(
    "/maintenance/{number}/end", summary="End a maintenance window now", responses=responses(HTTPStatus.NOT_FOUND)
)
async def post_end_of_maintenance(request: Request, number: Number) -> MaintenanceWindows:
    """Let alerts be heard again; the hours until now stay left out of the signals."""
    if not await service_of(request).signalling.end_maintenance(number):
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no window {number} that is not over yet")
    return await get_maintenance(request)


@decisions_api.post(
    "/maintenance/{number}/withdraw",
    summary="Withdraw a maintenance window",
    responses=responses(HTTPStatus.NOT_FOUND),
)
async def post_withdrawal_of_maintenance(
    request: Request, number: Number, withdrawal: Withdrawal
) -> MaintenanceWindows:
    """Take a window back that was declared by mistake: all of its hours count again, and it mutes nothing any more.

    It stays in the list, with the reason.
    """
    if not await service_of(request).signalling.withdraw_maintenance(number, withdrawal.why):
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no window {number} that was not withdrawn yet")
    return await get_maintenance(request)


def _told(periods: Iterable[Period]) -> list[DecidedPeriod]:
    return [DecidedPeriod.model_validate(_shown(one)) for one in periods]


def _shown(period: Period) -> dict[str, Any]:
    """Return a period with its moments in words."""
    said = asdict(period)
    moments = {
        name: said[name] for name in ("decided_at", "begin", "end", "withdrawn_at") if said.get(name) is not None
    }
    return said | {name: shown(moment) for name, moment in moments.items()}
