"""Duplicates, early arrivals, failing handlers, dead letters: each message is applied once and in order all along."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from services.bus import Message, Refusal
from tests.bus.house import TYPE, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.bus.house import End, House

WHEN = datetime(2026, 3, 1, tzinfo=UTC)


def event(sequence: int | None, order: str = "4711", **changed: Any) -> Message:
    """Return an event of a service that is not in the house."""
    message = Message(f"{order}-{sequence}", "/far", TYPE, order, WHEN, {"word": "far"}, sequence)
    return replace(message, **changed)


async def hear(house: House, end: End, *messages: Message) -> None:
    """Deliver messages, one after the other."""
    for message in messages:
        await house.deliver(end, message.to_json(), order=message.subject)
    await house.settled()


def failing(times: int, *keys: str, error: Exception | None = None) -> Callable[[Message], None]:
    """Return a handler's trouble: the messages of these ids fail so many times each."""
    left = dict.fromkeys(keys, times)

    def trouble(message: Message) -> None:
        if left.get(message.id, 0) > 0:
            left[message.id] -= 1
            raise error or ValueError(f"no price for {message.subject}\0")

    return trouble


async def test_duplicates_are_applied_once(house: House) -> None:
    """Doubled in one batch, in two, early and late."""
    crm = await house.end("crm")
    one, two, three = event(1), event(2), event(3)
    await crm.bus.receive([body.to_json() for body in (three, three, one, one, two)])
    await hear(house, crm, one, two, three, three)
    assert await crm.effects() == [("4711", "/far", 1), ("4711", "/far", 2), ("4711", "/far", 3)]
    assert crm.bus.received.applied == 3
    assert crm.bus.received.duplicates == 6
    assert await crm.waiting() == (0, 0, 0, 0, 0)


async def test_an_early_arrival_waits_for_the_missing_one(house: House) -> None:
    crm = await house.end("crm")
    await hear(house, crm, event(3), event(2), event(1, "other"))
    assert await crm.effects() == [("other", "/far", 1)]
    assert (await crm.waiting()).parked == 2
    await hear(house, crm, event(1))
    assert (await crm.effects())[1:] == [("4711", "/far", 1), ("4711", "/far", 2), ("4711", "/far", 3)]
    assert (await crm.waiting()).parked == 0


