"""The shop's pages, as a browser without scripts uses them."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from instrumentation.errors import BadInput
from pricing.materials import DEFAULT_MATERIALS
from pricing.storage import Area
from services.contract import CRM, MES, OWNER, SHOP, Status
from services.shop.alloys import alloys
from services.shop.model import UNITS, Product
from services.shop.seed import PIECES
from services.shop.words import WORDS
from tests.unit.test_shop import MODEL, PRICE, detail_of, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests.unit.test_shop import Shop

SAME: dict[str, str] = {"sec-fetch-site": "same-origin", "accept": "text/html"}
ADA = {"name": "Ada <b>", "email": "ada@example.com", "password": "correct horse battery"}


async def _browser(shop: Shop) -> httpx.AsyncClient:
    """Sign up as a browser does; its cookies are kept."""
    answer = await shop.client.post("/sign-up", data={**ADA, "next": "/my/orders"}, headers=SAME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/my/orders"), answer.text
    return shop.client


def _text(answer: httpx.Response) -> str:
    """Return what a page shows, tags and runs of blanks removed."""
    assert answer.headers["content-type"].startswith("text/html")
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def _hidden(page: httpx.Response, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page.text)
    assert found
    return unescape(found[1])


async def _ordered(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    page = await client.get("/new", headers=SAME)
    given = {"product": "ring", "key": _hidden(page, "key"), **fields}
    return await client.post("/new", data=given, files={"model": ("r.stl", MODEL)}, headers=SAME)


async def test_the_catalogue_is_the_home_page_for_everybody(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        page = await shop.client.get("/")
        assert all(item.name in _text(page) for item in PIECES)
        assert "Sign in" in _text(page)
        await _browser(shop)
        assert "Sign out Ada <b>" in _text(await shop.client.get("/"))


async def test_what_customers_write_stays_text(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        order = (await _ordered(client, note="<script>alert(1)</script>")).headers["location"]
        page = await client.get(order)
        assert "<script>alert" not in page.text
        assert "<script>alert(1)</script>" in _text(page)


async def test_signing_in_leads_back_to_where_the_customer_wanted_to_go(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        signed_out = await client.post("/sign-out", headers=SAME)
        assert (signed_out.status_code, signed_out.headers["location"]) == (303, "/")
        asked = await client.get("/new?item=hoops", headers={"accept": "text/html"})
        assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=%2Fnew%3Fitem%3Dhoops")
        form = await client.get(asked.headers["location"])
        wrong = await client.post("/sign-in", data={**ADA, "password": "x", "next": "/"}, headers=SAME)
        assert wrong.status_code == 401
        assert "check both" in _text(wrong)
        assert ADA["email"] in wrong.text
        right = await client.post("/sign-in", data={**ADA, "next": _hidden(form, "next")}, headers=SAME)
        assert (right.status_code, right.headers["location"]) == (303, "/new?item=hoops")
        assert "Order Hoops" in _text(await client.get("/new?item=hoops"))


@pytest.mark.parametrize("away", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_signing_in_leads_to_no_other_site(tmp_path: Path, away: str) -> None:
    async with running(tmp_path) as shop:
        assert (await shop.client.get("/sign-in", params={"next": away})).status_code == 400
        answer = await shop.client.post("/sign-up", data={**ADA, "next": away}, headers=SAME)
        assert answer.status_code == 400


async def test_forms_of_other_sites_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        order = (await _ordered(client)).headers["location"]
        for path in ("/sign-up", "/sign-in", "/sign-out", "/new", f"{order}/submission", f"{order}/cancellation"):
            for origin in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {}):
                answer = await client.post(path, data=ADA, headers=origin)
                assert answer.status_code == 403, path
        assert "Send my order" in _text(await client.get(order))


async def test_an_order_from_an_own_model_is_placed_and_sent_by_forms(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        placed = await _ordered(client, note="size 17")
        assert placed.status_code == 303
        path = placed.headers["location"]
        page = await client.get(path)
        assert all(
            said in _text(page) for said in ("You began this order", "Send my order", "size 17", "your own model")
        )
        sent = await client.post(f"{path}/submission", headers=SAME)
        assert (sent.status_code, sent.headers["location"]) == (303, path)
        page = await client.get(path)
        assert "We have your order" in _text(page)
        assert "Monday, 23 March" in _text(page)
        assert path.rpartition("/")[2] in _text(await client.get("/my/orders"))


async def test_a_form_that_is_sent_twice_orders_once(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        key = _hidden(await client.get("/new?item=hoops"), "key")
        sent: Any = {"data": {"item": "hoops", "product": "earrings", "key": key}, "files": {"x": ("", b"")}}
        first = await client.post("/new", headers=SAME, **sent)
        again = await client.post("/new", headers=SAME, **sent)
        assert first.status_code == again.status_code == 303
        assert first.headers["location"] == again.headers["location"]


async def test_a_refused_form_says_why_keeps_what_was_written_and_can_be_sent_again(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        given = {"product": "pendant", "note": "for Bea", "key": "k"}
        text = await client.post("/new", data=given, files={"model": ("a.stl", b"hello")}, headers=SAME)
        assert text.status_code == 415
        assert "no 3D model that we know" in _text(text)
        assert "for Bea" in text.text
        assert '<option value="pendant" selected>' in text.text
        none = await client.post("/new", data=given, files={"model": ("", b"")}, headers=SAME)
        assert "Attach the 3D model" in _text(none)
        again = {**given, "key": _hidden(text, "key")}
        assert (await client.post("/new", data=again, files={"model": ("a", MODEL)}, headers=SAME)).status_code == 303
        assert (await client.post("/new", data=given, headers=SAME)).status_code == 415
        assert (await client.get("/new?item=nothing")).status_code == 404


async def test_every_status_is_shown_in_the_customers_words(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        for status, words in WORDS.items():
            path = (await _ordered(client)).headers["location"]
            if status is Status.SUBMITTED:
                await client.post(f"{path}/submission", headers=SAME)
            elif OWNER[status] != SHOP:
                await shop.hear(shop.says(OWNER[status], path.rpartition("/")[2], status))
            page = await client.get(path)
            assert f"<h2>{words.title}</h2>" in page.text
            assert f"<strong>{words.title}</strong>" in page.text
            assert words.meaning in _text(page)
            assert words.place in _text(page)
            assert str(status) not in _text(page)
            assert words.title in _text(await client.get("/my/orders"))
        assert set(WORDS) == set(Status)


async def test_the_page_shows_how_much_of_the_price_is_calculated_and_the_price(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        path = (await _ordered(client)).headers["location"]
        order = path.rpartition("/")[2]
        await shop.hear(shop.says(MES, order, Status.PRICE_CALCULATING))
        assert 'max="1" value="0"' in (await client.get(path)).text
        await shop.hear(shop.says(MES, order, Status.PRICE_CALCULATING, progress=0.5))
        page = await client.get(path)
        assert 'max="1" value="0.5"' in page.text
        assert "50 %" in _text(page)
        assert page.text.count("<strong>We are calculating your price</strong>") == 1
        await shop.hear(shop.says(MES, order, Status.PRICE_CALCULATED, price=PRICE))
        page = await client.get(path)
        assert "<progress" not in page.text
        assert "€412.50" in _text(page)


async def _picture(shop: Shop, content: bytes = b"\x89PNG\r\n") -> str:
    """Keep a picture as pricing does; return its name."""

    async def stream() -> AsyncIterator[bytes]:
        yield content

    return (await shop.service.objects.put(stream(), area=Area.HOT)).name


async def test_the_page_shows_the_model_and_what_was_noticed_about_it(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        path = (await _ordered(client, alloy="14k-yellow-gold")).headers["location"]
        order, picture = path.rpartition("/")[2], await _picture(shop)
        page = await client.get(path)
        assert "Cast in 14k yellow gold" in _text(page)
        assert '<img src="/orders' not in page.text
        noticed: dict[str, Any] = {"problems": ("The <band> is 0.4 mm thin.",), "picture": picture}
        await shop.hear(shop.says(MES, order, Status.PRICE_CALCULATED, price=PRICE, **noticed))
        page = await client.get(path)
        assert "What we noticed about your model The <band> is 0.4 mm thin." in _text(page)
        [address] = re.findall(r'<img src="(/orders/[^"]+)"[^>]* alt="Your model as we read it, with', page.text)
        image = await client.get(unescape(address), headers={"sec-fetch-site": "same-origin"})
        assert (image.status_code, image.content) == (200, b"\x89PNG\r\n")
        assert image.headers["content-type"] == "image/png"
        assert image.headers["cache-control"] == "private, max-age=31536000, immutable"
        await shop.hear(shop.says(MES, order, Status.PRICE_FAILED, reason="It has holes.", problems=("A hole.",)))
        page = await client.get(path)
        assert "It has holes. What stands in the way A hole." in _text(page)
        assert "<figure" not in page.text


async def test_a_picture_is_its_own_customers_and_of_the_price_that_counts(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, ada = await shop.customer("Ada")
        _, bob = await shop.customer("Bob")
        order, picture = await shop.submitted(ada), await _picture(shop)
        at = f"/orders/{order}/picture"
        assert "no such picture" in detail_of(await shop.client.get(at, headers=ada), 404)
        await shop.hear(shop.says(MES, order, Status.PRICE_CALCULATED, price=PRICE, picture=picture))
        plain = await shop.client.get(at, headers=ada)
        assert (plain.status_code, plain.headers["cache-control"]) == (200, "private, no-cache")
        assert plain.headers["etag"] == f'"{picture}"'
        assert detail_of(await shop.client.get(at, headers=bob), 404) == f"you have no order `{order}`"
        assert (await shop.client.get(at)).status_code == 401
        for other in (await _picture(shop, b"another"), await shop.upload(ada)):
            assert "no such picture" in detail_of(await shop.client.get(f"{at}?of={other}", headers=ada), 404)
        await shop.service.objects.delete(picture)
        assert "no such picture" in detail_of(await shop.client.get(at, headers=ada), 404)


async def test_alloy_and_unit_are_chosen_where_a_model_is_brought(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        form = await client.get("/new")
        options = re.findall(r'<option value="([^"]*)"(?: selected)?>', form.text)
        assert options == ["", *UNITS, *Product, *alloys()]
        assert "Sterling silver 925" in _text(form)
        assert 'name="alloy"' not in (await client.get("/new?item=hoops")).text
        given = {"product": "ring", "key": "k", "alloy": "bronze"}
        refused = await client.post("/new", data=given, files={"model": ("a.stl", b"hello")}, headers=SAME)
        assert '<option value="bronze" selected>' in refused.text


async def test_the_alloys_on_offer_are_those_of_the_materials_file_that_is_named(tmp_path: Path) -> None:
    """In the form, in the check of an order, and on its page."""
    house = DEFAULT_MATERIALS.read_text(encoding="utf-8")
    renamed = tmp_path / "materials.yaml"
    renamed.write_text(house.replace("\n  bronze:", "\n  bell-metal:"), encoding="utf-8")
    async with running(tmp_path, materials=renamed) as shop:
        client = await _browser(shop)
        offered = re.findall(r'<option value="([^"]+)"', (await client.get("/new")).text)
        assert ("bell-metal" in offered, "bronze" in offered) == (True, False)
        placed = await _ordered(client, alloy="bell-metal")
        assert "bell-metal" not in _text(await client.get(placed.headers["location"]))
        refused = await _ordered(client, alloy="bronze")
        assert refused.status_code == 400
        assert "No alloy of ours is called bronze; choose one of" in _text(refused)
    with pytest.raises(BadInput, match=r"no-such\.yaml: cannot be read"):
        alloys(tmp_path / "no-such.yaml")


async def test_a_question_is_answered_on_the_page_with_a_better_model(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        path = (await _ordered(client)).headers["location"]
        order = path.rpartition("/")[2]
        await shop.hear(shop.says(CRM, order, Status.AWAITING_CUSTOMER, reason="Which <finger>?"))
        assert "Which <finger>?" in _text(await client.get(path))
        empty = await client.post(f"{path}/answer", data={"answer": " "}, files={"model": ("", b"")}, headers=SAME)
        assert empty.status_code == 400
        assert 'role="alert"' in empty.text
        better = MODEL.replace(b"0 0 1", b"0 1 0")
        said = {"data": {"answer": "The fourth."}, "files": {"model": ("b.stl", better)}}
        assert (await client.post(f"{path}/answer", headers=SAME, **said)).status_code == 303  # type: ignore[arg-type] # by name
        page = _text(await client.get(path))
        assert "You answered: The fourth." in page
        assert "Send my answer" not in page


async def test_cancelling_is_asked_on_the_page_until_it_is_too_late(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        first, second = [(await _ordered(client)).headers["location"] for _ in range(2)]
        assert (await client.post(f"{first}/cancellation", data={"reason": ""}, headers=SAME)).status_code == 303
        assert "You have asked us to cancel" in _text(await client.get(first))
        await shop.hear(shop.says(MES, second.rpartition("/")[2], Status.MANUFACTURING_STARTED))
        assert "Cancel the order" not in _text(await client.get(second))
        late = await client.post(f"{second}/cancellation", data={"reason": "x"}, headers=SAME)
        assert late.status_code == 409
        assert "being made already" in _text(late)


async def test_pages_of_others_and_of_nobody_are_not_found(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, bob = await shop.customer("Bob")
        order = await shop.submitted(bob)
        client = await _browser(shop)
        for path in (f"/my/orders/{order}", "/my/orders/AAAA-AAAA", "/my/orders/%00"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert "Back to the catalogue" in _text(answer)


async def test_history_is_shown_page_by_page(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        for _ in range(22):
            assert (await _ordered(client)).status_code == 303
            shop.clock.tick()
        first = await client.get("/my/orders")
        assert first.text.count('class="card row"') == 20
        older = re.search(r'href="(/my/orders\?cursor=[^"]+)"', first.text)
        assert older
        second = await client.get(unescape(older[1]))
        assert second.text.count('class="card row"') == 2
        assert "Newest orders" in _text(second)


async def test_a_form_without_files_has_its_limit(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        answer = await shop.client.post("/sign-in", data={"email": "a" * 70_000}, headers=SAME)
        assert answer.status_code == 413


async def test_pages_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        order = (await _ordered(client)).headers["location"]
        for path in ("/", "/sign-in", "/sign-up", "/new", "/my/orders", order):
            page = (await client.get(path)).text
            assert not re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', page), path
            assert not re.findall(r"<script(?! src)|\sstyle=|\son\w+=", page), path
            for field in re.findall(r'<(?:input|select|textarea)\b[^>]*\bid="([^"]+)"', page):
                assert f'for="{field}"' in page, f"{path}: the field {field} has no label"


async def test_a_forms_made_up_key_is_not_kept(tmp_path: Path) -> None:
    """PostgreSQL could not hold some of them."""
    async with running(tmp_path) as shop:
        client = await _browser(shop)
        for key in ("no\0key", "k" * 201):
            answers = [await _ordered(client, key=key) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [303, 303]
            assert answers[0].headers["location"] != answers[1].headers["location"]


async def test_a_form_of_too_many_fields_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        answer = await shop.client.post("/sign-in", data={f"f{n}": "x" for n in range(51)}, headers=SAME)
        assert answer.status_code == 400
        assert "no form of this page" in _text(answer)
