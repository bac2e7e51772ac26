"""The workers on PostgreSQL: claims that never overlap, and two services that share the work."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from pricing.messages import PRICE_CALCULATED, PRICE_REFUSED, PriceClass
from pricing.refusals import RefusalCode
from pricing.sandbox import Crashed, TaskKind
from pricing.workers import claims, store, tables
from pricing.workers.app import MIGRATIONS
from pricing.workers.model import LEASE_US, Claim, Measuring, Stage, slabs_of
from services.bus import BUS_MIGRATIONS, Database
from tests.workers import InProcess, ball, new_database, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

NOW = 1_000_000_000
COUNT = 200


@pytest.fixture
async def address(postgres: str) -> str:
    """Return the address of an empty database."""
    return await new_database(postgres)


@pytest.fixture
async def databases(address: str) -> AsyncIterator[list[Database]]:
    """Open a database as two workers do."""
    both = [Database(address, BUS_MIGRATIONS, MIGRATIONS) for _ in range(2)]
    for database in both:
        await database.start()
    yield both
    for database in both:
        await database.close()


async def add(connection: AsyncConnection) -> None:
    """Have models wait, among them a very heavy one in slabs."""
    for number in range(COUNT):
        model = Measuring(f"k{number:03}", "ab" * 32, None, PriceClass.PARTNER, Stage.MEASURE, NOW - COUNT + number)
        await store.add_measuring(connection, model)
    heavy = Measuring("heavy", "cd" * 32, None, PriceClass.HEAVY, Stage.SLABS, NOW)
    await store.add_measuring(connection, heavy)
    await claims.cut(connection, Claim(heavy, 1, 0, 0), slabs_of(20_000_000), NOW)


async def take_all(database: Database, worker: str, price_class: PriceClass, now: int) -> list[Claim]:
    """Claim until there is nothing left."""
    taken = []
    work = partial(claims.claim, price_class=price_class, now=now, worker=worker)
    while (one := await database.write(work)) is not None:
        taken.append(one)
    return taken


@pytest.mark.parametrize("price_class", [PriceClass.PARTNER, PriceClass.HEAVY])
async def test_what_workers_claim_at_the_same_time_never_overlaps(
    databases: list[Database], price_class: PriceClass
) -> None:
    """Eight loops in two processes' worth of connections take every piece of work once, until the leases are over."""
    await databases[0].write(add)
    loops = [take_all(databases[number % 2], f"w{number}", price_class, NOW) for number in range(8)]
    taken = [(one.key, one.slab) for found in await asyncio.gather(*loops) for one in found]
    expected = COUNT if price_class is PriceClass.PARTNER else len(slabs_of(20_000_000))
    assert len(taken) == len(set(taken)) == expected
    again = await take_all(databases[0], "late", price_class, NOW + LEASE_US)
    assert {(one.key, one.slab) for one in again} == set(taken)
    assert {(one.turn, one.losses, one.taken_over) for one in again} == {(2, 1, True)}


async def test_the_migrations_make_what_the_tables_say(databases: list[Database]) -> None:
    """Columns, their types and nullability, keys and indexes."""

    def compared(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"include_name": _is_ours})
        return list(compare_metadata(context, tables.metadata))

    async def work(connection: AsyncConnection) -> list[object]:
        return await connection.run_sync(compared)

    assert await databases[0].write(work) == []


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or str(name).startswith("pricing_")


async def test_the_oldest_work_is_claimed_first_and_locked_rows_are_passed_over(databases: list[Database]) -> None:
    first, second = databases
    await first.write(add)

    async def hold(connection: AsyncConnection) -> str:
        one = await claims.claim(connection, PriceClass.PARTNER, NOW, "first")
        other = await second.write(partial(claims.claim, price_class=PriceClass.PARTNER, now=NOW, worker="second"))
        assert one is not None
        assert other is not None
        return one.key + other.key

    assert await asyncio.wait_for(first.write(hold), 20) == "k000k001"


