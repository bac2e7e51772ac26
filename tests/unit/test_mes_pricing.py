"""Prices by the workers: asked for once, told once whatever comes late or twice; the vendor steps in."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy import select

from pricing.messages import HEAVY_BYTES, PRICE_CALCULATE, PRICE_CALCULATED, PRICE_PROGRESSED, PRICE_REFUSED
from services.bus import Message
from services.bus.tables import outbox
from services.contract import CRM, SHOP, STATUS_CHANGED, OrderFacts, Status, StatusChanged
from services.mes import tables
from services.mes.handlers import COMMANDS, HANDLERS, bound
from services.mes.metrics import FALLBACKS
from tests.contract import asyncapi
from tests.mes import ORDER, Clock, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mes import Room

MODEL: Final = "ab" * 32
BETTER: Final = "cd" * 32
FOUND: Final[dict[str, Any]] = {"problems": ["The band is 0.4 mm thin."], "picture": "ef" * 32}
WORKERS: Final[dict[str, Any]] = {"pricing": "workers", "pricing_seconds": 0}
CALCULATING, FAILED, CALCULATED = "PRICE_CALCULATING", "PRICE_FAILED", "PRICE_CALCULATED"


async def submitted(room: Room, order: str = ORDER, **facts: Any) -> str:
    """Let the shop send an order with a model off; return the request that reaches the workers."""
    await room.say(SHOP, Status.SUBMITTED, order, **{"model": MODEL, **facts})
    await room.turn()
    return room.request_of(order)


async def calls(room: Room, order: str = ORDER) -> list[str]:
    """Return what was asked of the vendor about an order, or will be."""
    query = select(tables.calls.c.kind).where(tables.calls.c.order_id == order).order_by(tables.calls.c.number)
    async with room.service.database.reading() as connection:
        return list((await connection.scalars(query)).all())


async def vendor_order(room: Room, order: str = ORDER) -> dict[str, Any]:
    """Return the vendor's own order."""
    found: dict[str, Any] = await room.vendor(f"/v2/orders/{order}")
    return found


def fallen_back(room: Room, cause: str) -> float | None:
    """Return how many prices the vendor calculates after all."""
    return room.service.telemetry.registry.get_sample_value(FALLBACKS, {"cause": cause})


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_model_is_priced_by_the_workers_and_made_by_the_vendor_at_that_price(
    tmp_path: Path, version: str
) -> None:
    """Nothing of the vendor's own calculation is heard: its queue never sees the order."""
    async with running(tmp_path, vendor_api=version, **WORKERS) as room:
        await submitted(room)
        assert await calls(room) == []
        begun = room.clock()
        room.clock.advance(seconds=1)
        await room.work(room.answer(PRICE_PROGRESSED, begun_at=begun, progress=0))
        room.clock.advance(seconds=1)
        await room.work(room.answer(PRICE_PROGRESSED, begun_at=begun, progress=0.5))
        half = room.clock()
        room.clock.advance(seconds=1)
        done = room.clock()
        until = done + timedelta(days=14, microseconds=1_234)
        await room.work(room.answer(PRICE_CALCULATED, begun_at=begun, valid_until=until, castable=False, **FOUND))
        room.clock.advance(days=1)
        await room.turn()
        assert [(message.data["status"], message.time) for message in room.heard] == [
            (CALCULATING, begun),
            (CALCULATING, half),
            (CALCULATED, done),
        ]
        assert [message.data["progress"] for message in room.heard[:2]] == [0, 0.5]
        told = room.heard[-1].data
        assert told["price"] == {"amount": "412.50", "currency": "EUR"}
        assert datetime.fromisoformat(told["valid_until"]) == until
        assert {name: told[name] for name in FOUND} == FOUND
        assert (told["previous"], told["castable"], told["order"]["model"]) == (CALCULATING, False, MODEL)
        known = await vendor_order(room)
        assert (known["status"], known["price"]) == (CALCULATED, told["price"])
        assert datetime.fromisoformat(known["valid_until"]) == done + timedelta(days=14, milliseconds=1)
        assert [change["status"] for change in (await room.vendor("/v2/changes"))["changes"]] == [
            "SUBMITTED",
            CALCULATED,
        ]
        await room.say(CRM, Status.MANUFACTURING_APPROVED, model=MODEL)
        await room.turn()
        assert (await vendor_order(room))["status"] == "MANUFACTURING_APPROVED"
        operator = (await room.get("/workshop", "mara"))["pieces"][0]["operator"]
        await room.post(f"/work/{ORDER}/start", operator)
        await room.turn()
        assert room.said() == [CALCULATING, CALCULATING, CALCULATED, "MANUFACTURING_STARTED"]


