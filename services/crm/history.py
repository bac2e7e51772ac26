"""Loading past orders into the desk's own tables: files, statuses heard, decisions and dialogue.

What happened goes through the desk's own model, so that each file lies where it would lie had the desk been there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert

from services.contract import (
    CRM,
    ORDER_ANSWERED,
    ORDER_CANCEL,
    OrderAnswered,
    OrderCancel,
    Status,
    StatusChanged,
)
from services.crm import store
from services.crm.model import (
    CUSTOMER,
    RULE,
    SAYS,
    Action,
    Decision,
    File,
    Ground,
    Heard,
)
from services.crm.rules import Rules, Standing
from services.crm.tables import files, history
from services.crm.turns import answer, close, decide, hear, move

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message

_ACTIONS: Final = {status: action for action, status in SAYS.items()}


@dataclass
class Past:
    """What the desk would have written. ``close_after``: from shipping to closing."""

    close_after: timedelta
    files: dict[str, File] = field(default_factory=dict)
    heard: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[tuple[str, Decision, datetime]] = field(default_factory=list)
    dialogue: list[store.Said] = field(default_factory=list)

    def take(self, message: Message) -> None:
        """Take in what a service said next."""
        before = self.files.get(message.subject) or File(message.subject)
        if message.type == ORDER_ANSWERED:
            after = self._answered(before, message, OrderAnswered.model_validate(message.data))
        elif message.type == ORDER_CANCEL:
            after = self._unwanted(before, message, OrderCancel.model_validate(message.data))
        elif message.sequence is not None:
            after = self._told(before, message, StatusChanged.model_validate(message.data))
        else:
            return
        self.files[message.subject] = after

    def _answered(self, file: File, message: Message, given: OrderAnswered) -> File:
        said = (given.answered_at, "answer", _customer(file), given.answer, given.model)
        self.dialogue.append(store.Said(message.id, file.order, *said))
        return answer(file, given.answer, given.model) or file

    def _unwanted(self, file: File, message: Message, given: OrderCancel) -> File:
        said = (given.asked_at, "cancellation", _customer(file), given.reason)
        self.dialogue.append(store.Said(message.id, file.order, *said))
        return file

    def _told(self, file: File, message: Message, said: StatusChanged) -> File:
        event = Heard(message.source, message.place, message.time, said)
        self.heard.append(_row(file.order, event))
        if message.source != CRM:
            # No limits: in those weeks managers decided by hand, and only by hand.
            after, decisions = hear(file, event, Ground(Rules(), message.time, Standing.NEW, self.close_after))
        else:
            after, decisions = self._decided(file, event, message.id)
            after = move(after, event)
        self.decisions += [(file.order, decision, message.time) for decision in decisions]
        return after

    def _decided(self, file: File, event: Heard, key: str) -> tuple[File, tuple[Decision, ...]]:
        action, by, reason = _ACTIONS[event.said.status], event.said.by or RULE, event.said.reason or ""
        if action is Action.ASK:
            self.dialogue.append(store.Said(f"{key}/question", file.order, event.time, "question", by, reason))
        if action is Action.CLOSE and by == RULE:
            return close(file, event.time)
        if file.may(action):
            return decide(file, action, by, reason, event.time)
        # A failed casting: the piece is approved once more while it is in the workshop.
        price = file.quote.price
        return file, (Decision(Action.REPEAT, by, reason, automatic=by == RULE, price=price, says=event.said.status),)


async def load(
    connection: AsyncConnection, said: Iterable[Message], close_after: timedelta, due: Iterable[datetime]
) -> None:
    """Write the files of the orders that everybody's messages (in the order of time) speak of, to an empty desk.

    ``due``: moments, one after the other, to close shipped orders whose time has passed unused; they lie ahead, so
    that those do not all end at the first sweep.
    """
    past = Past(close_after)
    for message in said:
        past.take(message)
    if not past.files:
        return
    await connection.execute(insert(files), [{"order_id": order} for order in past.files])
    await connection.execute(insert(history), past.heard)
    moments = iter(due)
    for file in past.files.values():
        await store.save(connection, _put_off(file, moments))
    for order, decision, at in past.decisions:
        await store.decided(connection, order, decision, at)
    for line in past.dialogue:
        await store.said(connection, line)


def _put_off(file: File, moments: Any) -> File:
    if file.close_at is None or file.status is not Status.SHIPPED:
        return file
    soonest = next(moments, file.close_at)
    return replace(file, close_at=max(file.close_at, soonest))


def _customer(file: File) -> str:
    return (file.facts.customer_name if file.facts else None) or CUSTOMER


def _row(order: str, event: Heard) -> dict[str, Any]:
    said = event.said
    row: dict[str, Any] = {"order_id": order, "source": event.source, "sequence": event.sequence, "at": event.time}
    return row | {"status": said.status.value, "progress": said.progress, "reason": said.reason, "by": said.by}
