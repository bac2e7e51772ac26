"""An order's way through the bought-in system and its adapter: each status once, in order, at the vendor's time."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from services.contract import CRM, MES, OWNER, SHOP, Status
from services.mes import store
from services.mes.vendor import pricing
from tests.mes import ORDER, START, Clock, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mes import Room

MODEL = "ab" * 32
MAIN = ["PRICE_CALCULATED", "MANUFACTURING_STARTED", "MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED"]


def put_model(folder: Path, size: int) -> None:
    """Lay a model where the shop keeps them."""
    place = folder / MODEL[:2] / MODEL[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"\0" * size)


async def make(room: Room, order: str = ORDER, steps: tuple[str, ...] = ("start", "complete", "pack", "ship")) -> None:
    """Let whoever has the piece make it, an hour a step."""
    pieces = (await room.get("/workshop", "mara"))["pieces"]
    operator = next(piece["operator"] for piece in pieces if piece["order"] == order)
    for step in steps:
        room.clock.advance(hours=1)
        answer = await room.post(f"/work/{order}/{step}", operator)
        assert answer.is_success, answer.text
    await room.turn()


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_an_order_walks_from_submitted_to_shipped_by_either_version_of_the_api(
    tmp_path: Path, version: str
) -> None:
    async with running(tmp_path, vendor_api=version, pricing_seconds=1) as room:
        await room.released()
        await make(room)
        assert room.said() == ["PRICE_CALCULATING", *MAIN]
        assert [message.sequence for message in room.heard] == [1, 2, 3, 4, 5, 6]
        assert [message.data["previous"] for message in room.heard] == [
            "SUBMITTED",
            "PRICE_CALCULATING",
            "MANUFACTURING_APPROVED",
            *MAIN[1:4],
        ]
        facts = {"channel": "shop", "product": "ring", "promised_at": "2026-03-23T08:00:00Z"}
        assert [message.data["order"] for message in room.heard] == [facts] * 6
        calls = [call for call in room.wire.calls if call.startswith("POST")]
        key = "1" if version == "v1" else ORDER
        assert calls == [f"POST /{version}/orders", f"POST /{version}/orders/{key}/release"]


async def test_events_carry_the_time_of_the_vendors_clock_not_of_the_poll(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.released()
        pieces = (await room.get("/workshop", "mara"))["pieces"]
        room.clock.advance(hours=2)
        await room.post(f"/work/{ORDER}/start", pieces[0]["operator"])
        started = room.clock()
        room.clock.advance(hours=5)
        await room.turn()
        assert room.heard[-1].data["status"] == "MANUFACTURING_STARTED"
        assert room.heard[-1].time == started


async def test_a_price_is_told_with_its_term_and_its_progress_on_the_way(tmp_path: Path) -> None:
    """Pricing that takes 20 s shows its quarters, at the times when they were reached, however late it is looked at."""
    put_model(tmp_path, 512_000)
    async with running(tmp_path, models=tmp_path, pricing_seconds=20) as room:
        await room.priced(model=MODEL)
        takes = timedelta(milliseconds=pricing.duration_ms(20, "ring", 512_000))
        quarters = [message for message in room.heard if message.data["status"] == "PRICE_CALCULATING"]
        assert [message.data["progress"] for message in quarters] == [0, 0.25, 0.5, 0.75]
        assert [message.time - START for message in quarters] == [takes * part / 4 for part in range(4)]
        priced = room.heard[-1]
        assert priced.time == START + takes
        assert priced.data["price"] == {"amount": "200.00", "currency": "EUR"}
        assert datetime.fromisoformat(priced.data["valid_until"]) == priced.time + timedelta(days=14)


async def test_orders_are_priced_one_at_a_time_first_come_first_served(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=20) as room:
        for order in ("b", "a", "c"):
            await room.say(SHOP, Status.SUBMITTED, order)
            await room.turn()
        states = [(one["extRef"], one["stat"]) for one in (await room.vendor("/v1/orders"))["ords"]]
        assert sorted(states) == [("a", 10), ("b", 20), ("c", 10)]
        for _ in range(4):
            room.clock.advance(seconds=20)
            await room.turn()
        priced = [message.subject for message in room.heard if message.data["status"] == "PRICE_CALCULATED"]
        assert priced == ["b", "a", "c"]


@pytest.mark.parametrize(("size", "says"), [(20, "empty or cut off (20 bytes)"), (3_000, "too large (3,000 bytes")])
async def test_a_model_that_the_vendor_cannot_use_fails_with_the_reason(tmp_path: Path, size: int, says: str) -> None:
    put_model(tmp_path, size)
    async with running(tmp_path, models=tmp_path, vendor_largest_model_bytes=2_000) as room:
        await room.priced(model=MODEL)
        assert room.said()[-1] == "PRICE_FAILED"
        assert says in room.heard[-1].data["reason"]


async def test_another_model_is_priced_after_a_failure(tmp_path: Path) -> None:
    put_model(tmp_path, 20)
    async with running(tmp_path, models=tmp_path, pricing_seconds=0) as room:
        await room.priced(model=MODEL)
        await room.ask_requote(model="cd" * 32)
        await room.turn()
        assert room.said() == ["PRICE_CALCULATING", "PRICE_FAILED", "PRICE_CALCULATING", "PRICE_CALCULATED"]
        assert room.heard[-1].data["order"]["model"] == "cd" * 32
        assert room.heard[-1].data["price"]["amount"] == "205.00"


async def test_a_quote_is_confirmed_for_another_term_without_calculating_again(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.priced()
        before = room.heard[-1]
        room.clock.advance(days=3)
        await room.say(CRM, Status.AWAITING_CUSTOMER)
        room.clock.advance(days=1)
        await room.ask_requote()
        await room.turn()
        confirmed = room.heard[-1]
        assert (confirmed.data["status"], confirmed.data["previous"]) == ("PRICE_CALCULATED", "AWAITING_CUSTOMER")
        assert confirmed.data["price"] == before.data["price"]
        assert datetime.fromisoformat(confirmed.data["valid_until"]) == room.clock() + timedelta(days=14)
        assert room.said()[-2] == "PRICE_CALCULATED"


async def test_a_crash_between_publishing_and_the_cursor_publishes_nothing_twice(tmp_path: Path) -> None:
    """What is published and how far was read are one transaction: undone together, they are done again together."""
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.say(SHOP, Status.SUBMITTED)
        await room.deliver()
        await room.service.caller.step()
        while await room.service.calculation.step():
            pass
        follower, write = room.service.follower, room.service.database.write

        async def crashing(work: Any) -> Any:
            async def until_commit(connection: Any) -> None:
                await work(connection)
                raise ConnectionResetError("power cut")

            return await write(until_commit)

        follower.database.write = crashing  # type: ignore[method-assign]
        for _ in range(3):
            with pytest.raises(ConnectionResetError):
                await follower.step()
        follower.database.write = write  # type: ignore[method-assign]
        await room.turn()
        assert room.said() == ["PRICE_CALCULATING", "PRICE_CALCULATED"]
        assert [message.sequence for message in room.heard] == [1, 2]


async def test_two_followers_publish_each_line_once(tmp_path: Path) -> None:
    """The slower one finds the cursor moved, and lets go of what it has read."""
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.say(SHOP, Status.SUBMITTED)
        await room.deliver()
        await room.service.caller.step()
        follower = room.service.follower
        changes = await follower.vendor.changes(0, 100)
        assert len(changes) == 1
        await follower.step()
        await room.service.database.write(partial(follower._publish, 0, changes))  # noqa: SLF001 - the slower one
        await room.turn()
        assert room.said() == ["PRICE_CALCULATING", "PRICE_CALCULATED"]


async def test_a_vendor_that_is_away_for_a_while_loses_nothing(tmp_path: Path) -> None:
    """Calls stay owed, are tried less and less often, and are made when the vendor is back, in each order's order."""
    async with running(tmp_path, pricing_seconds=0) as room:
        room.wire.cut = True
        orders = [f"o{number}" for number in range(20)]
        for order in orders:
            await room.say(SHOP, Status.SUBMITTED, order)
        for _ in range(10):
            await room.turn()
            room.clock.advance(minutes=1)
        owed = (await room.get("/vendor-calls", "riku"))["calls"]
        assert {call["order"] for call in owed} == set(orders)
        assert all(3 < call["attempts"] <= 10 and "the wire is cut" in call["failure"] for call in owed)
        room.wire.cut = False
        room.clock.advance(minutes=10)
        await room.turn()
        await room.turn()
        assert {tuple(room.said(order)) for order in orders} == {("PRICE_CALCULATING", "PRICE_CALCULATED")}
        assert (await room.get("/vendor-calls", "riku"))["calls"] == []


