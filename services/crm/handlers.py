"""What the desk does about messages, people's decisions and time passing. The caller opens the transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from instrumentation.problems import ProblemError
from services.bus import Refusal
from services.contract import (
    CRM,
    ORDER_ANSWERED,
    ORDER_CANCEL,
    ORDER_REQUOTE,
    STATUS_CHANGED,
    OrderAnswered,
    OrderCancel,
    OrderRequote,
    Status,
    StatusChanged,
)
from services.crm import store
from services.crm.model import (
    CUSTOMER,
    LEADS_TO,
    UNDECIDED,
    Action,
    Decision,
    File,
    Ground,
    Heard,
    Unfitting,
    Unheard,
)
from services.crm.store import Said
from services.crm.turns import answer, close, decide, hear, move, too_late

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Bus, Handler, Message
    from services.crm.rules import Rules, Standing

MES_QUEUE: Final = "mes"
Contract = TypeVar("Contract", bound=BaseModel)


@dataclass
class Desk:
    """Hears of orders, and decides on them. ``bus`` is put in by whoever puts the parts together."""

    rules: Rules
    close_after: timedelta
    clock: Callable[[], datetime]
    bus: Bus = field(init=False)

    async def status_changed(self, connection: AsyncConnection, message: Message) -> None:
        """Take a status into the order's file, once; the rules decide where a price is new."""
        said = _read(StatusChanged, message)
        event = Heard(message.source, message.place, message.time, said)
        file = await store.begin(connection, message.subject)
        if not await store.heard(connection, message.subject, event):
            return
        customer = said.order.customer or (file.facts.customer if file.facts else None)
        ground = await self._ground(connection, customer, message.time)
        after, decisions = hear(file, event, ground)
        await self._record(connection, after, decisions, ground.now)

    async def order_answered(self, connection: AsyncConnection, message: Message) -> None:
        """Take in what the customer answered, and have the quote confirmed, or the new model priced."""
        given = _read(OrderAnswered, message)
        file = await store.lock(connection, message.subject)
        if file is None or file.facts is None:
            raise Unheard(f"nothing was heard yet of the order `{message.subject}` that the customer answers about")
        line = Said(message.id, file.order, given.answered_at, "answer", _name(file), given.answer, given.model)
        if not await store.said(connection, line):
            return
        after = answer(file, given.answer, given.model)
        if after is None:
            await self._record(connection, file, (too_late(file, "answer"),), self.clock())
            return
        await store.save(connection, after)
        await self.bus.send(
            connection, MES_QUEUE, ORDER_REQUOTE, file.order, OrderRequote(model=given.model).document()
        )

    async def order_cancel(self, connection: AsyncConnection, message: Message) -> None:
        """Cancel an order that the customer no longer wants, unless the workshop has begun or it has ended."""
        given = _read(OrderCancel, message)
        file = await store.begin(connection, message.subject)
        line = Said(message.id, file.order, given.asked_at, "cancellation", _name(file), given.reason)
        if not await store.said(connection, line):
            return
        if file.facts is None:
            # The command overtook the events: the first of them brings what is needed to say so.
            await store.save(connection, replace(file, unwanted=given.reason))
        elif file.may(Action.CANCEL):
            now = self._now(file.status_at)
            after, decisions = decide(file, Action.CANCEL, _name(file), given.reason, now)
            await self._record(connection, after, decisions, now)
        else:
            await self._record(connection, file, (too_late(file, "cancellation"),), self.clock())

    async def act(self, connection: AsyncConnection, order: str, action: Action, by: str, reason: str) -> File:
        """Let a person decide; the same once more by the same person changes nothing.

        Raises ProblemError: 404 where nothing was heard of the order, 409 where the decision does not fit.
        """
        file = await store.lock(connection, order)
        if file is None or file.facts is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"nothing was heard of the order `{order}`")
        if await _repeated(connection, file, action, by, reason):
            return file
        now = self._now(file.status_at)
        try:
            after, decisions = decide(file, action, by, reason, now)
        except Unfitting as error:
            raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
        if action is Action.ASK:
            await store.said(connection, Said(self.bus.new_id(), order, now, "question", by, reason))
        return await self._record(connection, after, decisions, now)

    async def judge_customer(
        self, connection: AsyncConnection, customer: str, standing: Standing, by: str, reason: str
    ) -> None:
        """Put a customer's standing on record, unless it is just what the same person said last."""
        known = await store.standings_of(connection, customer)
        if known and (known[0]["standing"], known[0]["by"], known[0]["reason"]) == (standing.value, by, reason):
            return
        await store.put_standing(connection, customer, standing, by, reason, self.clock())

    async def close_due(self, connection: AsyncConnection, limit: int) -> int:
        """Close shipped orders whose time has come; return how many."""
        now = self.clock()
        due = await store.due(connection, now, limit)
        for file in due:
            after, decisions = close(file, now)
            await self._record(connection, after, decisions, now)
        return len(due)

    def _now(self, seen: datetime | None) -> datetime:
        """Return the present moment; a decision is not before what it is about, whatever two machines' clocks say."""
        now = self.clock()
        return now if seen is None else max(now, seen)

    async def _ground(self, connection: AsyncConnection, customer: str | None, seen: datetime) -> Ground:
        standing = await store.standing_of(connection, customer)
        return Ground(self.rules, self._now(seen), standing, self.close_after)

    async def _record(
        self, connection: AsyncConnection, file: File, decisions: Sequence[Decision], now: datetime
    ) -> File:
        """Write decisions down, say what they say, and save the file."""
        for decision in decisions:
            await store.decided(connection, file.order, decision, now)
            if decision.says is not None:
                file = await self._say(connection, file, decision, decision.says, now)
        await store.save(connection, file)
        return file

    async def _say(
        self, connection: AsyncConnection, file: File, decision: Decision, status: Status, now: datetime
    ) -> File:
        said = StatusChanged(
            status=status,
            previous=file.status,
            order=file.known,
            price=decision.price,
            reason=decision.reason,
            by=decision.by,
        )
        message = await self.bus.publish(connection, STATUS_CHANGED, file.order, said.document(), now)
        event = Heard(CRM, message.place, message.time, said)
        await store.heard(connection, file.order, event)
        return move(file, event)


async def _repeated(connection: AsyncConnection, file: File, action: Action, by: str, reason: str) -> bool:
    if file.tray in UNDECIDED and file.tray is not LEADS_TO[action]:
        return False
    last = await store.last_by_person(connection, file.order)
    if last is None or (last["action"], last["by"]) != (action.value, by):
        return False
    return action is not Action.ASK or last["reason"] == reason


def _read(contract: type[Contract], message: Message) -> Contract:
    try:
        return contract.model_validate(message.data)
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(map(str, found["loc"])) or "data"
        raise Refusal(f"`{place}` of a {message.type} cannot be used: {found['msg']}") from error


def _name(file: File) -> str:
    return (file.facts.customer_name if file.facts else None) or CUSTOMER


# Every message that the desk reacts to, and how.
EVENTS: Final[dict[str, Callable[..., Any]]] = {
    STATUS_CHANGED: Desk.status_changed,
}
COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    ORDER_ANSWERED: Desk.order_answered,
    ORDER_CANCEL: Desk.order_cancel,
}


def bound(desk: Desk, table: dict[str, Callable[..., Any]]) -> dict[str, Handler]:
    """Return a table's handlers as the bus calls them."""
    return {message_type: partial(handler, desk) for message_type, handler in table.items()}
