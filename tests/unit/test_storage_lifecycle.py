"""What becomes of models with time: kept while they may be needed, cold once the piece is made, or forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.storage import Area
from pricing.storage.lifecycle import Need, Step, Terms, Use, due
from services.auth.people import Role
from services.contract import CRM, MES, Status
from services.shop.keeping import Keeping
from tests.unit.test_shop import MODEL, START, Shop, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
TERMS: Final = Terms()
AGES: Final = st.integers(0, 1_000).map(lambda days: NOW - timedelta(days=days))
USES: Final = st.lists(st.builds(Use, st.sampled_from(Need), AGES), max_size=4)


def ago(days: float) -> datetime:
    """Return a moment so many days ago."""
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("area", "brought", "uses", "step"),
    [
        (Area.QUARANTINE, 29, [], None),
        (Area.QUARANTINE, 30, [], Step.DELETE),
        (Area.QUARANTINE, 200, [(Need.DROPPED, 29)], None),
        (Area.QUARANTINE, 200, [(Need.DROPPED, 30)], Step.DELETE),
        (Area.HOT, 89, [], None),
        (Area.HOT, 90, [], Step.DELETE),
        (Area.HOT, 200, [(Need.DROPPED, 89)], None),
        (Area.HOT, 200, [(Need.DROPPED, 90)], Step.DELETE),
        (Area.HOT, 1, [(Need.DROPPED, 90)], None),
        (Area.HOT, 200, [(Need.DROPPED, 90), (Need.OPEN, 200)], None),
        (Area.HOT, 200, [(Need.DROPPED, 300), (Need.MADE, 300)], Step.COOL),
        (Area.HOT, 200, [(Need.MADE, 89)], None),
        (Area.HOT, 200, [(Need.MADE, 90)], Step.COOL),
        (Area.QUARANTINE, 200, [(Need.MADE, 90)], Step.COOL),
        (Area.HOT, 200, [(Need.MADE, 200), (Need.OPEN, 1)], None),
        (Area.COLD, 900, [(Need.MADE, 900)], None),
        (Area.COLD, 900, [(Need.MADE, 900), (Need.DROPPED, 200)], None),
        (Area.WORK, 900, [], None),
    ],
)
def test_a_step_is_due_on_its_day_and_not_before(
    area: Area, brought: int, uses: list[tuple[Need, int]], step: Step | None
) -> None:
    assert due(area, ago(brought), [Use(need, ago(days)) for need, days in uses], NOW, TERMS) is step


@given(st.sampled_from(Area), st.none() | AGES, USES)
def test_no_model_of_an_open_order_is_touched_and_none_of_a_made_piece_deleted(
    area: Area, brought: datetime | None, uses: list[Use]
) -> None:
    step = due(area, brought, uses, NOW, TERMS)
    needs = {use.need for use in uses}
    if Need.OPEN in needs:
        assert step is None
    if Need.MADE in needs or brought is None:
        assert step is not Step.DELETE
    if step is Step.DELETE:
        assert brought is not None
        assert NOW - brought >= TERMS.quarantined_for


@pytest.fixture(autouse=True)
def _only_the_tests_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the shop's own first sweep, which a busy machine makes late, from taking what a test is to count."""
    monkeypatch.setattr(Keeping, "run", lambda _: asyncio.sleep(0))


async def _sweep(shop: Shop) -> tuple[int, int]:
    done = await shop.service.keeping.once()
    return done[Step.COOL], done[Step.DELETE]


async def _ordered(shop: Shop, headers: dict[str, str], content: bytes, key: str) -> tuple[str, str]:
    model = await shop.upload(headers, content)
    placed = await shop.order(headers, key, item=None, model=model)
    return model, placed.json()["order"]


async def _signed_in(shop: Shop) -> dict[str, str]:
    """Sign the customer in again; sessions end sooner than models do."""
    known = {"email": "ada@example.com", "password": "correct horse battery"}
    answer = await shop.client.post("/sessions", json=known)
    return {"authorization": f"Bearer {answer.json()['token']}"}


def _model(number: int) -> bytes:
    return MODEL.replace(b"ring", b"ring%d" % number)


async def test_the_shop_deletes_what_nobody_ordered_and_cools_what_was_made(tmp_path: Path) -> None:
    async with running(tmp_path, sweep_at_once=2) as shop:
        objects = shop.service.objects
        _, headers = await shop.customer()
        never = await shop.upload(headers, _model(1))
        open_, _ = await _ordered(shop, headers, _model(2), "k2")
        made, closed = await _ordered(shop, headers, _model(3), "k3")
        dropped, cancelled = await _ordered(shop, headers, _model(4), "k4")
        shared, also_cancelled = await _ordered(shop, headers, _model(5), "k5")
        await shop.order(headers, "k6", item=None, model=shared)
        for model in (open_, made, dropped, shared):
            await objects.admit(model)
        await shop.hear(
            shop.says(MES, closed, Status.SHIPPED),
            shop.says(CRM, closed, Status.CLOSED),
            shop.says(CRM, cancelled, Status.CANCELLED),
            shop.says(CRM, also_cancelled, Status.CANCELLED),
        )
        assert await _sweep(shop) == (0, 0)
        shop.clock.tick(days=31)
        assert await _sweep(shop) == (0, 1)
        assert not await objects.exists(never)
        refused = await shop.order(await _signed_in(shop), "k7", item=None, model=never)
        assert "have not uploaded" in refused.json()["detail"]
        shop.clock.tick(days=60)
        assert await _sweep(shop) == (1, 1)
        assert not await objects.exists(dropped)
        assert {model: await objects.area(model) for model in (open_, made, shared)} == {
            open_: Area.HOT,
            made: Area.COLD,
            shared: Area.HOT,
        }
        shop.clock.tick(days=900)
        assert await _sweep(shop) == (0, 0)
        read = await shop.client.get(f"/models/{made}", headers=shop.staff(Role.SERVICE))
        assert read.content == _model(3)