@pytest.mark.parametrize(
    ("facts", "queue"),
    [
        ({"channel": "online", "model_bytes": HEAVY_BYTES}, "pricing-shop"),
        ({"channel": "online"}, "pricing-shop"),
        ({"channel": "b2b", "alloy": "bronze", "unit": "cm"}, "pricing-partner"),
        ({"channel": "b2b", "model_bytes": HEAVY_BYTES + 1}, "pricing-heavy"),
    ],
)
async def test_what_is_asked_goes_to_the_queue_of_its_class(tmp_path: Path, facts: dict[str, Any], queue: str) -> None:
    async with running(tmp_path, **WORKERS) as room:
        request = await submitted(room, **facts)
        [(asked_at, message)] = room.asked
        assert (asked_at, message.id, message.type, message.subject) == (queue, request, PRICE_CALCULATE, ORDER)
        assert message.data == {"model": MODEL, "reply_to": "mes", "quantity": 1, **facts}
        kind = {"type": PRICE_CALCULATE, "source": "/mes", "id": request, "subject": ORDER, "specversion": "1.0"}
        document = {**kind, "time": message.time.isoformat(), "data": message.data}
        assert asyncapi.complaints(document) == []


@pytest.mark.parametrize("model", [None, "no digest"])
async def test_an_order_without_a_model_goes_to_the_vendor_as_before(tmp_path: Path, model: str | None) -> None:
    async with running(tmp_path, **WORKERS) as room:
        await room.say(SHOP, Status.SUBMITTED, model=model)
        await room.turn()
        assert room.asked == []
        assert room.said() == [CALCULATING, CALCULATED]
        await room.ask_requote()
        await room.turn()
        assert room.said() == [CALCULATING, CALCULATED, CALCULATED]


async def test_a_model_that_cannot_be_priced_fails_with_reason_problems_and_picture(tmp_path: Path) -> None:
    """The vendor never hears of it, so nothing is to be taken back when it is called off."""
    async with running(tmp_path, **WORKERS) as room:
        await submitted(room)
        await room.work(room.answer(PRICE_REFUSED, code="open", detail="The surface has holes.", **FOUND))
        assert room.said() == [CALCULATING, FAILED]
        told = room.heard[-1].data
        assert told["reason"] == "The surface has holes."
        assert {name: told[name] for name in FOUND} == FOUND
        room.clock.advance(hours=1)
        await room.say(CRM, Status.REJECTED)
        await room.turn()
        assert await calls(room) == []