async def test_two_sources_may_use_one_id(house: House) -> None:
    """An id is unique within its source only: neither takes the other's place, early or failing."""
    crm = await house.end("crm")
    mine, yours = event(2, id="same"), event(2, id="same", source="/near")
    await crm.bus.receive([mine.to_json(), yours.to_json()])
    assert (await crm.waiting()).parked == 2
    crm.trouble = failing(1, "same")
    await hear(house, crm, event(1), event(1, source="/near"))
    assert sorted(await crm.effects()) == [("4711", s, n) for s in ("/far", "/near") for n in (1, 2)]


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_history_shuffled_and_doubled_gives_the_state_of_the_clean_one(house: House, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded shuffle
    clean = [event(n, f"o{k}", source=f"/s{k % 2}", id=f"{k}-{n}") for k in range(15) for n in range(1, 9)]
    shuffled = clean * 2
    chance.shuffle(shuffled)
    crm, mes = await house.end("crm", consumer="one"), await house.end("mes", consumer="one", hears=not house.real)
    while shuffled:
        batch = [shuffled.pop() for _ in range(min(len(shuffled), chance.randint(1, 20)))]
        await crm.bus.receive([message.to_json() for message in batch])
    await mes.bus.receive([message.to_json() for message in clean])
    if not house.real:
        assert await crm.state() == await mes.state()
    assert crm.bus.received.applied == len(clean)
    assert all(handled == list(range(1, 9)) for handled in (await crm.by_stream()).values())
    assert (await crm.waiting()).parked == 0


async def test_concurrent_deliveries_of_one_history_apply_it_once(house: House) -> None:
    """Two processes of one consumer that get the same messages at once leave each applied once, in order."""
    crm = await house.end("crm")
    twin = await house.end("crm-twin", of=crm, consumer="crm", source="/crm")
    clean = [event(n, f"o{k}", id=f"{k}-{n}").to_json() for k in range(10) for n in range(1, 11)]
    halves = [clean[start : start + 10] for start in range(0, 100, 10)]
    await asyncio.gather(*(end.bus.receive(half) for half in halves for end in (crm, twin)))
    assert await crm.by_stream() == {(f"o{k}", "/far"): list(range(1, 11)) for k in range(10)}


async def test_a_failing_handler_is_tried_again_and_its_successors_wait(house: House) -> None:
    crm = await house.end("crm")
    crm.trouble = failing(3, "4711-2")
    await hear(house, crm, *(event(n) for n in (1, 2, 3)), event(1, "other"))
    assert (await crm.by_stream())["4711", "/far"] == [1, 2, 3]
    assert crm.tried.count("4711-2") == 4
    assert crm.bus.received.failed == 3
    assert crm.bus.received.died == 0
    assert await crm.waiting() == (0, 0, 0, 0, 0)


async def test_a_refused_message_is_dead_at_once(house: House) -> None:
    crm = await house.end("crm")
    crm.trouble = failing(1, "4711-1", error=Refusal("no such item"))
    await hear(house, crm, event(2), event(1))
    (letter,) = await crm.dead()
    assert (letter["id"], letter["failures"], letter["reason"]) == ("4711-1", 1, "Refusal: no such item")
    assert crm.tried == ["4711-1"]
    assert (await crm.waiting()).parked == 1
    assert await crm.bus.revive(["4711-1"]) == 1
    await house.settled()
    assert await crm.effects() == [("4711", "/far", 1), ("4711", "/far", 2)]


async def test_a_parked_message_that_is_refused_when_its_turn_comes_is_dead(house: House) -> None:
    crm = await house.end("crm")
    crm.trouble = failing(1, "4711-2", error=Refusal("no"))
    await crm.bus.receive([event(3).to_json(), event(2).to_json()])
    await hear(house, crm, event(1))
    assert await crm.effects() == [("4711", "/far", 1)]
    assert await crm.waiting() == (1, 0, 1, 0, 0)


async def test_too_many_failures_make_a_dead_letter_and_park_exactly_its_successors(house: House) -> None:
    crm = await house.end("crm")
    crm.trouble = failing(5, "4711-2")
    await hear(house, crm, *(event(n, order) for n in (1, 2, 3, 4) for order in ("4711", "other")))
    (letter,) = await crm.dead()
    assert letter["failures"] == 5
    assert letter["reason"].startswith("ValueError: no price for 4711")
    assert letter["arrived_at"] < letter["dead_at"]
    assert await crm.by_stream() == {("4711", "/far"): [1], ("other", "/far"): [1, 2, 3, 4]}
    assert await crm.waiting() == (2, 0, 1, 0, 0)
    assert await crm.bus.revive() == 1
    await house.settled()
    assert (await crm.by_stream())["4711", "/far"] == [1, 2, 3, 4]
    assert await crm.waiting() == (0, 0, 0, 0, 0)


async def test_a_message_that_failed_before_its_predecessor_waits_for_that_one(house: House) -> None:
    """In one batch the second fails first, then the first for good: the second waits behind it, and is not tried."""
    crm = await house.end("crm")
    second_failed: list[str] = []

    def trouble(message: Message) -> None:
        if message.id == "4711-2" and not second_failed:
            second_failed.append(message.id)
            raise ValueError
        if message.id == "4711-1" and second_failed and len(crm.tried) < 100:
            raise Refusal("broken")

    crm.trouble = trouble
    await crm.bus.receive([event(n).to_json() for n in (1, 2, 3)])
    await house.settled()
    assert await crm.waiting() == (2, 0, 1, 0, 0)
    crm.trouble = lambda _message: None
    await crm.bus.revive()
    await house.settled()
    assert await crm.effects() == [("4711", "/far", n) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe no json", "no JSON"),
        (orjson.dumps([1]), "no JSON object"),
        (event(1).to_json().replace(b'"subject":"4711"', b'"subject":""'), "`subject`"),
        (event(1).to_json().replace(b'"sequence":"1"', b'"sequence":"x"'), "`sequence`"),
        (event(1).to_json().replace(b'"sequence":"1"', b'"sequence":"%s"' % (b"9" * 5_000)), "`sequence`"),
        (event(1).to_json().replace(b"2026-03-01T00:00:00.000000+00:00", b"0001-01-01T00:00:00+23:00"), "`time`"),
        (event(1).to_json().replace(b'"4711"', b'"%s"' % (b"4" * 3_000)), "`subject` is longer"),
    ],
    ids=["no-json", "no-object", "no-subject", "no-number", "huge-number", "no-moment", "endless-subject"],
)
async def test_an_unreadable_body_is_a_dead_letter_and_opens_a_gap(house: House, body: bytes, reason: str) -> None:
    """It blocks nothing; what it should have been is missed, and said to be, once later ones have waited a minute."""
    crm = await house.end("crm")
    await house.deliver(crm, body)
    await hear(house, crm, event(2), event(1, "other"))
    (letter,) = await crm.dead()
    assert reason in letter["reason"]
    assert bytes(letter["body"]) == body
    assert await crm.effects() == [("other", "/far", 1)]
    assert await crm.waiting() == (1, 0, 1, 0, 1)
    assert await crm.bus.revive() == 0
    house.clock.ahead = timedelta(seconds=61)
    assert await crm.waiting() == (1, 0, 1, 1, 1)
    await hear(house, crm, event(1))
    assert await crm.waiting() == (0, 0, 1, 0, 1)


