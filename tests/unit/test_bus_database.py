"""The embedded database: it is closed when ``close`` returns, whatever was cancelled before."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import threading
from typing import TYPE_CHECKING, Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.bus import BUS_MIGRATIONS, Database
from services.bus.database import NotOpen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def drivers() -> set[threading.Thread]:
    """Return the threads that SQLite's driver has running."""
    return {thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    one = Database(f"sqlite+aiosqlite:///{tmp_path}/kept.db", BUS_MIGRATIONS)
    await one.start()
    yield one
    await one.close()


@pytest.fixture
def unclosed() -> Iterator[list[str]]:
    """Return what Python complains of when an open connection is thrown away: nobody else hears of it."""
    complaints: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda told: complaints.append(str(told.exc_value)))
        yield complaints
        gc.collect()


async def read(database: Database) -> None:
    async with database.reading() as connection:
        await connection.execute(text("SELECT 1"))
        await connection.execute(text("SELECT 2"))


async def write(database: Database) -> None:
    await database.write(lambda connection: connection.execute(text("SELECT 1")))


def cancelled_at(task: asyncio.Task[None], operation: int, times: int, patch: pytest.MonkeyPatch) -> None:
    """Have a task cancelled as it asks the driver for its so-many-th operation, and again at each turn of the loop."""
    execute: Any = aiosqlite.Connection._execute  # noqa: SLF001 - every operation of the driver goes through here
    asked = itertools.count(1)

    def again(left: int) -> None:
        if left and not task.done():
            task.cancel()
            asyncio.get_running_loop().call_soon(again, left - 1)

    async def counted(connection: aiosqlite.Connection, *given: Any, **named: Any) -> Any:
        if next(asked) == operation:
            asyncio.get_running_loop().call_soon(again, times)
        return await execute(connection, *given, **named)

    patch.setattr(aiosqlite.Connection, "_execute", counted)


@pytest.mark.parametrize("times", [1, 2, 50])
@pytest.mark.parametrize("job", [read, write])
async def test_whoever_is_cancelled_at_any_moment_leaves_no_connection_open(
    tmp_path: Path,
    unclosed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    job: Callable[[Database], Coroutine[Any, Any, None]],
    times: int,
) -> None:
    """While it opens, in the middle of a statement, as it is given back; once, or again and again as anyio does it."""
    before = drivers()
    interrupted = 0
    for operation in range(1, 14):
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/kept{operation}.db", BUS_MIGRATIONS)
        await database.start()
        task = asyncio.create_task(job(database))
        with monkeypatch.context() as patch:
            cancelled_at(task, operation, times, patch)
            await asyncio.wait({task})
        interrupted += task.cancelled()
        await job(database)
        await database.close()
        del task
        gc.collect()
    assert interrupted >= 3
    assert not unclosed
    assert not caplog.records
    await gone(before)


async def gone(before: set[threading.Thread]) -> None:
    """Wait for the last moments of threads that have done all that they had to do."""
    for thread in drivers() - before:
        await asyncio.to_thread(thread.join, 10)
    assert drivers() <= before


async def test_a_statement_that_nobody_waits_for_any_more_is_broken_off(database: Database) -> None:
    """It would take minutes, and keep the file from being tidied up."""
    reader = asyncio.create_task(slow(database))
    await asyncio.sleep(0.05)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await write(database)


async def slow(database: Database) -> None:
    async with database.reading() as connection:
        await connection.execute(text(ENDLESS))


async def test_a_database_that_closes_breaks_off_what_is_still_read(tmp_path: Path, unclosed: list[str]) -> None:
    before = drivers()
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/kept.db", BUS_MIGRATIONS)
    await database.start()
    reader = asyncio.create_task(slow(database))
    await asyncio.sleep(0.05)
    await database.close()
    with pytest.raises(DBAPIError):
        await reader
    gc.collect()
    assert not unclosed
    await gone(before)


async def test_a_database_that_is_not_open_says_so(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/kept.db", BUS_MIGRATIONS)
    with pytest.raises(NotOpen):
        await database.write(lambda connection: connection.execute(text("SELECT 1")))
    await database.start()
    await database.close()
    with pytest.raises(NotOpen):
        async with database.reading():
            pass