async def test_a_better_model_is_priced_anew_and_only_its_own_answer_counts(tmp_path: Path) -> None:
    async with running(tmp_path, **WORKERS) as room:
        first = await submitted(room, model_bytes=HEAVY_BYTES + 1)
        await room.work(room.answer(PRICE_REFUSED, code="open", detail="The surface has holes."))
        room.clock.advance(hours=1)
        await room.ask_requote(model=BETTER)
        await room.turn()
        assert [message.data["model"] for _, message in room.asked] == [MODEL, BETTER]
        assert [queue for queue, _ in room.asked] == ["pricing-heavy", "pricing-shop"]
        await room.work(room.answer(PRICE_CALCULATED, request=first, amount="1.00"))
        assert room.said() == [CALCULATING, FAILED]
        await room.work(room.answer(PRICE_CALCULATED))
        assert room.said() == [CALCULATING, FAILED, CALCULATING, CALCULATED]
        assert (room.heard[-1].data["price"]["amount"], room.heard[-1].data["order"]["model"]) == ("412.50", BETTER)
        assert await calls(room) == ["submit"]
        known = await vendor_order(room)
        assert (known["status"], known["model"], known["price"]["amount"]) == (CALCULATED, BETTER, "412.50")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_quote_is_confirmed_at_todays_price_for_another_term(tmp_path: Path, version: str) -> None:
    async with running(tmp_path, vendor_api=version, **WORKERS) as room:
        first = await submitted(room)
        await room.work(room.answer(PRICE_CALCULATED))
        room.clock.advance(days=3)
        await room.say(CRM, Status.AWAITING_CUSTOMER, model=MODEL)
        await room.ask_requote()
        await room.turn()
        assert room.request_of() != first
        await room.work(room.answer(PRICE_CALCULATED, amount="420.00"))
        await room.turn()
        assert room.said() == [CALCULATING, CALCULATED] * 2
        assert await calls(room) == ["submit", "requote"]
        known = await vendor_order(room)
        assert known["price"]["amount"] == "420.00"
        assert datetime.fromisoformat(known["valid_until"]) == room.clock() + timedelta(days=14)


async def test_where_the_workers_fail_the_vendor_calculates_and_their_later_word_is_ignored(tmp_path: Path) -> None:
    async with running(tmp_path, **WORKERS) as room:
        await submitted(room)
        late = room.answer(PRICE_CALCULATED, amount="1.00")
        await room.work(room.answer(PRICE_REFUSED, code="failed", detail="Our software failed."))
        await room.work(late)
        assert room.said() == [CALCULATING, CALCULATED]
        assert room.heard[-1].data["price"]["amount"] == "205.00"
        assert await calls(room) == ["submit"]
        assert fallen_back(room, "failed") == 1


async def test_where_the_workers_keep_silent_for_too_long_the_vendor_calculates(tmp_path: Path) -> None:
    """Each word of theirs begins the wait anew; a repeated one is no word."""
    async with running(tmp_path, pricing_patience=timedelta(minutes=10), **WORKERS) as room:
        await submitted(room)
        progress = room.answer(PRICE_PROGRESSED, progress=0.5)
        for _ in range(2):
            room.clock.advance(minutes=9)
            await room.work(progress)
        assert (await calls(room), fallen_back(room, "late")) == ([], 0)
        room.clock.advance(minutes=1, seconds=1)
        await room.turn()
        assert (await calls(room), fallen_back(room, "late")) == (["submit"], 1)
        assert room.said() == [CALCULATING, CALCULATING, CALCULATED]
        await room.work(room.answer(PRICE_CALCULATED, amount="1.00"))
        assert room.said() == [CALCULATING, CALCULATING, CALCULATED]
        times = [message.time for message in room.heard]
        assert times == sorted(times)


async def test_a_worker_that_begins_anew_is_heard_though_it_is_no_further(tmp_path: Path) -> None:
    """Its progress runs backwards, which nobody is told; but it is at work, and the vendor need not be."""
    async with running(tmp_path, pricing_patience=timedelta(minutes=10), **WORKERS) as room:
        await submitted(room)
        for progress in (0.5, 0.25, 0.5):
            room.clock.advance(minutes=9)
            await room.work(room.answer(PRICE_PROGRESSED, progress=progress))
        assert (await calls(room), fallen_back(room, "late")) == ([], 0)
        assert room.said() == [CALCULATING]
        room.clock.advance(minutes=1, seconds=1)
        await room.work(room.answer(PRICE_PROGRESSED, progress=0.6))
        assert [message.data["progress"] for message in room.heard] == [0.5, 0.6]


