"""What the collector stores and answers, on SQLite and on PostgreSQL: one suite, so that the two are proved equal."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from collectors.live import store
from collectors.live.app import create_service
from collectors.live.signalling import feeding
from collectors.live.tables import orders
from instrumentation.errors import BadInput
from tests import live
from tests.live import START, accounted, accounted_again, event, mixer, running, whole_order
from tests.unit.test_live_parity import OWNED, same_answer

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.live.settings import Settings

LATER = START + timedelta(days=30)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'live.db'}"
    server: str = request.getfixturevalue("postgres")
    return asyncio.run(_new_database(server))


async def _new_database(server: str) -> str:
    name = f"live_{uuid.uuid4().hex}"
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sqlalchemy.text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()
    return f"{server}/{name}"


@pytest.fixture
def configured(database: str, tmp_path: Path) -> Settings:
    """Return settings with an empty database."""
    return live.settings(tmp_path, database)


async def test_an_event_sent_twice_counts_once(configured: Settings) -> None:
    async with running(configured) as collector:
        first = await collector.send(*whole_order("a"))
        assert first == {"accepted": 5, "duplicates": 0, "quarantined": 0, "late": 0}
        again = await collector.send(*whole_order("a"), *whole_order("a"))
        assert again == {"accepted": 0, "duplicates": 10, "quarantined": 0, "late": 0}
        document = await collector.stages(LATER)
        assert (document["events"], document["duplicates"], document["orders"]) == (5, 10, 1)


async def test_the_account_is_exact_though_intakes_overlap_each_other_and_the_reading_of_the_past(
    configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "READ_AT_ONCE", 7)
    made = [whole_order(f"o{n}", begin=n, step=1 + n % 4, channel="b2b" if n % 3 else "shop") for n in range(40)]
    messages = [message for order in made for message in order]
    mixer(5).shuffle(messages)
    clock = live.Clock(START + timedelta(days=3))
    async with running(configured.model_copy(update={"signals_seconds": 1e9}), clock) as collector:
        await asyncio.gather(*(collector.send(*messages[begin:100:9]) for begin in range(9)))
        signalling = collector.service.signalling
        await signalling.start()
        await asyncio.gather(signalling.turn(), *(collector.send(*messages[100 + begin :: 9]) for begin in range(9)))
        await signalling.turn()
        kept = accounted(collector)
        assert kept[2].sum() > 0
        for one, other in zip(kept, await accounted_again(collector), strict=True):
            assert np.array_equal(one, other)


async def test_the_same_id_of_another_source_is_another_event(configured: Settings) -> None:
    async with running(configured) as collector:
        receipt = await collector.send(event("a", "NEW", 0, key="1"), event("a", "PAID", 1, key="1", source="/crm"))
        assert receipt["accepted"] == 2


async def test_bad_events_are_quarantined_once_and_stop_nothing(configured: Settings) -> None:
    bad = [{"id": "x"}, 17, event("a", "ODD", 2), {**event("a", "NEW", 0, key="n"), "subject": "a\0b"}]
    huge = {**event("a", "NEW", 0, key="h"), "sequence": "9" * 30}
    async with running(configured) as collector:
        receipt = await collector.send(*bad, huge, event("a", "NEW", 0))
        assert receipt == {"accepted": 1, "duplicates": 0, "quarantined": 5, "late": 0}
        assert (await collector.send(*bad, huge))["quarantined"] == 0
        document = await collector.stages(LATER)
        assert (document["quarantined"], document["events"]) == (5, 1)
        order = await collector.get("/orders/a")
        assert [e["note"] for e in order["events"]] == [None, "the promise does not know this status"]


async def test_state_survives_a_restart(configured: Settings) -> None:
    async with running(configured) as collector:
        await collector.send(*whole_order("a"), event("b", "NEW", 1))
        before = await collector.stages(LATER)
    async with running(configured) as collector:
        assert await collector.stages(LATER) == before
        assert (await collector.metrics())["touchstone_promise_kept_orders"] == 1


async def test_another_promise_file_measures_all_orders_anew(
    configured: Settings, database: str, tmp_path: Path
) -> None:
    events = [*whole_order("a"), event("a", "ODD", 1.5, source="/crm"), event("b", "ODD", 0)]
    async with running(configured) as collector:
        await collector.send(*events)
        assert (await collector.stages(LATER))["quarantined"] == 2
    wider = live.PROMISE.replace("off: [ASKED]", "off: [ASKED, ODD]").replace("within: 8h", "within: 3h")
    async with running(live.settings(tmp_path, database, wider)) as collector:
        document = await collector.stages(LATER)
        assert (document["quarantined"], document["events"], document["broken"]) == (0, 7, 1)
        gauges = await collector.metrics()
        assert gauges["touchstone_promise_broken_orders"] == 1
        assert gauges["touchstone_quarantined_events"] == 0
    async with running(live.settings(tmp_path, database)) as collector:
        assert (await collector.stages(LATER))["quarantined"] == 2


async def test_a_measuring_anew_that_broke_off_is_done_again(configured: Settings) -> None:
    async with running(configured) as collector:
        await collector.send(*whole_order("a"))
        before = await collector.stages(LATER)
        async with collector.service.database.reading() as connection:
            number = await store.order_number(connection, "a")
        await collector.service.database.write(collector.service.collector._begin_anew)  # noqa: SLF001 - half the work
        spoiled = sqlalchemy.update(orders).where(orders.c.number == number).values(end_at=None)
        await collector.service.database.write(lambda connection: connection.execute(spoiled))
        assert await collector.stages(LATER) != before
    async with running(configured) as collector:
        assert await collector.stages(LATER) == before


async def test_an_earlier_moment_ignores_later_events(configured: Settings) -> None:
    async with running(configured) as collector:
        await collector.send(*whole_order("a"), *whole_order("b", begin=10))
        document = await collector.stages(START + timedelta(hours=2.5))
        assert (document["orders"], document["events"], document["open"]) == (1, 3, 1)
        assert (await collector.stages(START - timedelta(hours=1)))["orders"] == 0


async def test_corrections_move_orders_between_gauges(configured: Settings) -> None:
    clock = live.Clock(START + timedelta(hours=4))
    async with running(configured, clock) as collector:
        await collector.send(*whole_order("a"))
        assert (await collector.metrics())["touchstone_promise_kept_orders"] == 1
        # The order turns out to have been cancelled before it was sent.
        await collector.send(event("a", "VOID", 2.5, source="/crm"))
        gauges = await collector.metrics()
        assert gauges["touchstone_promise_kept_orders"] == 0
        assert gauges["touchstone_promise_cancelled_orders"] == 1


async def test_many_posts_at_once_give_what_one_after_another_gives(configured: Settings) -> None:
    histories = [whole_order(f"o{number}", step=number % 3 + 1) for number in range(30)]
    messages = [message for history in histories for message in history]
    mixer(4).shuffle(messages)
    chunks = [messages[first : first + 10] for first in range(0, len(messages), 10)]
    async with running(configured) as collector:
        receipts = await asyncio.gather(*(collector.send(*chunk) for chunk in [*chunks, *chunks]))
        assert sum(receipt["accepted"] for receipt in receipts) == len(messages)
        assert sum(receipt["duplicates"] for receipt in receipts) == len(messages)
        document = await collector.stages(LATER)
        assert (document["orders"], document["kept"], document["broken"]) == (30, 20, 10)
        gauges = await collector.metrics()
        assert gauges["touchstone_promise_kept_orders"] == 20
        assert gauges["touchstone_sequence_gaps"] == 0


async def test_several_collectors_share_one_postgresql(postgres: str, tmp_path: Path) -> None:
    configured = live.settings(tmp_path, await _new_database(postgres))
    messages = [message for number in range(20) for message in whole_order(f"o{number}")]
    shuffled = [messages[first::7] for first in range(7)]
    async with running(configured) as one, running(configured) as other:
        sent = [collector.send(*chunk) for chunk in shuffled for collector in (one, other)]
        receipts = await asyncio.gather(*sent)
        assert sum(receipt["accepted"] for receipt in receipts) == len(messages)
        assert await one.stages(LATER) == await other.stages(LATER)
        assert (await other.metrics())["touchstone_promise_kept_orders"] == 20


async def test_a_second_process_is_told_that_the_file_is_in_use(tmp_path: Path) -> None:
    configured = live.settings(tmp_path)
    async with running(configured):
        second = create_service(configured)
        with pytest.raises(BadInput, match="another process"):
            await second.start()
        await second.stop()


async def test_an_unreachable_database_is_one_sentence(tmp_path: Path) -> None:
    configured = live.settings(tmp_path, "postgresql+asyncpg://nobody:secret@127.0.0.1:1/none")
    service = create_service(configured)
    with pytest.raises(BadInput, match="cannot be used as a database") as caught:
        await service.start()
    assert "secret" not in str(caught.value)
    await service.stop()


async def test_the_scan_for_gauges_uses_the_partial_index(configured: Settings) -> None:
    async with running(configured) as collector, collector.service.database.reading() as connection:
        if connection.dialect.name == "sqlite":
            text = "EXPLAIN QUERY PLAN SELECT * FROM orders WHERE settled = 4 AND number > 0 ORDER BY number"
            plan = " ".join(str(row) for row in await connection.execute(sqlalchemy.text(text)))
            assert "orders_in_flight" in plan


async def test_orders_are_chased_page_by_page(configured: Settings) -> None:
    clock = live.Clock(START + timedelta(hours=4.5))
    async with running(configured, clock) as collector:
        for number in range(7):
            await collector.send(event(f"o{number}", "NEW", number / 2, sequence=1))
        names: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await collector.get("/orders", limit=3, **cursor)
            names += [order["order"] for order in page["orders"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert names == [f"o{number}" for number in range(7)]
        late = (await collector.get("/orders", risk="late"))["orders"]
        assert all(order["risk"] == "late" for order in late)


def test_live_and_replay_agree(database: str, tmp_path: Path) -> None:
    order = whole_order("a", channel="b2b")
    skewed = [event("b", "NEW", 3, sequence=1), event("b", "PAID", 1, sequence=2), event("b", "MADE", 4, source="/mes")]
    odd = [event("c", "ODD", 1), event("c", "NEW", 2), event("c", "VOID", 3)]
    messages = [*order, *order[:2], *skewed, *odd]
    as_of = START + timedelta(hours=3.5)
    same_answer(tmp_path, OWNED, messages, as_of, mixer(1).shuffle, database)