async def test_an_order_is_never_released_before_it_was_submitted(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        room.wire.cut = True
        await room.say(SHOP, Status.SUBMITTED)
        await room.say(CRM, Status.MANUFACTURING_APPROVED)
        await room.turn()
        room.wire.cut = False
        assert not await room.service.caller.step()
        room.clock.advance(seconds=2)
        await room.service.caller.step()
        assert [call for call in room.wire.calls if call.startswith("POST")] == ["POST /v1/orders"]


async def test_a_call_whose_outcome_was_lost_is_made_again_without_harm(tmp_path: Path) -> None:
    """A caller dies after the vendor answered; when its claim ends, the same call is made once more."""
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.say(SHOP, Status.SUBMITTED)
        await room.deliver()
        write = room.service.database.write
        claim = partial(store.claim_due, now=2**60, until=0, limit=9)
        calls = await write(claim)
        await room.service.caller.vendor.make(calls[0])
        await room.turn()
        assert room.wire.calls.count("POST /v1/orders") == 2
        assert (await room.vendor("/v1/orders"))["cnt"] == 1
        assert room.said() == ["PRICE_CALCULATING", "PRICE_CALCULATED"]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.CANCELLED])
async def test_what_is_called_off_is_withdrawn_from_the_vendor(tmp_path: Path, status: Status) -> None:
    async with running(tmp_path) as room:
        await room.priced()
        await room.say(CRM, status)
        await room.turn()
        assert (await room.vendor("/v2/orders"))["orders"][0]["status"] == "CANCELLED"
        assert room.said()[-1] == "PRICE_CALCULATED"