async def test_the_wait_for_the_workers_begins_anew_when_the_adapter_was_away(tmp_path: Path) -> None:
    """They have answered long ago, and it lies in the queue."""
    clock = Clock()
    async with running(tmp_path, clock, **WORKERS) as room:
        asked = [(queue, message) async for queue, message in _asked(room)]
    clock.advance(hours=1)
    async with running(tmp_path, clock, **WORKERS) as room:
        room.asked = asked
        await room.service.asking.step()
        assert await calls(room) == []
        await room.work(room.answer(PRICE_CALCULATED))
        assert (await calls(room), fallen_back(room, "late")) == (["submit"], 0)
        assert room.heard[-1].data["price"]["amount"] == "412.50"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_price_that_the_vendor_refused_and_takes_at_last_is_told_again(tmp_path: Path, version: str) -> None:
    """Somebody mended what the vendor disliked, and had the call made again: the price is what it was."""
    async with running(tmp_path, vendor_api=version, **WORKERS) as room:
        await submitted(room)
        vendor = room.wire.app
        room.wire.app = _refusing()
        await room.work(room.answer(PRICE_CALCULATED, castable=False, **FOUND))
        assert room.said() == [CALCULATING, CALCULATED, FAILED]
        assert room.heard[-1].data["reason"] == "not today"
        room.wire.app = vendor
        [call] = (await room.get("/vendor-calls", "riku"))["calls"]
        room.clock.advance(minutes=1)
        assert (await room.post(f"/vendor-calls/{call['number']}/retry", "riku")).status_code == 204
        await room.turn()
        assert room.said() == [CALCULATING, CALCULATED, FAILED, CALCULATED]
        told, again = room.heard[1].data, room.heard[-1].data
        assert {name: again[name] for name in ("price", "castable", *FOUND)} == {
            name: told[name] for name in ("price", "castable", *FOUND)
        }
        assert (await vendor_order(room))["price"] == again["price"]


