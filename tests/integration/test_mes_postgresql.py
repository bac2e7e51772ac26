"""The manufacturing system on SQLite and on PostgreSQL: one suite, so that the two are proved equal."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from pricing.messages import PRICE_CALCULATED, PRICE_PROGRESSED
from services.bus.bus import utc_now
from services.contract import CRM, SHOP, Status
from services.mes import tables as adapter_tables
from services.mes.vendor import tables as vendor_tables
from services.mes.vendor.model import Step, Submission
from services.resilience import serving
from tests.mes import running
from tests.parts import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

ORDERS = [f"o{number:02}" for number in range(12)]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'mes.db'}"
    return asyncio.run(_new_database(request.getfixturevalue("postgres")))


async def _new_database(server: str) -> str:
    name = f"mes_{uuid.uuid4().hex}"
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return f"{server}/{name}"


async def test_orders_walk_from_submitted_to_shipped(tmp_path: Path, database: str) -> None:
    async with running(tmp_path, database=database, pricing_seconds=0) as room:
        for order in ORDERS:
            await room.say(SHOP, Status.SUBMITTED, order)
        await room.turn()
        for order in ORDERS:
            await room.say(CRM, Status.MANUFACTURING_APPROVED, order)
        await room.turn()
        for piece in (await room.get("/workshop", "mara"))["pieces"]:
            for step in Step:
                answer = await room.post(f"/work/{piece['order']}/{step}", piece["operator"])
                assert answer.is_success, answer.text
        await room.turn()
        expected = ["PRICE_CALCULATING", "PRICE_CALCULATED"]
        expected += ["MANUFACTURING_STARTED", "MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED"]
        assert {order: room.said(order) for order in ORDERS} == dict.fromkeys(ORDERS, expected)
        known = (await room.get("/statuses", "collector"))["orders"]
        assert [(one["order"], one["status"]) for one in known] == [(order, "SHIPPED") for order in ORDERS]


async def test_by_itself_over_a_real_network_an_order_gets_its_price(tmp_path: Path, database: str) -> None:
    """Nobody turns the handle: calculation, caller and follower run in the service, and reach it at its own address."""
    port = free_port()
    alone: dict[str, Any] = {
        "port": port,
        "vendor_url": None,
        "tasks": True,
        "poll_seconds": 0.02,
        "pricing_seconds": 0,
    }
    async with running(tmp_path, clock=utc_now, network=True, database=database, **alone) as room:
        await room.say(SHOP, Status.SUBMITTED)
        await room.deliver()
        # Nobody listens yet: the calls fail, and are made again when somebody does.
        await asyncio.sleep(0.2)
        async with serving.running(room.app, "127.0.0.1", port):
            for _ in range(600):
                await room.deliver()
                if len(room.said()) == 2:
                    break
                await asyncio.sleep(0.05)
        assert room.said() == ["PRICE_CALCULATING", "PRICE_CALCULATED"]


async def test_callers_that_claim_at_once_never_get_the_same_call(tmp_path: Path, database: str) -> None:
    async with running(tmp_path, database=database, pricing_seconds=0) as room:
        for order in ORDERS:
            await room.say(SHOP, Status.SUBMITTED, order)
        await room.deliver()
        await asyncio.gather(*(room.service.caller.step() for _ in range(4)))
        assert room.wire.calls.count("POST /v1/orders") == len(ORDERS)


async def test_answers_at_once_and_a_patience_that_ends_bring_each_order_one_price(
    tmp_path: Path, database: str
) -> None:
    """Every answer comes twice, while two processes look for what is late: who is first counts, and nobody else."""
    workers: dict[str, Any] = {"pricing": "workers", "pricing_patience": timedelta(minutes=1), "pricing_seconds": 0}
    async with running(tmp_path, database=database, **workers) as room:
        for order in ORDERS:
            await room.say(SHOP, Status.SUBMITTED, order, model="ab" * 32)
        await room.deliver()
        room.clock.advance(hours=1)
        answers = [room.answer(PRICE_PROGRESSED, order, progress=0.5) for order in ORDERS]
        answers += [room.answer(PRICE_CALCULATED, order) for order in ORDERS]
        receive, step = room.service.bus.receive, room.service.asking.step
        bodies = [answer.to_json() for answer in answers]
        await asyncio.gather(*(receive([body]) for body in (*bodies, *bodies)), step(), step())
        await room.turn()
        said = {order: room.said(order) for order in ORDERS}
        assert all(statuses.count("PRICE_CALCULATED") == 1 for statuses in said.values()), said
        assert all(statuses[-1] == "PRICE_CALCULATED" for statuses in said.values()), said
        async with room.service.database.reading() as connection:
            owed = (await connection.execute(sqlalchemy.select(adapter_tables.calls))).all()
            states = (await connection.scalars(sqlalchemy.select(adapter_tables.pricings.c.state))).all()
        assert sorted((call.order_id, call.kind) for call in owed) == [(order, "submit") for order in ORDERS]
        assert set(states) <= {"priced", "vendor"}


async def test_the_journal_has_no_gaps_and_never_grows_below_what_was_read(tmp_path: Path, database: str) -> None:
    """Many write at once while one reads on from the last number that it saw: it sees every line, in order."""
    async with running(tmp_path, database=database) as room:
        orders = room.service.front.orders
        seen: list[int] = []

        async def read_on() -> None:
            while len(seen) < 60:
                seen.extend(change.number for change in await orders.changes_after(seen[-1] if seen else 0, 7))
                await asyncio.sleep(0)

        writing = [orders.submit(Submission(f"x{number}", "ring", "shop")) for number in range(60)]
        await asyncio.wait_for(asyncio.gather(read_on(), *writing), 60)
        assert seen == list(range(1, 61))


async def test_followers_at_once_publish_every_line_once(tmp_path: Path, database: str) -> None:
    async with running(tmp_path, database=database, pricing_seconds=0) as room:
        for order in ORDERS:
            await room.say(SHOP, Status.SUBMITTED, order)
        await room.deliver()
        await room.service.caller.step()
        while await room.service.calculation.step():
            await asyncio.gather(*(room.service.follower.step() for _ in range(3)))
        await room.turn()
        expected = ["PRICE_CALCULATING", "PRICE_CALCULATED"]
        assert {order: room.said(order) for order in ORDERS} == dict.fromkeys(ORDERS, expected)


async def test_migrations_make_the_tables_that_the_queries_expect(tmp_path: Path, database: str) -> None:
    def differences(connection: Connection) -> list[str]:
        inspector = sqlalchemy.inspect(connection)
        found = []
        for metadata in (adapter_tables.metadata, vendor_tables.metadata):
            for name, table in metadata.tables.items():
                made = {column["name"]: column["nullable"] for column in inspector.get_columns(name)}
                if made != {column.name: bool(column.nullable) for column in table.columns}:
                    found.append(name)
                indexes = {str(index["name"]) for index in inspector.get_indexes(name)}
                found += [str(index.name) for index in table.indexes if index.name not in indexes]
        return found

    async with (
        running(tmp_path, database=database) as room,
        room.service.database.reading() as connection,
    ):
        assert await connection.run_sync(differences) == []


async def test_a_work_list_reads_its_index_and_nothing_else(tmp_path: Path) -> None:
    """Among thousands of shipped orders a list costs as much as among none: its partial index holds open work only."""
    async with running(tmp_path) as room, room.service.database.reading() as connection:
        query = (
            "EXPLAIN QUERY PLAN SELECT reference FROM vendor_orders "
            "WHERE state BETWEEN 40 AND 70 AND operator = 'ines' ORDER BY due_ms IS NULL, due_ms, number"
        )
        plan = [row[3] for row in await connection.execute(sqlalchemy.text(query))]
        assert any("USING INDEX vendor_orders_work (operator=?)" in step for step in plan), plan
