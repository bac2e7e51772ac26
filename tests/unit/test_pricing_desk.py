"""What is asked and what is answered: caches, joins, and requests that cannot be answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from pricing.materials import DEFAULT_MATERIALS
from pricing.messages import PRICE_CALCULATE, PRICE_CALCULATED, PRICE_REFUSED, PriceClass
from pricing.refusals import RefusalCode
from pricing.sandbox import Crashed, TaskKind
from pricing.workers import tables
from pricing.workers.handlers import commands
from services.bus import Message, Refusal
from tests.workers import Clock, InProcess, ball, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workers import Room

MODEL = ball(12)


async def all_rows(room: Room) -> list[Any]:
    """Return all that the service has stored."""
    every = (tables.requests, tables.measurings, tables.slabs, tables.quotes, tables.pictures)
    async with room.service.database.reading() as connection:
        return [tuple(row) for table in every for row in await connection.execute(select(table))]


def command(model: str, number: int = 1, **data: Any) -> Message:
    """Return a request as it comes out of the inbox."""
    asked = {"model": model, "reply_to": "mes", "channel": "web"} | data
    return Message(f"r{number}", "/mes", PRICE_CALCULATE, "4711", Clock().now, asked)


async def test_a_model_that_is_measured_is_priced_without_a_mesh(tmp_path: Path) -> None:
    child = InProcess()
    async with running(tmp_path, child=lambda: child) as room:
        model = await room.put(MODEL)
        first = await room.answer(await room.ask(model, "1"))
        second = await room.answer(await room.ask(model, "2"))
        many = await room.answer(await room.ask(model, "3", quantity=10))
        assert [task.kind for task in child.tasks] == [TaskKind.MEASURE]
        kept = ("amount", "picture", "materials", "castable", "production_s")
        assert {name: first.data[name] for name in kept} == {name: second.data[name] for name in kept}
        assert float(first.data["amount"]) < float(many.data["amount"]) < 10 * float(first.data["amount"])
        assert (first.subject, second.subject, many.subject) == ("1", "2", "3")


async def test_a_new_price_of_metal_is_a_new_quote_and_no_mesh(tmp_path: Path) -> None:
    """Quotes hang on all of the materials, measures only on what measuring takes of them."""
    text = DEFAULT_MATERIALS.read_text(encoding="utf-8")
    dearer = tmp_path / "dearer.yaml"
    silver = text.index("price_per_g:", text.index("sterling-silver:"))
    dearer.write_text(text[:silver] + text[silver:].replace("value: ", "value: 9", 1), encoding="utf-8")
    async with running(tmp_path, child=InProcess) as room:
        model = await room.put(MODEL)
        before = await room.answer(await room.ask(model, alloy="sterling-silver"))
    child = InProcess()
    async with running(tmp_path, child=lambda: child, materials=dearer) as room:
        after = await room.answer(await room.ask(model, alloy="sterling-silver"))
        assert child.tasks == []
        assert after.type == PRICE_CALCULATED
        assert after.data["materials"] != before.data["materials"]
        assert float(after.data["amount"]) > float(before.data["amount"])
        assert after.data["picture"] == before.data["picture"]


async def test_partners_have_their_terms(tmp_path: Path) -> None:
    async with running(tmp_path, child=InProcess) as room:
        model = await room.put(MODEL)
        shop = await room.answer(await room.ask(model))
        partner = await room.answer(await room.ask(model, channel="b2b", queue=PriceClass.PARTNER.queue))
        assert float(partner.data["amount"]) < float(shop.data["amount"])


async def test_requests_join_the_measuring_under_way(tmp_path: Path) -> None:
    """Ten requests that come while a model is measured, and one that asks for another alloy, take one measuring."""
    child = InProcess()
    async with running(tmp_path, workers=0) as room:
        model = await room.put(MODEL)
        asked = [await room.ask(model, f"o{number}") for number in range(10)]
        asked.append(await room.ask(model, "gold", alloy="14k-yellow-gold"))
        await until(lambda: room.service.bus.received.applied == 11)
        while await room.worker("one", child).turn():
            pass
        answers = [await room.answer(request) for request in asked]
        assert {answer.type for answer in answers} == {PRICE_CALCULATED}
        assert len({answer.data["amount"] for answer in answers[:10]}) == 1
        assert answers[-1].data["amount"] != answers[0].data["amount"]
        assert [task.kind for task in child.tasks].count(TaskKind.MEASURE) == 1
        assert len(await room.measurings()) == 1


async def test_a_request_handled_twice_leaves_what_once_leaves(tmp_path: Path) -> None:
    async with running(tmp_path, workers=0) as room:
        model = await room.put(MODEL)
        take = commands(room.service.tools.desk)[PriceClass.SHOP.queue][PRICE_CALCULATE]
        states = []
        for _ in range(2):
            await room.service.database.write(lambda connection: take(connection, command(model)))
            states.append(await all_rows(room))
        assert states[0] == states[1]
        assert len(await room.measurings()) == 1


async def test_what_is_no_request_is_a_dead_letter_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, workers=0) as room:
        take = room.service.tools.desk.take
        with pytest.raises(Refusal, match="no price request"):
            await room.service.database.write(lambda connection: take(connection, command("no hash")))
        assert await all_rows(room) == []


@pytest.mark.parametrize(
    ("wanted", "word"), [({"alloy": "cheese"}, "cheese"), ({"quantity": 10_000_000}, "10,000,000")]
)
async def test_what_cannot_be_priced_is_refused_in_words(tmp_path: Path, wanted: dict[str, Any], word: str) -> None:
    child = InProcess()
    async with running(tmp_path, child=lambda: child) as room:
        answer = await room.answer(await room.ask(await room.put(MODEL), **wanted))
        assert answer.type == PRICE_REFUSED
        assert answer.data["code"] == RefusalCode.UNSUPPORTED
        assert word in answer.data["detail"]
        assert child.tasks == []


async def test_who_asks_for_a_model_that_failed_has_it_tried_again(tmp_path: Path) -> None:
    """What our software failed on is no verdict on the model: a refusal is kept, a failure is not."""
    child = InProcess([Crashed(11, "")] * 3)
    clock = Clock()
    async with running(tmp_path, workers=0, clock=clock) as room:
        model = await room.put(MODEL)
        worker = room.worker("one", child)
        failed = await room.ask(model, "1")
        await until(lambda: room.service.bus.received.applied == 1)
        while not room.answers(failed):
            await worker.turn()
            clock.advance(10)
            await room.service.bus.relay.once()
        assert (await room.answer(failed)).data["code"] == "failed"
        again = await room.ask(model, "2")
        await until(lambda: room.service.bus.received.applied == 2)
        await worker.turn()
        assert (await room.answer(again)).type == PRICE_CALCULATED


async def test_a_model_that_is_refused_is_refused_again_without_a_mesh(tmp_path: Path) -> None:
    child = InProcess()
    async with running(tmp_path, child=lambda: child) as room:
        model = await room.put(ball(12, radius_mm=5_000))
        answers = [await room.answer(await room.ask(model)) for _ in range(2)]
        assert [answer.data["code"] for answer in answers] == [RefusalCode.SIZE] * 2
        assert len(child.tasks) == 1