async def test_a_lease_is_renewed_by_its_holder_only(databases: list[Database]) -> None:
    database = databases[0]
    await database.write(add)
    claim = partial(claims.claim, price_class=PriceClass.PARTNER, worker="one")
    first = await database.write(partial(claim, now=NOW))
    assert first is not None
    assert await database.write(partial(claims.renew, claim=first, now=NOW + 1))
    second = await database.write(partial(claim, now=NOW + 2 * LEASE_US))
    assert second is not None
    assert second.key == first.key
    assert not await database.write(partial(claims.renew, claim=first, now=NOW + 2 * LEASE_US))
    assert not await database.write(partial(claims.put_back, claim=first, due_at=0))
    assert await database.write(partial(claims.put_back, claim=second, due_at=0))


async def test_requests_are_answered_once_by_workers_that_share_a_database(address: str, tmp_path: Path) -> None:
    """Four workers, sixty requests for twelve models: each has one answer, and each model one price."""
    async with running(tmp_path, database=address, workers=4, child=InProcess) as room:
        names = [await room.put(ball(8 + number)) for number in range(12)]
        asked = {await room.ask(names[number % 12], f"o{number}"): number % 12 for number in range(60)}
        answers = [await room.answer(request) for request in asked]
        assert {answer.type for answer in answers} == {PRICE_CALCULATED}
        prices = {(asked[answer.data["request"]], answer.data["amount"]) for answer in answers}
        assert len(prices) == 12
        await asyncio.sleep(0.3)
        assert sorted(answer.data["request"] for answer in room.answers()) == sorted(asked)
        assert {one["turn"] for one in await room.measurings()} == {1}


async def shut(address: str, *, open_: bool) -> None:
    """Have a database refuse everybody, those who are in it too, or let them in again."""
    server, name = address.rsplit("/", 1)
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {open_}"))
        await connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
    await engine.dispose()


async def test_a_database_that_goes_away_while_models_are_measured_costs_time_only(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes when the model is measured and the answer is to be stored, and comes back seconds later."""
    monkeypatch.setattr(claims, "LEASE_US", 2_000_000)

    async def away() -> None:
        await shut(address, open_=False)

    child = InProcess([away])
    async with running(tmp_path, database=address, child=lambda: child) as room:
        request = await room.ask(await room.put(ball(12)))
        await until(lambda: len(child.tasks) == 1)
        await asyncio.sleep(3)
        assert room.answers() == []
        await shut(address, open_=True)
        answer = await room.answer(request)
        assert answer.type == PRICE_CALCULATED
        await asyncio.sleep(0.5)
        assert room.answers() == [answer]


async def test_what_postgresql_cannot_store_is_answered_all_the_same(address: str, tmp_path: Path) -> None:
    """A child's last words with a zero byte in them, and a number of pieces beyond its integers."""
    child = InProcess([Crashed(None, "last\0words")] * 3)
    async with running(tmp_path, database=address, child=lambda: child) as room:
        model = await room.put(ball(12))
        crashed = await room.answer(await room.ask(model))
        assert (crashed.type, crashed.data["code"]) == (PRICE_REFUSED, "failed")
        many = await room.answer(await room.ask(model, quantity=10_000_000_000))
        assert (many.type, many.data["code"]) == (PRICE_REFUSED, RefusalCode.UNSUPPORTED)
        assert "10,000,000,000" in many.data["detail"]


async def test_what_is_known_is_answered_from_what_is_kept(address: str, tmp_path: Path) -> None:
    """The quick way and the careful one say the same, and a request that comes twice is answered once."""
    child = InProcess()
    async with running(tmp_path, database=address, child=lambda: child) as room:
        model = await room.put(ball(12))
        first = await room.answer(await room.ask(model))
        many = await asyncio.gather(*(room.ask(model, f"o{number}") for number in range(20)))
        answers = [await room.answer(request) for request in many]
        for name in ("amount", "currency", "picture", "materials", "castable", "production_s"):
            assert {answer.data[name] for answer in answers} == {first.data[name]}
        assert [task.kind for task in child.tasks] == [TaskKind.MEASURE]
        await asyncio.sleep(0.3)
        assert len(room.answers()) == 21
