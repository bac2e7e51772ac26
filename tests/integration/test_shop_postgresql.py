"""The shop on PostgreSQL: what its locks and its ON CONFLICT must hold when requests really run at once."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from services.auth.people import Role
from services.bus import settle
from services.contract import CRM, MES, ORDER_CANCEL, Status
from services.shop.tables import metadata, orders
from tests.unit.test_shop import PRICE, running

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def database(postgres: str) -> str:
    """Return the address of an empty database."""
    return asyncio.run(_new_database(postgres))


async def _new_database(server: str) -> str:
    name = f"shop_{uuid.uuid4().hex}"
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sqlalchemy.text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()
    return f"{server}/{name}"


async def test_the_migrated_schema_has_the_columns_of_the_tables(tmp_path: Path, database: str) -> None:
    def columns(connection: sqlalchemy.Connection) -> dict[str, set[tuple[str, bool]]]:
        found = sqlalchemy.inspect(connection)
        return {t: {(c["name"], c["nullable"]) for c in found.get_columns(t)} for t in metadata.tables}

    expected = {name: {(c.name, bool(c.nullable)) for c in table.columns} for name, table in metadata.tables.items()}
    for address in (database, f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"):
        async with running(tmp_path, database=address) as shop, shop.service.database.reading() as connection:
            assert await connection.run_sync(columns) == expected


async def test_the_same_order_sent_at_once_is_one_order(tmp_path: Path, database: str) -> None:
    async with running(tmp_path, database=database) as shop:
        _, headers = await shop.customer()
        answers = await asyncio.gather(*(shop.order(headers, f"k{n % 3}") for n in range(30)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 3
        async with shop.service.database.reading() as connection:
            assert await connection.scalar(select(func.count()).select_from(orders)) == 3


async def test_one_submission_and_one_command_however_often_they_are_sent_at_once(
    tmp_path: Path, database: str
) -> None:
    async with running(tmp_path, database=database) as shop:
        _, headers = await shop.customer()
        order = (await shop.order(headers)).json()["order"]
        for action in ("submission", "cancellation"):
            sent = (shop.client.post(f"/orders/{order}/{action}", json={}, headers=headers) for _ in range(10))
            assert {answer.status_code for answer in await asyncio.gather(*sent)} == {200}
        found = await shop.get(f"/orders/{order}", headers)
        assert [event["status"] for event in found["events"]] == ["INITIATED", "SUBMITTED"]
        await settle(shop.service.bus)
        assert [command.type for command in shop.desk] == [ORDER_CANCEL]


async def test_events_of_two_systems_and_the_customers_actions_at_once_lose_nothing(
    tmp_path: Path, database: str
) -> None:
    async with running(tmp_path, database=database) as shop:
        _, headers = await shop.customer()
        placed = [(await shop.order(headers, f"k{n}")).json()["order"] for n in range(8)]
        told = []
        for order in placed:
            told += [
                shop.says(MES, order, Status.PRICE_CALCULATING),
                shop.says(MES, order, Status.PRICE_CALCULATED, price=PRICE),
                shop.says(CRM, order, Status.MANUFACTURING_APPROVED),
                shop.says(MES, order, Status.MANUFACTURING_STARTED),
            ]
        random.Random(3).shuffle(told)  # noqa: S311 - nothing secret
        shop.clock.now = min(message.time for message in told)
        submitting = [shop.client.post(f"/orders/{order}/submission", headers=headers) for order in placed]
        hearing = [shop.service.bus.receive([message.to_json()]) for message in [*told, *told[::-1]]]
        await asyncio.gather(*submitting, *hearing)
        for order in placed:
            found = await shop.get(f"/orders/{order}", headers)
            said = {event["status"] for event in found["events"]}
            assert said - {"SUBMITTED"} == {"INITIATED", *(str(m.data["status"]) for m in told if m.subject == order)}
            assert (found["status"], found["price"]["amount"]) == ("MANUFACTURING_STARTED", "412.50")
        believed = await shop.get("/statuses", shop.staff(Role.SERVICE))
        assert {one["status"] for one in believed["orders"]} == {"MANUFACTURING_STARTED"}


async def test_history_pages_and_bulk_columns_read_the_same(tmp_path: Path, database: str) -> None:
    async with running(tmp_path, database=database) as shop:
        _, headers = await shop.customer()
        placed = [(await shop.order(headers, f"k{n}")).json()["order"] for n in range(5)]
        found, cursor = [], ""
        while cursor is not None:
            page = await shop.get(f"/orders?limit=2&cursor={cursor}", headers)
            found += [order["order"] for order in page["orders"]]
            cursor = page["next"]
        assert found == sorted(placed, reverse=True), "all of one moment, so by id"
