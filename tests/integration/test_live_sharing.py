"""Several collectors on one PostgreSQL: all take events in, one tells the signals, and its account is that of all."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from collectors.live import moved
from collectors.live.signalling import feeding
from collectors.live.signalling import running as turns
from tests import live
from tests.live import START, Live, accounted, accounted_again, mixer, running, whole_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from collectors.live.settings import Settings

FAR: Final = 1e9
LEADER: Final = "touchstone_signals_leader"
LAST_RUN: Final = "touchstone_signals_last_run_timestamp_seconds"
# Cuts the connection that holds the lock, in this database only, and waits until it is gone.
CUT: Final = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE locktype = 'advisory' AND datname = current_database()
"""


@pytest.fixture
async def database(postgres: str) -> str:
    """Return the address of an empty database."""
    name = f"sharing_{uuid.uuid4().hex}"
    await asked(f"{postgres}/postgres", f'CREATE DATABASE "{name}"')
    return f"{postgres}/{name}"


async def asked(database: str, statement: str) -> None:
    """Run a statement beside the collectors."""
    engine = create_async_engine(database, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sqlalchemy.text(statement))
    await engine.dispose()


@pytest.fixture
def configured(database: str, tmp_path: Path) -> Settings:
    """Return settings of collectors that share a database, and take a turn only when they are told to."""
    return live.settings(tmp_path, database, signals_seconds=FAR)


@pytest.fixture
async def pair(configured: Settings) -> AsyncIterator[tuple[Live, Live]]:
    """Run two collectors; the first one leads."""
    clock = live.Clock(START + timedelta(days=3))
    async with running(configured, clock) as first, running(configured, clock) as second:
        for one in (first, second):
            await one.service.signalling.turn()
        yield first, second


def messages(orders: int, seed: int) -> list[Any]:
    """Return the events of orders of two channels, shuffled, some of them twice."""
    made = [whole_order(f"o{n}", begin=n, step=1 + n % 4, channel="b2b" if n % 3 else "shop") for n in range(orders)]
    found = [message for order in made for message in order]
    chance = mixer(seed)
    found += chance.sample(found, orders)
    chance.shuffle(found)
    return found


async def sent(pair: tuple[Live, Live], some: list[Any], each: int = 6) -> None:
    """Send messages to both at once, in small batches."""
    batches = enumerate(range(0, len(some), each))
    await asyncio.gather(*(pair[n % 2].send(*some[begin : begin + each]) for n, begin in batches))


async def exact(leader: Live) -> None:
    """Hold the leader's account against all of the past read anew."""
    kept, orders = accounted(leader), leader.service.signalling.account.recent.visits
    assert kept[2].sum() > 0
    for one, other in zip(kept, await accounted_again(leader), strict=True):
        assert np.array_equal(one, other)
    again = leader.service.signalling.account.recent.visits
    for name in ("order", "stage", "entered", "left", "then", "promised"):
        assert np.array_equal(getattr(orders, name), getattr(again, name)), name


async def test_one_tells_the_signals_and_its_account_holds_what_the_other_took_in(pair: tuple[Live, Live]) -> None:
    first, second = pair
    some = messages(30, 1)
    for begin in range(0, len(some), 60):
        await sent(pair, some[begin : begin + 60])
        await first.service.signalling.turn()
        await second.service.signalling.turn()
    told, silent = await first.metrics(), await second.metrics()
    assert (told[LEADER], silent[LEADER]) == (1, 0)
    assert LAST_RUN in told
    assert not {name for name in silent if "_evidence_" in name or "_expected_" in name} | ({LAST_RUN} & set(silent))
    await exact(first)


@pytest.mark.parametrize("seed", range(3))
async def test_the_account_is_exact_though_it_is_begun_while_both_take_events_in(
    pair: tuple[Live, Live], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever overlaps: intakes of both, the begin of the account, the reading of the past in small parts."""
    monkeypatch.setattr(feeding, "READ_AT_ONCE", 7)
    monkeypatch.setattr(turns, "MOVES_AT_ONCE", 1)
    some, signalling = messages(60, seed), pair[0].service.signalling

    async def turning() -> None:
        for _ in range(3):
            await signalling.start()
            await signalling.turn()

    await sent(pair, some[:100])
    await asyncio.gather(turning(), sent(pair, some[100:]))
    await signalling.turn()
    await exact(pair[0])


async def test_what_the_other_took_in_first_may_be_heard_of_last(pair: tuple[Live, Live]) -> None:
    """The account has the leader's events of two orders, and then hears of one before them, and of two around them."""
    first, second = pair
    for number in (1, 2):
        line = whole_order(f"o{number}", begin=1, step=1, channel="shop")
        for collector, message in zip((second, first, second)[: number + 1], line, strict=False):
            await collector.send(message)
    await first.service.signalling._apply()  # noqa: SLF001 - what it does while it reads a long past
    await first.service.signalling.turn()
    await exact(first)


async def test_another_one_leads_once_the_first_has_ended(configured: Settings) -> None:
    clock = live.Clock(START + timedelta(days=3))
    some = messages(30, 2)
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(configured, clock))
        async with running(configured, clock) as second:
            await sent((first, second), some[:90])
            await first.service.signalling.turn()
            await sent((first, second), some[90:120])
            await stack.aclose()
            await second.send(*some[120:])
            await second.service.signalling.turn()
            assert (await second.metrics())[LEADER] == 1
            await exact(second)