async def test_an_order_called_off_before_the_vendor_heard_of_it_is_never_submitted(tmp_path: Path) -> None:
    """Events of shop and CRM may arrive in either order."""
    async with running(tmp_path) as room:
        room.clock.advance(hours=1)
        await room.say(CRM, Status.CANCELLED)
        await room.turn()
        room.clock.advance(hours=-1)
        await room.say(SHOP, Status.SUBMITTED)
        await room.turn()
        assert room.wire.calls == ["GET /v1/changes"] * len(room.wire.calls)
        found = (await room.get("/statuses", "collector"))["orders"]
        assert [(one["status"], one["source"]) for one in found] == [("CANCELLED", CRM)]


async def test_what_the_vendor_refuses_for_good_is_shown_and_can_be_tried_again(tmp_path: Path) -> None:
    """Called off when it was being made already: a person must look, and no later call of the order is held up."""
    async with running(tmp_path) as room:
        await room.released()
        await make(room, steps=("start",))
        await room.say(CRM, Status.CANCELLED)
        await room.turn()
        [call] = (await room.get("/vendor-calls", "riku"))["calls"]
        assert (call["kind"], call["refused"], call["due_at"]) == ("withdraw", True, None)
        assert "being made already" in call["failure"]
        await room.ask_requote()
        await room.turn()
        assert len((await room.get("/vendor-calls", "riku"))["calls"]) == 2
        assert (await room.post(f"/vendor-calls/{call['number']}/retry", "riku")).status_code == 204
        [again, _] = (await room.get("/vendor-calls", "riku"))["calls"]
        assert not again["refused"]
        assert (await room.post("/vendor-calls/99/retry", "riku")).status_code == 404