def _refusing() -> FastAPI:
    """Return a vendor that refuses all that it is asked."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def refuse(path: str) -> JSONResponse:
        return JSONResponse({"errTxt": "not today", "detail": "not today", "path": path}, 409)

    return app


async def test_what_was_called_off_before_it_had_a_price_is_not_priced_for_a_late_question(tmp_path: Path) -> None:
    """The workers could price none of it; the desk's command comes after the customer's cancellation."""
    async with running(tmp_path, **WORKERS) as room:
        await submitted(room)
        await room.work(room.answer(PRICE_REFUSED, code="open", detail="The surface has holes."))
        room.clock.advance(hours=1)
        await room.say(CRM, Status.CANCELLED, model=MODEL)
        await room.turn()
        await room.ask_requote(model=BETTER)
        await room.turn()
        assert (await calls(room), len(room.asked)) == ([], 1)
        assert room.said() == [CALCULATING, FAILED]


async def test_a_confirmation_that_the_workers_do_not_answer_is_the_vendors(tmp_path: Path) -> None:
    """The vendor confirms what it was given; the line that brought it is not told once more."""
    async with running(tmp_path, **WORKERS) as room:
        await submitted(room)
        follower = room.service.follower.step
        room.service.follower.step = nothing_new  # type: ignore[method-assign]
        await room.work(room.answer(PRICE_CALCULATED))
        await room.ask_requote()
        await room.turn()
        room.clock.advance(minutes=11)
        await room.turn()
        room.service.follower.step = follower  # type: ignore[method-assign]
        await room.turn()
        assert room.said() == [CALCULATING, CALCULATED, CALCULATED]
        confirmed = room.heard[-1]
        assert confirmed.data["price"]["amount"] == "412.50"
        assert confirmed.time == room.clock()
        assert datetime.fromisoformat(confirmed.data["valid_until"]) == room.clock() + timedelta(days=14)


async def nothing_new() -> bool:
    """Look at the journal in vain."""
    return False


async def test_a_release_never_comes_before_the_order(tmp_path: Path) -> None:
    """Should somebody approve what has no price, the vendor gets the order first, and a person sees what it says."""
    async with running(tmp_path, **WORKERS) as room:
        await submitted(room)
        await room.say(CRM, Status.MANUFACTURING_APPROVED, model=MODEL)
        await room.deliver()
        await room.work(room.answer(PRICE_CALCULATED))
        assert await calls(room) == ["submit", "release"]
        assert [call for call in room.wire.calls if call.startswith("POST")] == [
            "POST /v1/orders",
            "POST /v1/orders/1/release",
        ]
        assert fallen_back(room, "decided") == 1
        [call] = (await room.get("/vendor-calls", "riku"))["calls"]
        assert (call["kind"], call["refused"]) == ("release", True)


async def test_what_is_said_of_an_order_never_runs_backwards_whatever_clocks_say(tmp_path: Path) -> None:
    """A worker's clock is an hour slow, and another one's, which ends the work, slower still."""
    async with running(tmp_path, **WORKERS) as room:
        room.clock.advance(hours=3)
        await submitted(room)
        now = room.clock()
        slow = {"begun_at": now - timedelta(hours=1), "done_at": now - timedelta(hours=2)}
        await room.work(room.answer(PRICE_CALCULATED, **slow))
        assert [(message.data["status"], message.time) for message in room.heard] == [
            (CALCULATING, now),
            (CALCULATED, now),
        ]
        [believed] = (await room.get("/statuses", "riku"))["orders"]
        assert believed["status"] == CALCULATED


async def test_requests_outlive_a_restart_that_changes_who_calculates(tmp_path: Path) -> None:
    clock = Clock()
    async with running(tmp_path, clock, **WORKERS) as room:
        asked = [(queue, message) async for queue, message in _asked(room)]
    async with running(tmp_path, clock, pricing="vendor") as room:
        room.asked = asked
        await room.work(room.answer(PRICE_CALCULATED))
        assert room.said() == [CALCULATING, CALCULATED]
        assert await calls(room) == ["submit"]


async def _asked(room: Room) -> Any:
    await submitted(room)
    for one in room.asked:
        yield one


# Each message twice, in every order.

ANSWERED: Final = ("quarter", "most", "price", "cancel")


async def _handle(room: Room, message: Message) -> None:
    """Run a handler in a transaction of its own, past the inbox that would let a message through once only."""
    handler = bound(room.service.asking, {**HANDLERS, **COMMANDS})[message.type]
    await room.service.database.write(lambda connection: handler(connection, message))


async def _state(room: Room) -> list[Any]:
    """Return all that the adapter has stored and said."""
    async with room.service.database.reading() as connection:
        kept = (tables.orders, tables.calls, tables.pricings, outbox)
        return [list(map(tuple, (await connection.execute(select(table))).all())) for table in kept]


def _expected(turns: tuple[str, ...]) -> tuple[list[tuple[str, float | None]], list[str]]:
    """Return what is to be said, with its progress, and asked of the vendor, after answers in an order."""
    said: list[tuple[str, float | None]] = []
    for turn in turns[: turns.index("cancel")]:
        far = said[-1][1] if said else None
        if turn == "price":
            said += [*([] if said else [(CALCULATING, 0)]), (CALCULATED, None)]
        elif (CALCULATED, None) not in said and (far is None or (turn == "most" and far < 0.75)):
            said.append((CALCULATING, 0.75 if turn == "most" else 0.25))
    return said, ["submit", "withdraw"] if (CALCULATED, None) in said else []


async def test_answers_and_a_cancellation_in_every_order_each_twice_are_told_once(tmp_path: Path) -> None:
    """After the cancellation nothing is said any more; the vendor takes back what it was given, and nothing else."""
    async with running(tmp_path, **WORKERS) as room:
        for number, turns in enumerate(permutations(ANSWERED)):
            order = f"o{number}"
            await submitted(room, order)
            room.clock.advance(minutes=1)
            facts = OrderFacts(channel="shop", product="ring", model=MODEL)
            cancelled = StatusChanged(status=Status.CANCELLED, order=facts).document()
            messages = {
                "quarter": room.answer(PRICE_PROGRESSED, order, progress=0.25),
                "most": room.answer(PRICE_PROGRESSED, order, progress=0.75),
                "price": room.answer(PRICE_CALCULATED, order),
                "cancel": Message(f"c{number}", CRM, STATUS_CHANGED, order, room.clock(), cancelled, 1),
            }
            for turn in turns:
                await _handle(room, messages[turn])
                once = await _state(room)
                for again in turns[: turns.index(turn) + 1]:
                    await _handle(room, messages[again])
                assert await _state(room) == once, (turns, turn)
            await room.deliver()
            said = [(one.data["status"], one.data.get("progress")) for one in room.heard if one.subject == order]
            assert (said, await calls(room, order)) == _expected(turns), turns
            times = [message.time for message in room.heard if message.subject == order]
            assert times == sorted(times)
        found = (await room.get("/statuses", "riku"))["orders"]
        assert {one["status"] for one in found} == {"CANCELLED"}


@pytest.mark.parametrize("code", ["open", "failed"])
async def test_a_refusal_handled_twice_is_one_refusal(tmp_path: Path, code: str) -> None:
    async with running(tmp_path, **WORKERS) as room:
        await submitted(room)
        refusal = room.answer(PRICE_REFUSED, code=code, detail="No.")
        await _handle(room, refusal)
        once = await _state(room)
        await _handle(room, refusal)
        assert await _state(room) == once


async def test_what_makes_it_ask_handled_twice_asks_once(tmp_path: Path) -> None:
    """Both the shop's word and a requote, even after the desk has decided."""
    async with running(tmp_path, **WORKERS) as room:
        sent = await room.say(SHOP, Status.SUBMITTED, model=MODEL)
        requote = await room.ask_requote()
        await room.deliver()
        room.clock.advance(hours=1)
        assert len(room.asked) == 2
        for _ in range(2):
            once = await _state(room)
            for message in (sent, requote):
                await _handle(room, message)
            assert await _state(room) == once
            await room.say(CRM, Status.MANUFACTURING_APPROVED, model=MODEL)
            await room.deliver()


