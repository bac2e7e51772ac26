"""The embedded database: it is closed when ``close`` returns, whatever was cancelled before."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from services.bus import BUS_MIGRATIONS, Database
from services.bus.database import NotOpen

if TYPE_CHECKING:
    from pathlib import Path

SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n"


def drivers() -> set[threading.Thread]:
    """Return the threads that SQLite's driver has running."""
    return {thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name}


async def test_no_thread_of_a_cancelled_reader_outlives_its_database(tmp_path: Path) -> None:
    """A reader that is cancelled within a statement leaves its connection behind; closing waits for it."""
    before = drivers()
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/kept.db", BUS_MIGRATIONS)
    await database.start()

    async def read() -> None:
        async with database.reading() as connection:
            await connection.execute(text(SLOW))

    for pause in (0.0, 0.001, 0.05):
        reader = asyncio.create_task(read())
        await asyncio.sleep(pause)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert drivers() > before
    await database.close()
    assert drivers() <= before


async def test_a_reader_that_is_cancelled_while_its_connection_opens_leaves_none_open(tmp_path: Path) -> None:
    """Whoever is cancelled at any moment of the opening: nobody would close it, and Python complains of it later."""
    before = drivers()
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/kept.db", BUS_MIGRATIONS)
    await database.start()
    at_rest = drivers()

    async def read() -> None:
        async with database.reading():
            pytest.fail("it was cancelled while it opened")

    for turns in range(1, 4):
        reader = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    for thread in drivers() - at_rest:
        await asyncio.to_thread(thread.join, 10)
    assert drivers() == at_rest
    await database.close()
    assert drivers() <= before


async def test_a_database_that_is_not_open_says_so(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/kept.db", BUS_MIGRATIONS)
    with pytest.raises(NotOpen):
        await database.write(lambda connection: connection.execute(text("SELECT 1")))
    await database.start()
    await database.close()
    with pytest.raises(NotOpen):
        async with database.reading():
            pass
