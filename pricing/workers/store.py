"""The workers' queries about requests, measurings and caches. The caller opens the transaction; nothing commits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from sqlalchemy import and_, bindparam, delete, func, literal_column, select, text, update

from pricing.messages import PriceClass
from pricing.units import Unit
from pricing.workers.model import ANSWERABLE, Measuring, Request, Stage
from pricing.workers.tables import measurings, pictures, quotes, requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Row, Table, TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection

NO_TERMS: Final = ""
_LARGEST_INTEGER: Final = (1 << 31) - 1  # of a column; so many pieces are refused anyhow


class Queue(NamedTuple):
    """Unanswered requests of a class: how many, and when the oldest was asked (microseconds since 1970 UTC)."""

    price_class: PriceClass
    waiting: int
    oldest: int


class QuoteKey(NamedTuple):
    """What a quote hangs on; ``materials``: their version, and that of how we quote."""

    key: str
    materials: str
    alloy: str
    quantity: int
    terms: str


async def insert(connection: AsyncConnection, table: Table, rows: dict[str, Any] | list[dict[str, Any]]) -> int:
    """Write rows, which all have the same columns; leave those alone that are there. Return how many are new."""
    first = rows if isinstance(rows, dict) else rows[0]
    return (await connection.execute(_inserting(table, tuple(first)), rows)).rowcount


@cache
def _inserting(table: Table, names: tuple[str, ...]) -> TextClause:
    """Return a statement that is compiled once: SQLAlchemy compiles its own with ON CONFLICT at every use."""
    columns, values = (", ".join(form.format(name) for name in names) for form in ('"{}"', ":{}"))
    statement = text(f"INSERT INTO {table.name} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING")
    return statement.bindparams(*(bindparam(name, type_=table.c[name].type) for name in names))


class Quoted(NamedTuple):
    """A quote as it is kept, of which model it is, and that model's pictures by the digest of their marks."""

    document: dict[str, Any]
    model: str
    pictures: dict[str, str | None]


def written(document: Any) -> str:
    """Write a document as the tables keep it."""
    return orjson.dumps(document).decode()


_ANSWERABLE: Final[tuple[ColumnElement[str], ...]] = tuple(literal_column(f"'{one.value}'") for one in ANSWERABLE)
_QUOTED: Final = (  # made once: making it takes longer than asking it
    select(quotes.c.document, measurings.c.model, pictures.c.marks, pictures.c.name)
    .join_from(quotes, measurings, and_(measurings.c.key == quotes.c.key, measurings.c.stage.in_(_ANSWERABLE)))
    .outerjoin(pictures, pictures.c.key == quotes.c.key)
    .where(*(quotes.c[name] == bindparam(name) for name in QuoteKey._fields))
)


async def add_request(connection: AsyncConnection, request: Request, outcome: str | None = None) -> bool:
    """Note a request, answered at once if there is an outcome; return whether it is new."""
    row = {
        "id": request.id,
        "order_id": request.order,
        "key": request.key,
        "class": request.price_class.value,
        "alloy": request.alloy,
        "quantity": min(request.quantity, _LARGEST_INTEGER),
        "terms": request.terms,
        "reply_to": request.reply_to,
        "asked_at": request.asked_at,
        "traceparent": request.traceparent,
        "outcome": outcome,
        "done_at": None if outcome is None else request.asked_at,
    }
    return await insert(connection, requests, row) > 0


async def unanswered(connection: AsyncConnection, key: str) -> list[Request]:
    """Return the requests that wait for a measuring, the oldest first."""
    query = select(requests).where(requests.c.key == key, requests.c.done_at.is_(None))
    rows = (await connection.execute(query.order_by(requests.c.asked_at, requests.c.id))).mappings()
    return [
        Request(
            id=row["id"],
            order=row["order_id"],
            key=row["key"],
            price_class=PriceClass(row["class"]),
            alloy=row["alloy"],
            quantity=row["quantity"],
            terms=row["terms"],
            reply_to=row["reply_to"],
            asked_at=row["asked_at"],
            traceparent=row["traceparent"],
        )
        for row in rows
    ]


async def close_request(connection: AsyncConnection, request: str, outcome: str, now: int) -> bool:
    """Strike out a request; return whether it was still unanswered."""
    query = update(requests).where(requests.c.id == request, requests.c.done_at.is_(None))
    return (await connection.execute(query.values(outcome=outcome, done_at=now))).rowcount > 0


async def correct_class(connection: AsyncConnection, key: str, price_class: PriceClass, triangles: int | None) -> None:
    """Note what class a model turned out to be, on its measuring and on all that wait for it."""
    values = {"class": price_class.value, **({} if triangles is None else {"triangles": triangles})}
    await connection.execute(update(measurings).where(measurings.c.key == key).values(values))
    waiting = and_(requests.c.key == key, requests.c.done_at.is_(None))
    await connection.execute(update(requests).where(waiting).values({"class": price_class.value}))