@pytest.mark.parametrize(("version", "field"), [("v1", "prodCd"), ("v2", "product")])
async def test_an_order_that_the_vendor_does_not_take_has_failed_to_get_a_price(
    tmp_path: Path, version: str, field: str
) -> None:
    """The reason is the vendor's own, without anything of how it was asked: a customer may read it."""
    async with running(tmp_path, vendor_api=version) as room:
        await room.say(SHOP, Status.SUBMITTED, product="x" * 101)
        await room.turn()
        assert room.said() == ["PRICE_FAILED"]
        reason = room.heard[-1].data["reason"]
        assert field in reason
        assert "http" not in reason


async def test_a_requote_that_the_vendor_refuses_brings_the_order_back_to_the_desk(tmp_path: Path) -> None:
    """The customer has sent a better model for an order that the vendor never took: somebody must hear of it."""
    async with running(tmp_path) as room:
        await room.say(SHOP, Status.SUBMITTED, product="x" * 101)
        await room.turn()
        room.clock.advance(minutes=1)
        await room.say(CRM, Status.AWAITING_CUSTOMER, product="x" * 101)
        await room.ask_requote(model="f" * 64)
        room.clock.advance(minutes=1)
        await room.turn()
        assert room.said() == ["PRICE_FAILED", "PRICE_FAILED"]
        assert "never took this order" in room.heard[-1].data["reason"]


async def test_a_wrong_key_is_mended_here_so_the_call_stays_owed(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        room.app.state.vendor = type(room.service.front)(room.service.front.orders, "another", 0)
        await room.say(SHOP, Status.SUBMITTED)
        await room.turn()
        [call] = (await room.get("/vendor-calls", "riku"))["calls"]
        assert not call["refused"]
        assert "TOUCHSTONE_MES_VENDOR_KEY" in call["failure"]


async def test_it_believes_a_status_of_every_order_it_hears_of_by_its_owner_only(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        for number, status in enumerate((Status.INITIATED, Status.SUBMITTED)):
            room.clock.advance(minutes=1)
            await room.say(SHOP, status, f"o{number}")
        await room.say(CRM, Status.CLOSED, "o2")
        await room.say(SHOP, Status.SHIPPED, "o3")
        await room.deliver()
        first = await room.get("/statuses", "riku", limit=2)
        assert [(one["order"], one["status"], one["source"]) for one in first["orders"]] == [
            ("o0", "INITIATED", SHOP),
            ("o1", "SUBMITTED", SHOP),
        ]
        assert datetime.fromisoformat(first["orders"][1]["since"]) == START + timedelta(minutes=2)
        rest = await room.get("/statuses", "riku", after=first["next"])
        assert [(one["order"], one["sequence"]) for one in rest["orders"]] == [("o2", 1)]
        assert rest["next"] is None


async def test_what_it_publishes_is_its_own_to_say(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.released()
        await make(room)
        assert {OWNER[Status(status)] for status in room.said()} == {MES}


async def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    """What was owed, being calculated or unread when it stopped is done after the start."""
    clock = Clock()
    async with running(tmp_path, clock, pricing_seconds=20) as room:
        await room.say(SHOP, Status.SUBMITTED, "one")
        await room.turn()
        await room.say(SHOP, Status.SUBMITTED, "two")
        await room.deliver()
    clock.advance(minutes=1)
    async with running(tmp_path, clock, pricing_seconds=20) as room:
        await room.turn()
        clock.advance(minutes=1)
        await room.turn()
        assert room.said("one")[-1] == room.said("two")[-1] == "PRICE_CALCULATED"
