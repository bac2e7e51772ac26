"""What pricing noticed about a model, on the desk: what the rules make of it, and how it is shown."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pricing.storage import Area
from services.contract import ORDER_ANSWERED, Status
from tests import crm
from tests.crm import FACTS, START, running
from tests.unit.test_crm_pages import EVIL, page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def test_what_cannot_be_cast_as_it_is_comes_to_the_desk_whatever_the_rules_allow(tmp_path: Path) -> None:
    """A remark alone does not keep an order from being approved; both are shown until another price is calculated."""
    found: dict[str, Any] = {"problems": ["The band is 0.4 mm thin."], "picture": "ef" * 32}
    price: dict[str, Any] = {
        "price": {"amount": "412.50", "currency": "EUR"},
        "valid_until": START + timedelta(days=14),
    }
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        for order, castable in (("a", False), ("b", True)):
            await desk.hear(desk.event(order, Status.SUBMITTED))
            await desk.hear(desk.event(order, Status.PRICE_CALCULATED, castable=castable, **price, **found))
            told = await desk.order(order)
            assert {name: told[name] for name in found} == found
        assert (await desk.order("a"))["why"] == "on the desk: the model cannot be cast as it is"
        assert (desk.said("a"), desk.said("b")) == ([], ["MANUFACTURING_APPROVED"])
        await desk.hear(desk.event("a", Status.PRICE_CALCULATING))
        told = await desk.order("a")
        assert (told["problems"], told["picture"]) == ([], None)
        await desk.hear(desk.event("a", Status.PRICE_FAILED, reason="It has holes.", **found))
        assert (await desk.order("a"))["problems"] == found["problems"]


async def test_the_size_of_a_model_is_not_taken_for_that_of_another(tmp_path: Path) -> None:
    """The customer answers with a better model, while events that tell of the first one are still on their way."""
    facts = FACTS.model_copy(update={"model": "ab" * 32, "model_bytes": 684, "alloy": "bronze", "item": None})
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a", facts=facts)
        assert (await desk.order("a"))["facts"]["model_bytes"] == 684
        said = {"answer": "yes", "answered_at": desk.clock().isoformat(), "model": "cd" * 32}
        await desk.hear(desk.command(ORDER_ANSWERED, "a", said))
        await desk.hear(desk.event("a", Status.PRICE_CALCULATING, facts=facts))
        told = (await desk.order("a"))["facts"]
        assert (told["model"], told["model_bytes"], told["alloy"]) == ("cd" * 32, None, "bronze")


async def test_an_orders_page_shows_the_model_and_what_pricing_noticed(tmp_path: Path) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"PNG"

    configured = crm.settings(tmp_path, models=tmp_path / "models")
    async with running(configured) as desk:
        assert desk.service.models is not None
        picture = (await desk.service.models.put(stream(), area=Area.HOT)).name
        await desk.priced("a-1")
        assert "<img" not in await page(desk, "/pages/orders/a-1")
        assert (await desk.client.get("/orders/a-1/picture", headers=desk.token())).status_code == 404
        noticed = [f"the band is 0.4 mm thin {EVIL}"]
        await desk.hear(desk.event("a-1", Status.PRICE_CALCULATED, problems=noticed, picture=picture))
        shown = await page(desk, "/pages/orders/a-1")
        assert "<li>The band is 0.4 mm thin &lt;script&gt;" in shown
        [(address, words)] = re.findall(r'<img src="([^"]+)"[^>]* alt="([^"]+)"', shown)
        assert words == "The ring as pricing read it, with the spots marked that it noticed"
        image = await desk.client.get(address, headers={"sec-fetch-site": "same-origin"})
        assert (image.status_code, image.content, image.headers["content-type"]) == (200, b"PNG", "image/png")
        assert image.headers["cache-control"] == "private, max-age=31536000, immutable"
        plain = await desk.client.get("/orders/a-1/picture", headers=desk.token())
        assert plain.headers["cache-control"] == "private, no-cache"
        for path in (f"/orders/a-1/picture?of={'0' * 64}", "/orders/unheard/picture"):
            assert (await desk.client.get(path, headers=desk.token())).status_code == 404
        await desk.service.models.delete(picture)
        assert (await desk.client.get("/orders/a-1/picture", headers=desk.token())).status_code == 404


async def test_an_orders_page_shows_how_much_of_the_price_is_calculated(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.hear(desk.event("a-1", Status.PRICE_CALCULATING, progress=0.5))
        shown = await page(desk, "/pages/orders/a-1")
        assert "Calculated so far: 50 %" in shown
        assert '<progress id="pricing" max="1" value="0.5">' in shown
        await desk.priced("a-1")
        assert "<progress" not in await page(desk, "/pages/orders/a-1")


async def test_a_desk_that_cannot_reach_pictures_shows_the_words(tmp_path: Path) -> None:
    """A browser may load pictures from the desk itself only."""
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a-1")
        noticed: dict[str, Any] = {"problems": ["the band is 0.4 mm thin"], "picture": "ef" * 32}
        await desk.hear(desk.event("a-1", Status.PRICE_CALCULATED, **noticed))
        shown = await page(desk, "/pages/orders/a-1")
        assert "The band is 0.4 mm thin" in shown
        assert "<img" not in shown
        policy = (await desk.client.get("/pages/orders/a-1", headers=desk.token())).headers["content-security-policy"]
        assert "img-src 'self' data:" in policy
        assert (await desk.client.get("/orders/a-1/picture", headers=desk.token())).status_code == 404