async def test_a_gap_is_told_when_it_opens_and_when_it_closes(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """A stream behind a dead letter has no gap: its missing message is known."""
    crm = await house.end("crm")
    crm.trouble = failing(1, "dead-1", error=Refusal("no"))
    await hear(house, crm, event(2), event(3), event(1, "dead"), event(2, "dead"))
    house.clock.ahead = timedelta(seconds=59)
    assert (await crm.bus.watch.look()).waiting.gaps == 0
    house.clock.ahead = timedelta(seconds=62)
    caplog.set_level(logging.INFO, "touchstone.bus")
    caplog.clear()
    for _ in range(2):
        assert (await crm.bus.watch.look()).waiting.gaps == 1
    told = [record for record in caplog.records if "a gap" in record.getMessage()]
    assert [(record.levelname, record.__dict__["order_id"]) for record in told] == [("ERROR", "4711")]
    assert "event 1 of this order from /far is missing" in told[0].getMessage()
    await hear(house, crm, event(1))
    await crm.bus.watch.look()
    assert "a gap is closed: event 1 of this order from /far" in caplog.messages


async def test_a_database_that_fails_while_receiving_loses_nothing(house: House) -> None:
    """Nothing is acknowledged before it is stored, and no message is blamed."""
    shop, crm = await house.end("shop", hears=False), await house.end("crm")
    write = crm.database.write
    refused = 0

    async def down(_work: object) -> Any:
        nonlocal refused
        refused += 1
        raise OperationalError("SELECT 1", {}, ConnectionRefusedError("down"), connection_invalidated=True)

    crm.database.write = down  # type: ignore[assignment,method-assign]
    for _ in range(3):
        await shop.say(*(f"order-{number}" for number in range(20)))

    async def tried() -> bool:
        return refused > 1

    await eventually(tried)
    crm.database.write = write  # type: ignore[method-assign]
    await crm.until(60)
    await house.settled()
    assert await crm.by_stream() == {(f"order-{number}", "/shop"): [1, 2, 3] for number in range(20)}
    assert crm.bus.received.failed == 0


async def test_what_breaks_a_transaction_at_its_end_is_isolated_too(house: House) -> None:
    """A statement outside of any handler fails for one message of a batch: that one is dead, the others are done."""
    crm = await house.end("crm")
    apply = crm.bus.inbox._apply  # noqa: SLF001 - stands for a constraint that is checked at commit

    async def committing(messages: Any, connection: AsyncConnection) -> Any:
        done = await apply(messages, connection)
        if any(message.subject == "bad" for message, _ in messages):
            raise IntegrityError("COMMIT", {}, ValueError("a deferred constraint"))
        return done

    crm.bus.inbox._apply = committing  # type: ignore[method-assign] # noqa: SLF001
    await crm.bus.receive([event(1, order).to_json() for order in ("a", "bad", "b")])
    await house.settled()
    assert sorted(await crm.by_stream()) == [("a", "/far"), ("b", "/far")]
    assert [letter["subject"] for letter in await crm.dead()] == ["bad"]


async def test_thousands_of_parked_messages_are_applied_when_the_first_comes(house: House) -> None:
    """No statement has a parameter for each message: SQLite allows 32,766 of them, PostgreSQL's protocol 32,767."""
    crm = await house.end("crm")
    bodies = [event(n, id=f"{n}").to_json() for n in range(2, 3_002)]
    await crm.bus.receive(bodies)
    assert (await crm.waiting()).parked == 3_000
    await crm.bus.receive([event(1).to_json()])
    assert await crm.done() == 3_001
    assert await crm.waiting() == (0, 0, 0, 0, 0)


async def test_a_cancelled_receiver_leaves_nothing_half_done(house: House) -> None:
    """Cancelled anywhere in its transaction, it has done all or nothing, and the next one is not hindered."""
    crm = await house.end("crm")
    chance = random.Random(7)  # noqa: S311 - a seeded pause
    for batch in range(25):
        bodies = [event(n, f"o{batch}", id=f"{batch}-{n}").to_json() for n in range(1, 6)]
        task = asyncio.create_task(crm.bus.receive(bodies))
        await asyncio.sleep(chance.random() * 0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await crm.by_stream()).get((f"o{batch}", "/far"), []) in ([], [1, 2, 3, 4, 5])
        await crm.bus.receive(bodies)
    assert await crm.by_stream() == {(f"o{batch}", "/far"): [1, 2, 3, 4, 5] for batch in range(25)}


async def test_a_handler_that_reports_a_full_disk_is_not_blamed(house: House) -> None:
    """The machine's trouble is no failure of the message: the batch comes again; a missing file is one."""
    crm = await house.end("crm")
    crm.trouble = failing(1, "4711-1", error=OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        await crm.bus.receive([event(1).to_json()])
    assert await crm.waiting() == (0, 0, 0, 0, 0)
    crm.trouble = failing(1, "4711-1", error=FileNotFoundError(2, "No such file"))
    await crm.bus.receive([event(1).to_json()])
    await house.settled()
    assert crm.bus.received.failed == 1
    assert await crm.done() == 1
