"""The desk's queries. The caller opens the transaction; nothing here commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import func, insert, literal, select, text, tuple_, update

from services.columns import EPOCH, MICROSECOND, inserting
from services.contract import Money, OrderFacts, Status
from services.crm.model import Decision, File, Question, Tray
from services.crm.rules import Quote, Standing
from services.crm.tables import NEVER, ON_DESK, decisions, dialogue, files, history, standings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.crm.model import Heard

_FACTS: Final = tuple(OrderFacts.model_fields)


class Place(NamedTuple):
    """Where a page of the desk ends: the promise moment (microseconds) and the order."""

    due_us: int
    order: str


class Load(NamedTuple):
    """How much lies on the desk, and since when the oldest has been in its status."""

    orders: int
    oldest: datetime | None


class Said(NamedTuple):
    """A line of the dialogue."""

    id: str
    order: str
    at: datetime
    kind: str
    by: str
    said: str
    model: str | None = None


async def begin(connection: AsyncConnection, order: str) -> File:
    """Return an order's file, locked until the transaction ends; an empty one where there was none."""
    await connection.execute(inserting(connection, files).on_conflict_do_nothing(), {"order_id": order})
    return await lock(connection, order) or File(order)


async def lock(connection: AsyncConnection, order: str) -> File | None:
    """Return an order's file, locked until the transaction ends."""
    query = select(files).where(files.c.order_id == order).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    return _file(row) if row else None


async def save(connection: AsyncConnection, file: File) -> None:
    """Write a file that is locked."""
    await connection.execute(update(files).where(files.c.order_id == file.order).values(_columns(file)))


async def heard(connection: AsyncConnection, order: str, event: Heard) -> bool:
    """Add a status event to the history; False where it stands there already."""
    row = {
        "order_id": order,
        "source": event.source,
        "sequence": event.sequence,
        "status": event.said.status.value,
        "at": event.time,
        "progress": event.said.progress,
        "reason": event.said.reason,
        "by": event.said.by,
    }
    statement = inserting(connection, history).on_conflict_do_nothing().returning(history.c.sequence)
    return (await connection.execute(statement, row)).first() is not None


async def decided(connection: AsyncConnection, order: str, decision: Decision, at: datetime) -> None:
    """Put a decision on record."""
    row = {
        "order_id": order,
        "at": at,
        "action": decision.action.value,
        "by": decision.by,
        "automatic": decision.automatic,
        "reason": decision.reason,
        "amount": decision.price.amount if decision.price else None,
        "currency": decision.price.currency if decision.price else None,
        "says": decision.says.value if decision.says else None,
    }
    await connection.execute(insert(decisions), row)


async def last_by_person(connection: AsyncConnection, order: str) -> RowMapping | None:
    """Return the last decision on an order, if a person made it."""
    query = select(decisions).where(decisions.c.order_id == order).order_by(decisions.c.number.desc()).limit(1)
    row = (await connection.execute(query)).mappings().first()
    return row if row and not row["automatic"] else None


async def said(connection: AsyncConnection, line: Said) -> bool:
    """Add a line to the dialogue; False where it stands there already."""
    row = line._asdict()
    row["order_id"] = row.pop("order")
    statement = inserting(connection, dialogue).on_conflict_do_nothing().returning(dialogue.c.id)
    return (await connection.execute(statement, row)).first() is not None


async def file_of(connection: AsyncConnection, order: str) -> File | None:
    """Return an order's file."""
    row = (await connection.execute(select(files).where(files.c.order_id == order))).mappings().first()
    return _file(row) if row else None


async def history_of(connection: AsyncConnection, order: str) -> Sequence[RowMapping]:
    """Return every status heard of an order: by time, then rank on the main line."""
    rows = (await connection.execute(select(history).where(history.c.order_id == order))).mappings().all()
    return sorted(rows, key=lambda row: (row["at"], Status(row["status"]).rank, row["source"], row["sequence"]))


async def decisions_of(connection: AsyncConnection, order: str) -> Sequence[RowMapping]:
    """Return every decision on an order, the first first."""
    query = select(decisions).where(decisions.c.order_id == order).order_by(decisions.c.number)
    return (await connection.execute(query)).mappings().all()


async def dialogue_of(connection: AsyncConnection, order: str) -> Sequence[RowMapping]:
    """Return what was said about an order, the first first."""
    query = select(dialogue).where(dialogue.c.order_id == order).order_by(dialogue.c.at, dialogue.c.number)
    return (await connection.execute(query)).mappings().all()