async def test_who_has_lost_the_lead_unheard_spoils_nothing(pair: tuple[Live, Live], database: str) -> None:
    """Its connection is gone and it does not know: what it takes in counts all the same, in the other's account."""
    first, second = pair
    some = messages(30, 3)
    await sent(pair, some[:60])
    await first.service.signalling.turn()
    await asked(database, CUT)
    await second.service.signalling.turn()
    await sent(pair, some[60:])
    await first.service.signalling.turn()
    await second.service.signalling.turn()
    assert [(await one.metrics())[LEADER] for one in pair] == [0, 1]
    assert LAST_RUN not in await first.metrics()
    await exact(second)


async def test_a_lock_that_is_lost_and_won_again_leaves_the_account_as_it_is(
    configured: Settings, database: str
) -> None:
    async with running(configured, live.Clock(START + timedelta(days=3))) as alone:
        signalling = alone.service.signalling
        await alone.send(*messages(10, 4)[:40])
        await signalling.turn()
        account = signalling.account
        await asked(database, CUT)
        await alone.send(*messages(10, 4)[40:])
        await signalling.turn()
        assert signalling.account is account
        await exact(alone)


async def test_an_account_is_begun_though_others_never_cease_to_take_events_in(
    configured: Settings, database: str
) -> None:
    """Somebody always holds the generation: who comes later waits behind the one that begins, and does not pass it."""
    async with running(configured, live.Clock(START + timedelta(days=3))) as one:
        engine = create_async_engine(database)

        async def holding(number: int) -> None:
            await asyncio.sleep(number / 10)
            while True:
                async with engine.begin() as connection:
                    await moved.generation(connection)
                    await asyncio.sleep(0.4)

        holders = [asyncio.create_task(holding(number)) for number in range(4)]
        await asyncio.sleep(1)
        one.service.signalling.tracker.end()
        await asyncio.wait_for(one.service.signalling.turn(), 20)
        assert one.service.signalling.leads
        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)
        await engine.dispose()


async def test_a_generation_that_was_not_committed_is_nobody_s(
    pair: tuple[Live, Live], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fails to begin its account, the other begins with the same number: what the one takes in is written down."""
    one, other = pair
    first = one.service.signalling
    await first.turn()
    write = first.database.write

    async def undone(work: Any) -> None:
        async def failing(connection: Any) -> None:
            await work(connection)
            raise OSError("the connection is lost at the commit")

        await write(failing)

    with monkeypatch.context() as patched:
        patched.setattr(first.database, "write", undone)
        one.service.signalling.tracker.end()
        with pytest.raises(OSError, match="lost"):
            await first.turn()
    await asked(database, CUT)
    await other.service.signalling.turn()
    assert other.service.signalling.leads
    await one.send(*whole_order("late"))
    await other.service.signalling.turn()
    await exact(other)


async def test_who_does_not_lead_decides_no_reference_and_knows_of_decisions(pair: tuple[Live, Live]) -> None:
    first, second = pair
    first.clock.now = START + timedelta(days=38)
    await first.send(*(message for n in range(100) for message in whole_order(f"o{n}", begin=n * 7)))
    await first.service.signalling.turn()
    period = {"begin": START.isoformat(), "end": (START + timedelta(hours=700)).isoformat(), "why": "a try"}
    answer = await second.client.post("/reference", json=period)
    assert answer.status_code == httpx.codes.CONFLICT
    assert "ask that one" in answer.json()["detail"]
    answer = await first.client.post("/reference", json=period)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    opened = START + timedelta(days=37)
    window = {"begin": opened.isoformat(), "end": (opened + timedelta(days=2)).isoformat(), "why": "the MES moves"}
    assert (await second.client.post("/maintenance", json=window)).json()["now"]
    for one in pair:
        await one.service.signalling.turn()
        assert (await one.get("/reference"))["in_force"]
        assert (await one.metrics())["touchstone_maintenance"] == 1
    answer = await first.client.post("/maintenance/1/withdraw", json={"why": "it does not move"})
    assert [window["withdrawn_why"] for window in answer.json()["windows"]] == ["it does not move"]
    for one in pair:
        await one.service.signalling.turn()
        assert (await one.metrics())["touchstone_maintenance"] == 0
