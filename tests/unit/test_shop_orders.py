"""Placing orders: once however often it is asked, for oneself only, in pages that never skip or repeat."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from services.bus.tables import outbox
from services.contract import CRM, MES, Status
from services.shop.model import LETTERS, fingerprint, new_order_id
from services.shop.tables import orders, requests
from tests.unit.test_shop import MODEL, detail_of, running

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.schema import Table

    from tests.unit.test_shop import Shop


async def _rows(shop: Shop, table: Table) -> int:
    async with shop.service.database.reading() as connection:
        return int((await connection.scalar(select(func.count()).select_from(table))) or 0)


async def test_the_same_key_and_order_gets_the_first_answer_again(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        first = await shop.order(headers, "k", note="size 17")
        shop.clock.tick()
        await shop.client.post(f"/orders/{first.json()['order']}/submission", headers=headers)
        again = await shop.order(headers, "k", note="size 17")
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert await _rows(shop, orders) == 1


async def test_the_first_answer_stands_though_its_piece_has_left_the_catalogue(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        first = await shop.order(headers, "k")
        await shop.service.catalogue.remove("plain-band")
        assert (await shop.order(headers, "k")).content == first.content
        assert "no piece" in detail_of(await shop.order(headers, "another"), 400)


async def test_the_same_key_for_another_order_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        await shop.order(headers, "k")
        assert "Idempotency-Key" in detail_of(await shop.order(headers, "k", note="another"), 422)
        assert await _rows(shop, orders) == 1


async def test_orders_sent_at_the_same_moment_are_one_order(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        answers = await asyncio.gather(*(shop.order(headers, "k") for _ in range(12)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert await _rows(shop, orders) == 1


async def test_keys_belong_to_their_customer(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, ada = await shop.customer("Ada")
        _, bob = await shop.customer("Bob")
        first, second = await shop.order(ada, "k"), await shop.order(bob, "k", note="another")
        assert first.json()["order"] != second.json()["order"]


async def test_keys_are_forgotten_after_their_time_and_not_before(tmp_path: Path) -> None:
    async with running(tmp_path, remember_hours=24) as shop:
        _, headers = await shop.customer()
        first = (await shop.order(headers, "k")).json()["order"]
        shop.clock.tick(hours=24)
        assert (await shop.order(headers, "k")).json()["order"] == first
        shop.clock.tick(seconds=1)
        assert (await shop.order(headers, "k")).json()["order"] != first
        assert await _rows(shop, requests) == 1


async def test_a_refused_order_does_not_use_up_its_key(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        unknown = "0" * 64
        refused = await shop.order(headers, "k", item=None, model=unknown)
        assert "POST /models" in detail_of(refused, 400)
        assert await _rows(shop, requests) == 0
        assert (await shop.order(headers, "k")).status_code == 201


async def test_an_order_that_cannot_be_met_is_one_sentence(tmp_path: Path) -> None:
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"item": "plain-band", "model": "0" * 64}, "either"),
        ({"item": None}, "either"),
        ({"product": "crown"}, "`product`"),
        ({"product": "pendant"}, "is no pendant; it is ring"),
        ({"item": "nothing"}, "no piece"),
        ({"note": "\0"}, "`note`"),
        ({"note": "\ud800"}, "`note`"),
        ({"channel": "a b"}, "`channel`"),
        ({"colour": "red"}, "`colour`"),
        ({"alloy": "lead"}, "no alloy of ours is called `lead`; choose one of sterling-silver"),
    ]
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        for wish, says in wishes:
            assert says in detail_of(await shop.order(headers, **wish), 400)
        assert await _rows(shop, orders) == 0


async def test_what_pricing_must_know_goes_along_with_the_order(tmp_path: Path) -> None:
    """The model's size, the chosen alloy and unit; the customer is told of these again."""
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        model = await shop.upload(headers)
        order = (await shop.order(headers, item=None, model=model, alloy="14k-yellow-gold", unit="inch")).json()[
            "order"
        ]
        told = await shop.get(f"/orders/{order}", headers)
        assert (told["alloy"], told["unit"]) == ("14k-yellow-gold", "inch")
        await shop.client.post(f"/orders/{order}/submission", headers=headers)
        async with shop.service.database.reading() as connection:
            told = [json.loads(data) for data in (await connection.scalars(select(outbox.c.data))).all()]
        facts = [said["order"] for said in told if said.get("status")]
        assert len(facts) == 2
        known = {(one["model"], one["model_bytes"], one["alloy"], one["unit"]) for one in facts}
        assert known == {(model, len(MODEL), "14k-yellow-gold", "inch")}


