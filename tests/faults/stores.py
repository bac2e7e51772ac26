"""The tables of the two made-up services, the shop (writers) and the CRM (consumers), and what is read of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from services.bus import BUS_MIGRATIONS, Database
from tests.faults.jobs import CONSUMER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

_SHOP: Final = (
    "CREATE TABLE orders (number int PRIMARY KEY, id text NOT NULL UNIQUE, step int NOT NULL DEFAULT 0)",
    "INSERT INTO orders (number, id) SELECT n, 'order-' || n FROM generate_series(1, :orders) AS n",
)
# No unique constraint: what is done twice must be seen, not prevented.
_CRM: Final = (
    "CREATE TABLE effects (serial bigserial, subject text NOT NULL, step int NOT NULL, sequence bigint)",
    "CREATE TABLE answers (serial bigserial, subject text NOT NULL)",
    "CREATE TABLE states (subject text PRIMARY KEY, applied int NOT NULL, chain text NOT NULL)",
)
_STATE: Final = text(
    "INSERT INTO states AS s VALUES (:subject, 1, md5(:step)) ON CONFLICT (subject) DO UPDATE "
    "SET applied = s.applied + 1, chain = md5(s.chain || :step)"
)


class Effect(NamedTuple):
    """What one run of a handler left, in the order of runs."""

    subject: str
    step: int


class Books(NamedTuple):
    """All that the verdict is made of."""

    committed: dict[str, int]
    effects: list[Effect]
    answers: list[str]
    chains: dict[str, str]
    dead: int
    dead_without_failure: int


class Unfinished(NamedTuple):
    """What of a run is not done yet, by where it lies."""

    unwritten: int
    outbox: int
    held: int


async def opened(address: str) -> Database:
    """Open a database as a service does."""
    database = Database(address, BUS_MIGRATIONS)
    await database.start()
    return database


async def made(server: str, name: str, statements: Sequence[str], orders: int) -> str:
    """Make a database with the bus's tables and some others; return its address."""
    admin = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text(f'CREATE DATABASE "{name}"'))
    await admin.dispose()
    address = make_url(f"{server}/{name}").render_as_string(hide_password=False)
    database = await opened(address)

    async def fill(connection: AsyncConnection) -> None:
        for statement in statements:
            await connection.execute(text(statement), {"orders": orders} if ":orders" in statement else {})

    await database.write(fill)
    await database.close()
    return address


async def made_shop(server: str, name: str, orders: int) -> str:
    """Make the writers' database."""
    return await made(server, name, _SHOP, orders)


async def made_crm(server: str, name: str) -> str:
    """Make the consumers' database."""
    return await made(server, name, _CRM, 0)


async def advance(connection: AsyncConnection, order: str, events: int) -> int | None:
    """Move an order a step on; return the step, None where it is finished."""
    statement = text("UPDATE orders SET step = step + 1 WHERE id = :order AND step < :events RETURNING step")
    step: int | None = await connection.scalar(statement, {"order": order, "events": events})
    return step


async def progress(connection: AsyncConnection, events: int, limit: int) -> tuple[int, list[str]]:
    """Return how many steps are taken, and the first orders with steps left."""
    done = await connection.scalar(text("SELECT sum(step) FROM orders"))
    statement = text("SELECT id FROM orders WHERE step < :events ORDER BY number LIMIT :limit")
    return int(done or 0), list((await connection.scalars(statement, {"events": events, "limit": limit})).all())


async def leave_effect(connection: AsyncConnection, subject: str, step: int, sequence: int | None) -> None:
    """Leave the traces of one run of the handler."""
    values = {"subject": subject, "step": step, "sequence": sequence}
    await connection.execute(text("INSERT INTO effects VALUES (DEFAULT, :subject, :step, :sequence)"), values)
    await connection.execute(_STATE, {"subject": subject, "step": str(step)})


async def leave_answer(connection: AsyncConnection, subject: str) -> None:
    """Leave the trace of one run of the command's handler."""
    await connection.execute(text("INSERT INTO answers VALUES (DEFAULT, :subject)"), {"subject": subject})


async def unfinished(shop: Database, crm: Database, events: int) -> Unfinished:
    """Count what is not done yet. Dead letters, and what waits behind them, stay."""
    async with shop.reading() as connection:
        unwritten = await connection.scalar(text("SELECT count(*) FROM orders WHERE step < :n"), {"n": events})
        outbox = await connection.scalar(text("SELECT count(*) FROM bus_pending"))
    async with crm.reading() as connection:
        held = await connection.scalar(text("SELECT count(*) FROM bus_held WHERE dead_at IS NULL"))
    return Unfinished(int(unwritten or 0), int(outbox or 0), int(held or 0))


async def books(shop: Database, crm: Database) -> Books:
    """Read what the writers committed and what the consumers did."""
    async with shop.reading() as connection:
        committed = dict(map(tuple, (await connection.execute(text("SELECT id, step FROM orders"))).all()))
    async with crm.reading() as connection:
        rows = await connection.execute(text("SELECT subject, step FROM effects ORDER BY serial"))
        effects = [Effect._make(row) for row in rows.all()]
        answers = list((await connection.scalars(text("SELECT subject FROM answers"))).all())
        rows = await connection.execute(text("SELECT subject, chain FROM states"))
        chains = dict(map(tuple, rows.all()))
        dead = text("SELECT failures FROM bus_held WHERE consumer = :consumer AND dead_at IS NOT NULL")
        failures = (await connection.scalars(dead, {"consumer": CONSUMER})).all()
    return Books(committed, effects, answers, chains, len(failures), sum(not count for count in failures))


async def stuck(shop: Database, crm: Database) -> list[str]:
    """Tell what lies where, a few of each."""
    async with shop.reading() as connection:
        rows = await connection.execute(text("SELECT number, target, attempts, due_at FROM bus_pending LIMIT 5"))
        told = [f"outbox: {dict(row)}" for row in rows.mappings()]
    async with crm.reading() as connection:
        columns = "h.subject, h.place, i.applied, h.failures, h.due_at, h.dead_at, h.reason"
        joined = "bus_held h LEFT JOIN bus_inbox i USING (consumer, subject, source)"
        rows = await connection.execute(text(f"SELECT {columns} FROM {joined} ORDER BY 1, 2 LIMIT 10"))
        told += [f"held: {dict(row)}" for row in rows.mappings()]
    return told
