"""The catalogue: read from memory, changed by sales, and never stale for long."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from services.auth.people import Role
from services.bus import settle
from services.contract import CATALOGUE_CHANGED
from services.shop.catalogue import Catalogue
from services.shop.model import Item, Product
from services.shop.seed import PIECES
from services.shop.store import all_items, remove_item, save_item
from tests.unit.test_shop import detail_of, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message
    from tests.unit.test_shop import Shop

PIECE = {"name": "Crown", "product": "ring", "description": "For a small head."}


async def _names(shop: Shop) -> set[str]:
    return {item["id"] for item in (await shop.get("/catalogue"))["items"]}


async def _write_past_the_cache(shop: Shop) -> None:
    """Do what another process of the shop does: change the table."""

    async def work(connection: AsyncConnection) -> None:
        await save_item(connection, Item("elsewhere", "Elsewhere", Product.RING, "Written by another process."))

    await shop.service.database.write(work)


async def test_an_empty_catalogue_is_filled_with_our_own_pieces_unless_told_not_to(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        assert await _names(shop) == {item.id for item in PIECES}
        assert {item.product for item in PIECES} == set(Product)
    (tmp_path / "bare").mkdir()
    async with running(tmp_path / "bare", seed=False) as shop:
        assert await _names(shop) == set()


async def test_a_catalogue_that_staff_emptied_is_not_filled_again(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:

        async def work(connection: AsyncConnection) -> None:
            for item in PIECES:
                await remove_item(connection, item.id)

        await shop.service.database.write(work)
        await shop.service.catalogue.fill()
        async with shop.service.database.reading() as connection:
            assert await all_items(connection) == []


async def test_the_catalogue_is_read_from_memory(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        for _ in range(5):
            await _names(shop)
        assert shop.service.catalogue.reads == 1


async def test_staff_change_it_and_everybody_hears(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        sales = shop.staff(Role.SALES)
        heard: list[Message] = []
        await settle(shop.service.bus)
        shop.service.bus.on_broadcast(CATALOGUE_CHANGED, heard.append)
        written = await shop.client.put("/catalogue/crown", json=PIECE, headers=sales)
        assert written.json() == {"revision": 2}
        assert "crown" in await _names(shop)
        hidden = await shop.client.put("/catalogue/crown", json={**PIECE, "active": False}, headers=sales)
        assert hidden.json() == {"revision": 3}
        assert "crown" not in await _names(shop)
        assert (await shop.get("/catalogue/crown"))["active"] is False
        assert (await shop.client.delete("/catalogue/crown", headers=sales)).json() == {"revision": 4}
        detail_of(await shop.client.delete("/catalogue/crown", headers=sales), 404)
        detail_of(await shop.client.get("/catalogue/crown"), 404)
        await settle(shop.service.bus)
        assert {(m.subject, m.data["revision"]) for m in heard} == {
            ("catalogue", 2),
            ("catalogue", 3),
            ("catalogue", 4),
        }


async def test_an_event_makes_the_copy_stale(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        await settle(shop.service.bus)
        await _names(shop)
        await _write_past_the_cache(shop)
        assert "elsewhere" not in await _names(shop)

        async def work(connection: AsyncConnection) -> None:
            await shop.service.bus.publish(connection, CATALOGUE_CHANGED, "catalogue", {"revision": 9})

        await shop.service.database.write(work)
        await settle(shop.service.bus)
        assert "elsewhere" in await _names(shop)


async def test_age_makes_the_copy_stale_should_the_event_be_lost(tmp_path: Path) -> None:
    now = [0.0]
    async with running(tmp_path, seconds=lambda: now[0]) as shop:
        await settle(shop.service.bus)
        await _names(shop)
        await _write_past_the_cache(shop)
        now[0] = 300.0
        assert "elsewhere" not in await _names(shop)
        now[0] = 300.1
        assert "elsewhere" in await _names(shop)


class _Overtaken:
    """A database in which the catalogue changes, and says so, after each read and before its end."""

    def __init__(self, shop: Shop) -> None:
        self._database = shop.service.database
        self.changed: Callable[[], object] = list

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read, and be overtaken."""
        async with self._database.reading() as connection:
            yield connection
        self.changed()


async def test_what_was_overtaken_while_it_was_read_is_not_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        overtaken = _Overtaken(shop)
        catalogue = Catalogue(overtaken, shop.service.bus, 300, lambda: 0.0)  # type: ignore[arg-type] # it only reads
        overtaken.changed = catalogue.drop
        await catalogue.items()
        await catalogue.items()
        assert catalogue.reads == 2
        overtaken.changed = list
        for _ in range(3):
            await catalogue.items()
        assert catalogue.reads == 3


async def test_a_piece_needs_a_model_that_is_in_the_store(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        sales = shop.staff(Role.SALES)
        cheap = {**PIECE, "price": {"amount": "-1", "currency": "EUR"}}
        assert "between 0 and" in detail_of(await shop.client.put("/catalogue/crown", json=cheap, headers=sales), 400)
        missing = await shop.client.put("/catalogue/crown", json={**PIECE, "model": "0" * 64}, headers=sales)
        assert "not in the store" in detail_of(missing, 400)
        model = await shop.upload(sales)
        assert (await shop.client.put("/catalogue/crown", json={**PIECE, "model": model}, headers=sales)).is_success
        _, headers = await shop.customer()
        assert (await shop.order(headers, item="crown")).json()["model"] == model
        withdrawn = {**PIECE, "active": False}
        assert (await shop.client.put("/catalogue/crown", json=withdrawn, headers=sales)).is_success
        assert "no piece `crown`" in detail_of(await shop.order(headers, "k2", item="crown"), 400)
