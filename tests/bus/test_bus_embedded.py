"""What the embedded bus must stand: kill -9 at any moment, a full disk, a second process on its file."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError

from services.bus import BUS_MIGRATIONS, Database, settle
from tests.bus.house import House, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bus.house import End

ROOT = Path(__file__).parents[2]
KILLS = 10


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[House]:
    """Build a house on embedded parts."""
    built = House(tmp_path)
    try:
        yield built
    finally:
        await built.close()


def process(folder: Path, task: str) -> subprocess.Popen[str]:
    """Start the process that is to be killed."""
    command = [sys.executable, "-m", "tests.bus.crashing", str(folder), task]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ})


def seen(folder: Path, name: str) -> list[tuple[str, int]]:
    """Return what a service wrote down."""
    with contextlib.closing(sqlite3.connect(folder / f"{name}.db")) as file:
        return file.execute("SELECT subject, sequence FROM seen ORDER BY number").fetchall()


def test_kill_9_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """It says and hears while it is killed: what was committed is heard, once and in order, and nothing else."""
    chance = random.Random(9)  # noqa: S311 - a seeded pause
    for _ in range(KILLS):
        with process(tmp_path, "run") as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.4))
            running.kill()
    said = seen(tmp_path, "shop")
    assert len(said) > KILLS
    with process(tmp_path, "finish") as last:
        assert last.wait(60) == 0
    heard = seen(tmp_path, "crm")
    assert sorted(heard) == sorted(said)
    for order in {order for order, _ in said}:
        sequences = [sequence for subject, sequence in heard if subject == order]
        assert sequences == list(range(1, len(sequences) + 1))
    with contextlib.closing(sqlite3.connect(tmp_path / "crm.db")) as file:
        assert file.execute("SELECT count(*) FROM bus_held").fetchone() == (0,)


async def pages(end: End, most: int | None) -> None:
    """Leave an end's disk no more pages than it has (None: as many as it likes)."""
    limit = most if most is not None else 1_000_000
    await end.database.write(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}"))


async def test_a_full_disk_fails_the_caller_whole_and_all_goes_on_with_space(embedded: House) -> None:
    shop, crm = await embedded.end("shop", hears=False), await embedded.end("crm")
    await shop.say("4711")
    await crm.until(1)
    await pages(shop, 1)
    long = "x" * 100_000
    with pytest.raises(OperationalError, match="full"):
        await shop.say("4711", "4712", "4713", word=long)
    assert (await shop.rows("SELECT count(*) FROM bus_outbox"))[0][0] == 1
    assert (await shop.rows("SELECT last FROM bus_streams"))[0][0] == 1
    await pages(shop, None)
    assert [message.sequence for message in await shop.say("4711", "4712", word=long)] == [2, 1]
    await crm.until(3)
    assert sorted(await crm.effects()) == [("4711", "/shop", 1), ("4711", "/shop", 2), ("4712", "/shop", 1)]


async def test_a_receiver_with_a_full_disk_blames_no_message(embedded: House) -> None:
    """What it cannot store stays in the sender's outbox, and comes when there is space."""
    shop, crm = await embedded.end("shop", hears=False), await embedded.end("crm")
    await pages(crm, 1)
    await shop.say(*(f"order-{number}" for number in range(50)), word="x" * 10_000)

    async def refused() -> bool:
        return bool((await shop.rows("SELECT max(attempts) FROM bus_pending"))[0][0])

    await eventually(refused)
    assert await crm.done() == 0
    await pages(crm, None)
    await crm.until(50)
    await embedded.settled()
    assert crm.bus.received.failed == 0
    assert await crm.waiting() == (0, 0, 0, 0, 0)


async def test_settle_returns_when_all_is_done(embedded: House) -> None:
    shop, crm = await embedded.end("shop", start=False), await embedded.end("crm", start=False)
    await shop.say("4711", "4712")
    await settle(shop.bus, crm.bus)
    assert await crm.done() == await shop.done() == 2


async def test_a_second_process_on_the_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}", BUS_MIGRATIONS)
    await database.start()
    program = (
        "import asyncio, sys; from services.bus import BUS_MIGRATIONS, Database; "
        "asyncio.run(Database(sys.argv[1], BUS_MIGRATIONS).start())"
    )
    command = [sys.executable, "-c", program, f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: ASYNC221 - quick
    assert second.returncode == 1
    sentence = f"another process ({os.getpid()}) uses this file; stop it, or use PostgreSQL for several"
    assert sentence in second.stderr
    await database.close()
    third = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: ASYNC221 - quick
    assert third.returncode == 0, third.stderr
