"""What the HTTP answers of workshop and adapter look like: the schemas of the OpenAPI document."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated

from pydantic import BaseModel, Field

from services.contract import Status  # noqa: TC001 - pydantic reads the annotations
from services.mes.model import CallKind  # noqa: TC001
from services.mes.vendor.model import Step  # noqa: TC001

# Databases refuse NUL in texts.
Text = Annotated[str, Field(min_length=1, max_length=200, pattern="^[^\x00]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=1_000, pattern="^[^\x00]+$")]


class WorkItem(BaseModel):
    """A piece on an operator's work list. When it was ordered is not told: what counts is the promise."""

    order: str
    product: str
    status: Status
    promised_at: datetime | None
    next: Step = Field(description="What is to be done: `POST /work/{order}/{next}`.")


class WorkList(BaseModel):
    """An operator's unfinished pieces, nearest promise first."""

    work: list[WorkItem]


class Done(BaseModel):
    """The piece after a step."""

    order: str
    status: Status


class Piece(WorkItem):
    """A piece in the workshop, and who has it."""

    operator: str | None


class OperatorLoad(BaseModel):
    """Somebody in the workshop, and how much lies on their bench."""

    id: str
    name: str
    skills: list[str]
    at_work: bool
    capacity: int
    load: int
    lead: bool


class WorkshopView(BaseModel):
    """The workshop as its lead sees it."""

    operators: list[OperatorLoad]
    pieces: list[Piece]


class Assignment(BaseModel):
    """Who is to have a piece, and why."""

    operator: Text
    reason: Reason


class Move(BaseModel):
    """One time that a piece changed hands."""

    previous: str | None
    operator: str | None
    moved_by: str
    reason: str
    at: datetime


class Moves(BaseModel):
    """How a piece came to who has it, oldest first."""

    moves: list[Move]


class Presence(BaseModel):
    """Whether somebody is at work."""

    at_work: bool


class Believed(BaseModel):
    """What this system believes of an order: the status, since when, and which event said so."""

    order: str
    status: Status
    since: datetime
    source: str
    sequence: int


class Statuses(BaseModel):
    """A page of orders by id."""

    orders: list[Believed]
    next: str | None = Field(description="Send it as `after` to go on; null on the last page.")


class OwedCall(BaseModel):
    """A call that the vendor has not answered yet, or has refused for good."""

    number: int
    order: str
    kind: CallKind
    attempts: int
    failure: str | None
    due_at: datetime | None
    refused: bool


class OwedCalls(BaseModel):
    """A page of calls by number."""

    calls: list[OwedCall]
    next: int | None = Field(description="Send it as `after` to go on; null on the last page.")
