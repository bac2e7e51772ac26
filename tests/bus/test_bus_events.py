"""What is said reaches everybody who listens, once and in order, on embedded and on real parts alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.bus.house import TYPE, eventually

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message
    from tests.bus.house import House

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_an_event_reaches_every_consumer_once_and_in_its_streams_order(house: House) -> None:
    shop, crm, mes = [await house.end(name) for name in ("shop", "crm", "mes")]
    orders = [f"order-{number}" for number in range(20)]
    for _ in range(5):
        await asyncio.gather(shop.say(*orders), mes.say(*orders))
    await house.settled()
    expected = {(order, source): [1, 2, 3, 4, 5] for order in orders for source in ("/shop", "/mes")}
    for end in (shop, crm, mes):
        assert await end.by_stream() == expected


async def test_a_rolled_back_transaction_says_nothing(house: House) -> None:
    shop, crm = await house.end("shop"), await house.end("crm")

    async def fails(connection: AsyncConnection) -> None:
        await shop.bus.publish(connection, TYPE, "4711", {"word": "never"})
        await shop.bus.send(connection, "nobody", "do.v1", "4711", {})
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await shop.database.write(fails)
    (said,) = await shop.say("4711")
    await house.settled()
    assert said.sequence == 1
    assert await crm.effects() == [("4711", "/shop", 1)]


async def test_twenty_writers_of_one_order_leave_no_gap(house: House) -> None:
    """Sequences are given under the row lock: none is given twice, none is left out, even where transactions fail."""
    shop = await house.end("shop")

    async def writes(number: int) -> int | None:
        async def work(connection: AsyncConnection) -> int | None:
            sequence = (await shop.bus.publish(connection, TYPE, "4711", {})).sequence
            await asyncio.sleep(0.001)
            if number % 5 == 0:
                raise ArithmeticError
            return sequence

        try:
            return await shop.database.write(work)
        except ArithmeticError:
            return None

    given = [sequence for sequence in await asyncio.gather(*map(writes, range(20))) if sequence is not None]
    assert sorted(given) == list(range(1, 17))
    await house.settled()
    assert await shop.effects() == [("4711", "/shop", sequence) for sequence in range(1, 17)]


async def test_a_trace_and_an_event_time_travel_with_the_message(house: House) -> None:
    heard: list[Message] = []
    shop, crm = await house.end("shop", traceparent=lambda: TRACE), await house.end("crm")
    crm.trouble = heard.append
    (said,) = await shop.say("4711", word="hello")
    await crm.until(1)
    assert heard == [said]
    assert heard[0].traceparent == TRACE


async def test_a_broadcast_is_heard_by_every_process(house: House) -> None:
    """Caches in two processes hear of a change, and a listener that fails harms nobody."""
    shop = await house.end("shop", start=False)
    twin = await house.end("shop", of=shop, start=False)
    heard: list[tuple[str, str]] = []

    def fails(_message: Message) -> None:
        raise ArithmeticError

    shop.bus.on_broadcast(TYPE, fails)
    shop.bus.on_broadcast(TYPE, lambda message: heard.append(("one", message.subject)))
    twin.bus.on_broadcast(TYPE, lambda message: heard.append(("two", message.subject)))
    twin.bus.on_broadcast("other.v1", lambda message: heard.append(("never", message.subject)))
    crm = await house.end("crm")
    await house.start(shop)
    await house.start(twin)

    async def both() -> bool:
        await crm.say("ring")
        await asyncio.sleep(0.05)
        return {("one", "ring"), ("two", "ring")} <= set(heard)

    await eventually(both)
    await house.settled()
    assert {who for who, _ in heard} == {"one", "two"}
    assert await shop.done() == await crm.done()


async def test_competing_workers_do_each_command_once(house: House) -> None:
    shop = await house.end("shop", hears=False)
    mes = await house.end("mes", commands=["pricing"])
    twin = await house.end("mes", of=mes, commands=["pricing"])
    orders = [f"order-{number}" for number in range(300)]
    await shop.ask("pricing", *orders)
    await house.settled()
    await mes.until(300)
    assert sorted(subject for subject, _, _ in await mes.effects()) == sorted(orders)
    assert len(mes.tried) + len(twin.tried) == 300


async def test_a_flood_of_one_class_of_commands_does_not_starve_another(house: House) -> None:
    shop = await house.end("shop", hears=False, start=False)
    mes = await house.end("mes", commands=["bulk", "express"])
    await shop.ask("bulk", *(f"bulk-{number}" for number in range(800)))
    await shop.ask("express", "urgent")
    await house.start(shop)
    await mes.until(801)
    subjects = [subject for subject, _, _ in await mes.effects()]
    assert len(subjects) == len(set(subjects)) == 801
    assert subjects.index("urgent") < 400


async def test_what_nobody_takes_stays_in_the_outbox_until_somebody_does(house: House) -> None:
    """A returned message is not a sent one, and holds up no other."""
    shop, crm = await house.end("shop", hears=False), await house.end("crm")
    await shop.ask("nowhere", *(f"lost-{number}" for number in range(700)))
    await shop.say("4711")
    await crm.until(1)

    async def all_but_those() -> bool:
        return (await shop.bus.watch.look()).backlog.pending == 700

    await eventually(all_but_those)
    mes = await house.end("mes", commands=["nowhere"])
    await mes.until(700)
    await house.settled()
    assert await mes.done() == 700


async def test_a_type_without_handler_is_let_pass_and_its_successor_is_not_kept_waiting(house: House) -> None:
    shop, crm = await house.end("shop"), await house.end("crm")

    async def work(connection: AsyncConnection) -> None:
        await shop.bus.publish(connection, "other.v1", "4711", {})
        await shop.bus.publish(connection, TYPE, "4711", {})

    await shop.database.write(work)
    await house.settled()
    assert await crm.effects() == [("4711", "/shop", 2)]


async def test_a_replay_reaches_one_consumer_alone_and_changes_nothing(house: House) -> None:
    """Replaying all of history twice to every consumer leaves the same state hash."""
    shop, crm, mes = [await house.end(name) for name in ("shop", "crm", "mes")]
    for _ in range(4):
        await shop.say(*(f"order-{number}" for number in range(25)), word="said")
        await mes.say(*(f"order-{number}" for number in range(25)), word="made")
    await house.settled()
    states = [await end.state() for end in house.ends]
    received = [end.bus.received.duplicates for end in house.ends]
    assert await shop.database.write(lambda connection: shop.bus.replay(connection, "crm", ["order-1", "order-2"])) == 8
    await house.settled()

    async def redelivered() -> bool:
        return crm.bus.received.duplicates >= received[1] + 8

    await eventually(redelivered)
    assert [end.bus.received.duplicates - before for end, before in zip(house.ends, received, strict=True)] == [0, 8, 0]
    for _ in range(2):
        for end in (shop, mes):
            for consumer in ("shop", "crm", "mes"):
                sent = await end.database.write(lambda c, e=end, to=consumer: e.bus.replay(c, to))  # type: ignore[misc]
                assert sent == 100
        await house.settled()
        assert [await end.state() for end in house.ends] == states


async def test_one_event_may_go_to_two_targets_in_one_window(house: House) -> None:
    """Only what was stored counts as sent: the copies for a consumer that is not there stay in the outbox."""
    shop, crm = await house.end("shop", hears=False, relay=False), await house.end("crm")
    await shop.say(*(f"order-{number}" for number in range(20)))
    for consumer in ("crm", "nobody"):
        await shop.database.write(lambda connection, to=consumer: shop.bus.replay(connection, to))  # type: ignore[misc]
    assert await shop.bus.relay.once() == 40
    await crm.until(20)
    left = await shop.rows("SELECT target, count(*) FROM bus_pending GROUP BY target")
    assert [tuple(row) for row in left] == [("consumer/nobody", 20)]
    await shop.database.write(_forget)


async def test_a_new_consumer_learns_all_of_history_by_replay(house: House) -> None:
    shop = await house.end("shop")
    for _ in range(3):
        await shop.say(*(f"order-{number}" for number in range(30)))
    await house.settled()
    late = await house.end("late")
    assert await late.done() == 0
    await shop.database.write(lambda connection: shop.bus.replay(connection, "late"))
    await late.until(90)
    await house.settled()
    assert await late.by_stream() == {(f"order-{number}", "/shop"): [1, 2, 3] for number in range(30)}


async def test_the_outbox_says_when_its_oldest_message_was_recorded(house: House) -> None:
    shop = await house.end("shop", hears=False, relay=False)
    before = shop.bus.now_us()
    await shop.say("4711")
    await shop.say("4712")
    async with shop.database.reading() as connection:
        backlog = await shop.bus.backlog(connection)
    assert backlog.pending == 2
    assert backlog.oldest is not None
    assert before <= backlog.oldest <= shop.bus.now_us()
    rows = await shop.rows("SELECT position FROM bus_outbox ORDER BY position")
    assert len(rows) == 2
    assert await shop.database.write(_forget) == 2
    await house.settled()


async def _forget(connection: AsyncConnection) -> int:
    return (await connection.execute(text("DELETE FROM bus_pending"))).rowcount