async def desk(connection: AsyncConnection, after: Place | None, limit: int) -> list[File]:
    """Return the next orders that wait for a decision, nearest promise first."""
    query = select(files).where(ON_DESK)
    if after is not None:
        query = query.where(
            tuple_(files.c.due_us, files.c.order_id) > tuple_(literal(after.due_us), literal(after.order))
        )
    query = query.order_by(files.c.due_us, files.c.order_id).limit(limit)
    return [_file(row) for row in (await connection.execute(query)).mappings()]


async def load(connection: AsyncConnection) -> Load:
    """Return how much lies on the desk."""
    query = select(func.count(), func.min(files.c.status_at)).where(ON_DESK)
    count, oldest = (await connection.execute(query)).one()
    return Load(int(count), oldest)


async def orders(connection: AsyncConnection, status: Status | None, after: str, limit: int) -> list[File]:
    """Return the next orders by id, of one status or of any."""
    query = select(files).where(files.c.order_id > after, files.c.status.is_not(None))
    if status is not None:
        query = query.where(files.c.status == status.value)
    query = query.order_by(files.c.order_id).limit(limit)
    return [_file(row) for row in (await connection.execute(query)).mappings()]


async def due(connection: AsyncConnection, now: datetime, limit: int) -> list[File]:
    """Return shipped orders whose time to be closed has come, locked, without those that another process has."""
    query = select(files).where(text("close_at IS NOT NULL"), files.c.close_at <= now)
    query = query.order_by(files.c.close_at).limit(limit).with_for_update(skip_locked=True)
    return [_file(row) for row in (await connection.execute(query)).mappings()]


async def standing_of(connection: AsyncConnection, customer: str | None) -> Standing:
    """Return a customer's standing; whom nobody has judged yet is new."""
    query = select(standings.c.standing).where(standings.c.customer == customer)
    found = await connection.scalar(query.order_by(standings.c.number.desc()).limit(1))
    return Standing(found) if found else Standing.NEW


async def standings_of(connection: AsyncConnection, customer: str) -> Sequence[RowMapping]:
    """Return how a customer's standing changed, the last first."""
    query = select(standings).where(standings.c.customer == customer).order_by(standings.c.number.desc())
    return (await connection.execute(query)).mappings().all()


async def put_standing(
    connection: AsyncConnection, customer: str, standing: Standing, by: str, reason: str, at: datetime
) -> None:
    """Put a customer's standing on record."""
    row = {"customer": customer, "at": at, "standing": standing.value, "by": by, "reason": reason}
    await connection.execute(insert(standings), row)


async def name_of(connection: AsyncConnection, customer: str) -> str | None:
    """Return a customer's name as an order told it; None where no order of theirs is known."""
    query = select(files.c.customer_name).where(files.c.customer == customer).limit(1)
    found: str | None = await connection.scalar(query)
    return found


async def count_of(connection: AsyncConnection, customer: str) -> int:
    """Return how many orders of a customer are known."""
    query = select(func.count()).select_from(files).where(files.c.customer == customer)
    return int(await connection.scalar(query) or 0)


def _file(row: RowMapping) -> File:
    known = {name: row[name] for name in _FACTS}
    price = Money(amount=row["amount"], currency=row["currency"]) if row["currency"] else None
    return File(
        order=row["order_id"],
        facts=OrderFacts.model_validate(known) if row["channel"] is not None else None,
        status=Status(row["status"]) if row["status"] else None,
        tray=Tray(row["tray"]),
        question=Question(row["question"]),
        quote=Quote(price, row["valid_until"]),
        paused=row["paused_us"] * MICROSECOND,
        **{name: row[name] for name in _SAME},
    )


_SAME: Final = (
    "status_at",
    "source",
    "sequence",
    "answer",
    "why",
    "problems",
    "picture",
    "asked_at",
    "shipped_at",
    "close_at",
    "unwanted",
)


def _columns(file: File) -> dict[str, Any]:
    facts = file.facts.model_dump() if file.facts else {}
    price = file.quote.price
    return {
        **facts,
        **{name: getattr(file, name) for name in _SAME},
        "status": file.status.value if file.status else None,
        "tray": file.tray.value,
        "question": file.question.value,
        "amount": price.amount if price else None,
        "currency": price.currency if price else None,
        "valid_until": file.quote.valid_until,
        "paused_us": file.paused // MICROSECOND,
        "due_us": due_us(file),
    }


def due_us(file: File) -> int:
    """Return the promise moment in microseconds since 1970 UTC; after every moment where nothing is promised."""
    return NEVER if file.due_at is None else (file.due_at - EPOCH) // MICROSECOND