def test_a_wish_without_a_choice_is_told_apart_as_before_there_was_one() -> None:
    """Requests that are remembered from before get their first answer still."""
    wish = {"item": "plain-band", "product": "ring"}
    assert (
        fingerprint({**wish, "alloy": None, "unit": None})
        == fingerprint(wish)
        != fingerprint({**wish, "alloy": "bronze"})
    )


async def test_an_order_without_a_key_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        wish = {"item": "plain-band", "product": "ring"}
        assert "Idempotency-Key" in detail_of(await shop.client.post("/orders", json=wish, headers=headers), 400)


async def test_others_orders_and_models_do_not_exist(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, ada = await shop.customer("Ada")
        _, bob = await shop.customer("Bob")
        order, model = await shop.submitted(ada), await shop.upload(ada)
        for method, path in (
            ("GET", f"/orders/{order}"),
            ("POST", f"/orders/{order}/submission"),
            ("POST", f"/orders/{order}/answer"),
            ("POST", f"/orders/{order}/cancellation"),
        ):
            body = {"json": {"answer": "x"} if path.endswith("answer") else {}} if method == "POST" else {}
            others = await shop.client.request(method, path, headers=bob, **body)  # type: ignore[arg-type] # by name
            nobodys = await shop.client.request(method, path.replace(order, "AAAA-AAAA"), headers=bob, **body)  # type: ignore[arg-type] # by name
            assert detail_of(others, 404).replace(order, "") == detail_of(nobodys, 404).replace("AAAA-AAAA", "")
        assert (await shop.get("/orders", bob))["orders"] == []
        assert "not uploaded" in detail_of(await shop.order(bob, item=None, model=model), 400)


async def test_history_is_told_newest_first_without_gaps_or_repeats(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        placed = []
        for number in range(7):
            placed.append((await shop.order(headers, f"k{number}")).json()["order"])
            if number % 2:  # pairs of the same moment
                shop.clock.tick()
        found, cursor = [], ""
        while cursor is not None:
            page = await shop.get(f"/orders?limit=2&cursor={cursor}", headers)
            found += [order["order"] for order in page["orders"]]
            cursor = page["next"]
        assert sorted(found) == sorted(placed)
        assert [placed.index(order) // 2 for order in found] == [3, 2, 2, 1, 1, 0, 0]
        for nonsense in ("x", "e30=", "%C3%BC", "OTk5OTk5OTk5OTk5OTk5OTk5OTkgQQ==", "MSAA"):
            assert "cursor" in detail_of(await shop.client.get(f"/orders?cursor={nonsense}", headers=headers), 400)


async def test_an_order_id_that_is_taken_is_not_given_again(tmp_path: Path) -> None:
    ids = iter(["AAAA-AAAA", "AAAA-AAAA", "BBBB-BBBB"])
    async with running(tmp_path, new_order=lambda: next(ids)) as shop:
        _, headers = await shop.customer()
        assert (await shop.order(headers, "k1")).json()["order"] == "AAAA-AAAA"
        assert (await shop.order(headers, "k2")).json()["order"] == "BBBB-BBBB"


def test_order_ids_are_readable_and_drawn_from_many() -> None:
    draw = random.Random(7)  # noqa: S311 - nothing secret
    ids = {new_order_id(draw.choice) for _ in range(2_000)}
    assert len(ids) == 2_000
    assert all(len(one) == 9 and one[4] == "-" and set(one) <= {*LETTERS, "-"} for one in ids)
    assert not set("01ILOU") & set(LETTERS)


async def test_submitting_again_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        order = await shop.submitted(headers)
        first = await shop.get(f"/orders/{order}", headers)
        shop.clock.tick()
        again = await shop.client.post(f"/orders/{order}/submission", headers=headers)
        assert again.json() == first


async def test_a_cancelled_order_cannot_be_submitted(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        order = (await shop.order(headers)).json()["order"]
        await shop.client.post(f"/orders/{order}/cancellation", json={}, headers=headers)
        refused = await shop.client.post(f"/orders/{order}/submission", headers=headers)
        assert "cancelled" in detail_of(refused, 409)


async def test_submitting_an_order_that_went_on_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        order = await shop.submitted(headers)
        await shop.hear(shop.says(CRM, order, Status.CLOSED))
        answer = await shop.client.post(f"/orders/{order}/submission", headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (200, "CLOSED")


async def test_a_price_that_is_late_does_not_bring_a_status_back(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        order = await shop.submitted(headers)
        early = shop.says(MES, order, Status.PRICE_FAILED)
        await shop.hear(shop.says("/other", order, Status.PACKAGING), early)
        assert (await shop.get(f"/orders/{order}", headers))["status"] == "PACKAGING"