async def test_what_went_to_the_vendor_before_there_were_workers_is_not_asked_of_them(tmp_path: Path) -> None:
    """The shop's word is heard once more after the change, past the inbox."""
    clock = Clock()
    async with running(tmp_path, clock, pricing="vendor", pricing_seconds=0) as room:
        sent = await room.say(SHOP, Status.SUBMITTED, model=MODEL)
        await room.deliver()
    async with running(tmp_path, clock, **WORKERS) as room:
        once = await _state(room)
        await _handle(room, sent)
        assert await _state(room) == once
        await room.turn()
        assert room.said() == [CALCULATING, CALCULATED]


async def test_a_crash_before_the_commit_tells_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """What is told, what is owed and what is noted as received are one transaction."""
    async with running(tmp_path, **WORKERS) as room:
        await submitted(room)
        before = await _state(room)
        price = room.answer(PRICE_CALCULATED).to_json()
        write = room.service.database.write

        async def crashing(work: Any) -> Any:
            async def until_commit(connection: Any) -> None:
                await work(connection)
                raise ConnectionResetError("power cut")

            return await write(until_commit)

        room.service.database.write = crashing  # type: ignore[method-assign]
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await room.service.bus.receive([price])
        room.service.database.write = write  # type: ignore[method-assign]
        assert await _state(room) == before
        for _ in range(2):
            await room.service.bus.receive([price, price])
        await room.turn()
        assert room.said() == [CALCULATING, CALCULATED]
        assert await calls(room) == ["submit"]


async def test_an_answer_about_nothing_that_was_asked_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, **WORKERS) as room:
        for kind, said in ((PRICE_PROGRESSED, {"progress": 0.5}), (PRICE_CALCULATED, {})):
            await room.work(room.answer(kind, "unknown", **said))
        assert room.heard == []
