"""Databases from before prices were asked of workers: upgraded at the first start, with all that they hold."""

from __future__ import annotations

import importlib
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import text

from pricing.messages import PRICE_CALCULATED
from pricing.storage import Area, create_store
from services.auth.people import Role
from services.bus import BUS_MIGRATIONS, Database
from services.columns import EPOCH, MICROSECOND
from services.contract import OrderFacts, Status
from services.crm import store as files
from services.mes import tables as mes
from tests.integration.test_shop_postgresql import database as postgresql
from tests.mes import ORDER
from tests.mes import running as mes_running
from tests.unit.test_mes_pricing import CALCULATED, CALCULATING, MODEL, WORKERS
from tests.unit.test_shop import MODEL as STL
from tests.unit.test_shop import START, running

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["postgresql"]
AT: Final = (START - EPOCH) // MICROSECOND
FACTS: Final = OrderFacts(channel="shop", product="ring", model=MODEL)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'old.db'}"
    found: str = request.getfixturevalue("postgresql")
    return found


async def _old(address: str, service: str, folder: Path, *rows: tuple[str, dict[str, Any]]) -> None:
    """Make a database as the first migrations of a service do, with rows in it."""
    versions = Path(importlib.import_module(f"services.{service}.app").MIGRATIONS)
    first = folder / "first"
    first.mkdir()
    shutil.copy(versions / "first.py", first)
    opened = Database(address, BUS_MIGRATIONS, first)
    await opened.start()

    async def fill(connection: AsyncConnection) -> None:
        for table, row in rows:
            names, values = ", ".join(f'"{name}"' for name in row), ", ".join(f":{name}" for name in row)
            await connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)

    await opened.write(fill)
    await opened.close()


async def test_the_shop_finds_its_orders_and_models_again(tmp_path: Path, database: str) -> None:
    """What was kept before there were areas is hot, and ages from the moment when it was brought."""
    old = tmp_path / "models"
    name = (await create_store(tmp_path / "aside").put(_stream(STL))).name
    (old / name[:2]).mkdir(parents=True)
    (old / name[:2] / name[2:]).write_bytes(STL)
    order = {"id": "o1", "customer": "c1", "channel": "online", "product": "ring", "model": name, "placed_at": AT}
    said = {"status": "CANCELLED", "source": "/crm", "sequence": 1}
    heard = {"order": "o1", "at": AT, **said}
    await _old(
        database,
        "shop",
        tmp_path,
        ("models", {"model": name, "bytes": len(STL), "format": "stl"}),
        ("uploads", {"customer": "c1", "model": name, "at": AT}),
        ("orders", {**order, **said, "since": AT}),
        ("order_statuses", heard),
    )
    async with running(tmp_path, database=database) as shop:
        [believed] = (await shop.get("/statuses", shop.staff(Role.SERVICE)))["orders"]
        assert (believed["order"], believed["status"]) == ("o1", "CANCELLED")
        assert await shop.service.objects.area(name) is Area.HOT
        await shop.service.keeping.once()
        assert await shop.service.objects.exists(name)
        shop.clock.tick(days=90)
        await shop.service.keeping.once()
        assert not await shop.service.objects.exists(name)


async def test_the_manufacturing_system_goes_on_with_an_order_that_the_vendor_has(
    tmp_path: Path, database: str
) -> None:
    """The vendor's price is told as it was before; when it is to be confirmed, the workers are asked."""
    order = {"order_id": ORDER, "facts": json.dumps(FACTS.document()), "submitted": True, "vendor_number": 1}
    believed = {"status": "SUBMITTED", "since": AT, "at": AT, "source": "/shop", "sequence": 2}
    await _old(database, "mes", tmp_path, ("adapter_orders", order | believed))
    async with mes_running(tmp_path, database=database, **WORKERS) as room:
        await room.vendor("/v2/orders", {"id": ORDER, "product": "ring", "channel": "shop", "model": {"sha256": MODEL}})
        await room.turn()
        assert room.said() == [CALCULATING, CALCULATED]
        room.clock.advance(days=1)
        await room.ask_requote()
        await room.turn()
        await room.work(room.answer(PRICE_CALCULATED))
        assert room.said() == [CALCULATING, CALCULATED] * 2
        assert room.heard[-1].data["price"]["amount"] == "412.50"
        async with room.service.database.reading() as connection:
            row = (await connection.execute(mes.orders.select())).one()
        assert (row.by_workers, row.said_at) == (True, AT + timedelta(days=1) // MICROSECOND)


async def test_the_desk_reads_its_files(tmp_path: Path, database: str) -> None:
    file = {"order_id": "o1", "channel": "shop", "product": "ring", "model": MODEL, "status": "PRICE_CALCULATED"}
    known = {"status_at": AT, "source": "/mes", "sequence": 3, "tray": "waiting", "amount": "10.00", "currency": "EUR"}
    await _old(database, "crm", tmp_path, ("files", file | known))
    desk = Database(database, BUS_MIGRATIONS, importlib.import_module("services.crm.app").MIGRATIONS)
    await desk.start()
    async with desk.reading() as connection:
        [found] = await files.desk(connection, None, 10)
    assert (found.facts, found.problems, found.picture) == (FACTS, (), None)
    assert found.status is Status.PRICE_CALCULATED
    await desk.write(lambda connection: files.save(connection, found))
    async with desk.reading() as connection:
        assert await files.file_of(connection, "o1") == found
    await desk.close()


async def _stream(content: bytes) -> Any:
    yield content