async def test_a_model_that_is_brought_again_begins_its_time_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        model = await shop.upload(headers)
        shop.clock.tick(days=29)
        await shop.upload(await _signed_in(shop))
        shop.clock.tick(days=29)
        assert await _sweep(shop) == (0, 0)
        assert await shop.service.objects.exists(model)
        shop.clock.tick(days=2)
        assert await _sweep(shop) == (0, 1)


async def test_a_model_of_a_piece_on_offer_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        model = await shop.upload(headers)
        piece = {"name": "Band", "product": "ring", "description": "plain", "model": model}
        put = await shop.client.put("/catalogue/band", json=piece, headers=shop.staff(Role.SALES))
        assert put.status_code == 200
        shop.clock.tick(days=900)
        assert await _sweep(shop) == (0, 0)
        assert (await shop.client.delete("/catalogue/band", headers=shop.staff(Role.SALES))).status_code == 200
        assert await _sweep(shop) == (0, 1)


async def test_a_model_that_is_being_put_on_offer_is_not_swept_away(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        model = await shop.upload(headers)
        shop.clock.tick(days=31)
        exists, sweeps = shop.service.objects.exists, list[asyncio.Task[Step | None]]()

        async def slowly(name: str) -> bool:
            found = await exists(name)
            sweeps.append(asyncio.create_task(shop.service.keeping.settle(model)))
            await asyncio.wait(sweeps, timeout=0.5)
            return found

        shop.service.objects.exists = slowly  # type: ignore[method-assign] # a slow store
        piece = {"name": "Band", "product": "ring", "description": "plain", "model": model}
        put = await shop.client.put("/catalogue/band", json=piece, headers=shop.staff(Role.SALES))
        assert put.status_code == 200
        assert await sweeps[0] is None
        assert await exists(model)


async def test_a_picture_that_another_models_order_shows_too_stays(tmp_path: Path) -> None:
    """The same mesh in another file looks the same; and what a message calls a picture may be anything."""
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()

        async def content() -> AsyncIterator[bytes]:
            yield b"a picture"

        picture = (await shop.service.objects.put(content(), area=Area.HOT)).name
        other, open_ = await _ordered(shop, headers, _model(1), "k1")
        first, cancelled = await _ordered(shop, headers, _model(2), "k2")
        second, also = await _ordered(shop, headers, _model(3), "k3")
        third, strange = await _ordered(shop, headers, _model(4), "k4")
        drawn = {open_: picture, cancelled: picture, also: other, strange: "../../etc"}
        await shop.hear(
            *(shop.says(MES, order, Status.PRICE_FAILED, picture=name) for order, name in drawn.items()),
            *(shop.says(CRM, order, Status.CANCELLED) for order in (cancelled, also, strange)),
        )
        shop.clock.tick(days=31)
        assert await _sweep(shop) == (0, 3)
        objects = shop.service.objects
        kept = [await objects.exists(name) for name in (other, picture, first, second, third)]
        assert kept == [True, True, False, False, False]


async def test_what_an_upload_left_in_quarantine_without_a_note_is_found_and_ages(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:

        async def content() -> AsyncIterator[bytes]:
            yield MODEL

        name = (await shop.service.objects.put(content())).name
        shop.clock.now = datetime.now(UTC) + timedelta(days=29)
        assert await _sweep(shop) == (0, 0)
        shop.clock.tick(days=2)
        assert await _sweep(shop) == (0, 1)
        assert not await shop.service.objects.exists(name)


async def test_working_objects_are_gone_after_a_day(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:

        async def content() -> AsyncIterator[bytes]:
            yield b"a slab"

        name = (await shop.service.objects.put(content(), area=Area.WORK)).name
        assert shop.clock() == START
        await _sweep(shop)
        assert await shop.service.objects.exists(name)
        shop.clock.now = datetime.now(UTC) + timedelta(days=1, seconds=1)
        await _sweep(shop)
        assert not await shop.service.objects.exists(name)


async def test_a_sweep_that_was_cut_short_is_finished_by_the_next(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        model = await shop.upload(headers)
        shop.clock.tick(days=31)
        await shop.service.objects.delete(model)
        assert await _sweep(shop) == (0, 1)
        assert await _sweep(shop) == (0, 0)
        assert (await shop.order(await _signed_in(shop), item=None, model=model)).status_code == 400
