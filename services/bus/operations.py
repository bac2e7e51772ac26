"""The bus over HTTP, for those who run it: what it holds, its dead letters, and replay."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from instrumentation.problems import ProblemError, responses
from services.bus import held

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi.params import Depends

    from services.bus.bus import Bus

MOST: Final = 1_000
# Databases keep no NUL in a text.
_TEXT: Final = r"^[^\x00]*$"
Id = Annotated[str, Path(pattern=_TEXT, description="The message's id; of what cannot be read, its checksum.")]
Text = Annotated[str, StringConstraints(pattern=_TEXT)]


class BusState(BaseModel):
    """One service's end of the bus, now."""

    consumer: str = Field(description="Whose inbox this is.", examples=["crm"])
    pending: int = Field(description="Messages recorded and not sent yet.")
    oldest_age_s: float = Field(description="How long the oldest of them has waited, in seconds.")
    parked: int = Field(description="Messages that came early and wait for the one before them.")
    retrying: int = Field(description="Messages whose handler failed, and that wait for their next try.")
    dead: int = Field(description="Dead letters, unreadable ones among them.")
    gaps: int = Field(description="Streams that have lacked an event for a minute while later ones wait.")
    unreadable: int = Field(description="Messages that nobody can read; some order may lack them.")
    received: dict[str, int] = Field(description="What this process received, by what became of it.")
    confirmed: int = Field(description="How many messages this process's relay has sent.")


class DeadLetter(BaseModel):
    """A message that is given up until somebody replays it. What cannot be read has no subject and no sequence."""

    id: str
    subject: str | None = Field(description="The order.", examples=["4711"])
    source: str | None = Field(examples=["/shop"])
    sequence: int | None = Field(description="Its place among the events of this order and source; 1 for a command.")
    type: str | None = Field(examples=["order.status.changed.v1"])
    reason: str = Field(examples=["ValueError: no price"])
    failures: int = Field(description="How often its handler has failed.")
    dead_at: AwareDatetime


class WholeLetter(DeadLetter):
    """A dead letter with what it says."""

    body: str = Field(description="The CloudEvent as it came; bytes that are no UTF-8 are shown as U+FFFD.")


class DeadLetters(BaseModel):
    """A page of dead letters by id."""

    dead_letters: list[DeadLetter]
    next: str | None = Field(description="Send it as `after` for the next page; null on the last one.")


class Revival(BaseModel):
    """Which dead letters to try again: some by id, or all."""

    model_config = ConfigDict(extra="forbid")
    ids: list[Text] | None = Field(default=None, max_length=MOST)
    all: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is not None) == self.all:
            raise ValueError("send either `ids` or `all: true`")
        return self


class Repetition(BaseModel):
    """Whose events of which orders to send once more, and to which consumer alone."""

    model_config = ConfigDict(extra="forbid")
    consumer: str = Field(pattern=r"^[a-z][a-z0-9_.-]{0,62}$", examples=["crm"])
    orders: list[Text] | None = Field(default=None, max_length=10 * MOST)
    all: bool = Field(default=False, description="Everything that this service ever said.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.orders is not None) == self.all:
            raise ValueError("send either `orders` or `all: true`")
        return self


class Replayed(BaseModel):
    """How many messages go once more."""

    replayed: int


def router(bus: Bus, dependencies: Sequence[Depends] = ()) -> APIRouter:
    """Return the routes of one bus. ``dependencies`` guard them all."""
    api = APIRouter(dependencies=list(dependencies), tags=["bus"])

    @api.get("/bus", summary="Look at this service's end of the bus")
    async def state() -> BusState:
        seen = await bus.watch.look()
        return BusState(
            consumer=bus.consumer,
            pending=seen.backlog.pending,
            oldest_age_s=seen.oldest_s,
            received=dict(vars(bus.received)),
            confirmed=bus.relay.confirmed,
            **seen.waiting._asdict(),
        )

    @api.get("/dead-letters", summary="List dead letters", responses=responses(HTTPStatus.BAD_REQUEST))
    async def listed(
        after: Annotated[str, Query(pattern=_TEXT)] = "", limit: Annotated[int, Query(ge=1, le=MOST)] = 100
    ) -> DeadLetters:
        async with bus.database.reading() as connection:
            rows = await held.dead(connection, bus.consumer, after, limit + 1)
        page = [DeadLetter(**_letter(row)) for row in rows[:limit]]
        return DeadLetters(dead_letters=page, next=page[-1].id if len(rows) > limit else None)

    @api.get("/dead-letters/{letter}", summary="Show a dead letter", responses=responses(HTTPStatus.NOT_FOUND))
    async def shown(letter: Id) -> WholeLetter:
        row = await _found(bus, letter)
        return WholeLetter(**_letter(row), body=bytes(row["body"]).decode(errors="replace"))

    @api.post("/dead-letters/replay", summary="Try dead letters again", responses=responses(HTTPStatus.BAD_REQUEST))
    async def revive(wanted: Revival) -> Replayed:
        """Make dead letters due for a try now, and what is parked behind them after it. Unreadable ones stay dead."""
        return Replayed(replayed=await bus.revive(wanted.ids))

    @api.delete(
        "/dead-letters/{letter}",
        status_code=HTTPStatus.NO_CONTENT,
        summary="Forget an unreadable dead letter",
        responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    )
    async def discard(letter: Id) -> None:
        """Forget what nobody can read, once its order is seen to. Others have successors, which would wait for ever."""
        if await bus.database.write(lambda connection: held.discard(connection, bus.consumer, letter)):
            return
        await _found(bus, letter)
        raise ProblemError(
            HTTPStatus.CONFLICT, f"`{letter}` can be read, and its order waits for it: replay it instead"
        )

    @api.post("/replay", summary="Send recorded events once more", responses=responses(HTTPStatus.BAD_REQUEST))
    async def replay(wanted: Repetition) -> Replayed:
        """Send what this service said of some orders once more, to one consumer. What it knows changes nothing."""
        sent = await bus.database.write(lambda connection: bus.replay(connection, wanted.consumer, wanted.orders))
        return Replayed(replayed=sent)

    return api


async def _found(bus: Bus, key: str) -> Mapping[str, Any]:
    async with bus.database.reading() as connection:
        row = await held.letter(connection, bus.consumer, key)
    if row is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no dead letter `{key}`; GET /dead-letters lists them")
    return row


def _letter(row: Mapping[str, Any]) -> dict[str, Any]:
    readable = row["place"] != held.UNREADABLE
    return {
        "id": row["id"],
        "subject": row["subject"] if readable else None,
        "source": row["source"] if readable else None,
        "sequence": row["place"] if readable else None,
        "type": row["type"],
        "reason": row["reason"],
        "failures": row["failures"],
        "dead_at": datetime.fromtimestamp(row["dead_at"] / 1_000_000, UTC),
    }