async def add_measuring(connection: AsyncConnection, wanted: Measuring) -> None:
    """Make sure that a measuring has a row; one that is there stays as it is."""
    row = {
        "key": wanted.key,
        "model": wanted.model,
        "unit": wanted.unit,
        "class": wanted.price_class.value,
        "stage": wanted.stage.value,
        "asked_at": wanted.asked_at,
        "due_at": wanted.asked_at,
    }
    await insert(connection, measurings, row)


async def lock_measuring(connection: AsyncConnection, key: str) -> Measuring | None:
    """Lock a measuring until the transaction ends, and return it; None where there is none."""
    query = select(measurings).where(measurings.c.key == key).with_for_update()
    row = (await connection.execute(query)).first()
    return measuring_of(row) if row else None


def measuring_of(row: Row[Any]) -> Measuring:
    """Return a measuring from its row."""
    found = row._mapping  # noqa: SLF001 - SQLAlchemy's public way to a column named like a keyword
    return Measuring(
        key=found["key"],
        model=found["model"],
        unit=Unit(found["unit"]) if found["unit"] else None,
        price_class=PriceClass(found["class"]),
        stage=Stage(found["stage"]),
        asked_at=found["asked_at"],
        begun_at=found["begun_at"],
        progress=found["progress"],
        told_at=found["told_at"],
        triangles=found["triangles"],
        prepared=orjson.loads(found["prepared"]) if found["prepared"] else None,
        result=orjson.loads(found["result"]) if found["result"] else None,
        reason=found["reason"],
        closed_at=found["closed_at"],
    )


async def change(connection: AsyncConnection, key: str, **values: Any) -> None:
    """Write columns of a measuring that is locked; documents as JSON."""
    for name in ("prepared", "result"):
        if values.get(name) is not None:
            values[name] = written(values[name])
    await connection.execute(update(measurings).where(measurings.c.key == key).values(values))


async def reopen(connection: AsyncConnection, key: str, stage: Stage, price_class: PriceClass, now: int) -> None:
    """Have a measuring that was closed taken up again, at a stage."""
    fresh: dict[str, Any] = {"failures": 0, "losses": 0, "worker": None, "begun_at": None, "told_at": None}
    fresh |= {"progress": 0.0, "closed_at": None, "asked_at": now, "due_at": now}
    values = {"stage": stage.value, "class": price_class.value, **fresh}
    if stage is Stage.MEASURE:
        values |= {"result": None, "reason": None, "prepared": None}
    await connection.execute(update(measurings).where(measurings.c.key == key).values(values))


async def find_quote(connection: AsyncConnection, wanted: QuoteKey) -> dict[str, Any] | None:
    """Return a quote that was made before."""
    query = select(quotes.c.document).where(*(quotes.c[name] == value for name, value in wanted._asdict().items()))
    found = await connection.scalar(query)
    return orjson.loads(found) if found else None


async def find_quoted(connection: AsyncConnection, wanted: QuoteKey) -> Quoted | None:
    """Return a quote that was made before for a model that is measured, and all its pictures: one look, no lock."""
    rows = (await connection.execute(_QUOTED, wanted._asdict())).all()
    if not rows:
        return None
    drawn = {row.marks: row.name for row in rows if row.marks is not None}
    return Quoted(orjson.loads(rows[0].document), rows[0].model, drawn)


async def keep_quote(connection: AsyncConnection, made: QuoteKey, document: dict[str, Any]) -> None:
    """Keep a quote; one that is there already says the same."""
    await insert(connection, quotes, made._asdict() | {"document": written(document)})


async def find_pictures(connection: AsyncConnection, key: str) -> dict[str, str | None]:
    """Return a model's pictures by the digest of their marks; None: it could not be drawn."""
    rows = await connection.execute(select(pictures.c.marks, pictures.c.name).where(pictures.c.key == key))
    return {row.marks: row.name for row in rows}


async def keep_picture(connection: AsyncConnection, key: str, marks: str, name: str | None) -> None:
    """Keep a picture; one that is there already shows the same."""
    await insert(connection, pictures, {"key": key, "marks": marks, "name": name})


async def forget_picture(connection: AsyncConnection, key: str, marks: str) -> None:
    """Forget a picture that is not in the store any more."""
    await connection.execute(delete(pictures).where(pictures.c.key == key, pictures.c.marks == marks))


async def queues(connection: AsyncConnection) -> Sequence[Queue]:
    """Return what waits in each class that anything waits in."""
    query = select(requests.c["class"], func.count(), func.min(requests.c.asked_at))
    rows = await connection.execute(query.where(requests.c.done_at.is_(None)).group_by(requests.c["class"]))
    return [Queue(PriceClass(row[0]), row[1], row[2]) for row in rows]
