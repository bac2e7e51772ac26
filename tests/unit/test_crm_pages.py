"""The sales managers' pages: what they show, what their forms do, and that nothing of a customer's runs in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.auth import STAFF_COOKIE
from services.contract import Status
from tests import crm
from tests.crm import FACTS, SOFIA, Desk, running

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

EVIL = "<script>alert(1)</script>"


async def form(desk: Desk, path: str, *, site: str = "same-origin", **fields: str) -> httpx.Response:
    """Send a form as a browser does that has signed in."""
    desk.client.cookies.set(STAFF_COOKIE, desk.issuer.issue(SOFIA))
    return await desk.client.post(path, data=fields, headers={"sec-fetch-site": site})


async def page(desk: Desk, path: str, status: int = 200) -> str:
    """Return a page as a browser sees it that has signed in."""
    desk.client.cookies.set(STAFF_COOKIE, desk.issuer.issue(SOFIA))
    answer = await desk.client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == status
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in answer.text
    return answer.text


async def test_the_desk_shows_price_customer_promise_and_why(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        assert "Nothing waits for you" in await page(desk, "/")
        await desk.priced("a-1", "1412.50")
        desk.clock.pass_by(days=16)
        shown = await page(desk, "/")
        for words in (
            "One order waits for a decision",
            "The oldest has waited for 16 days",
            "1,412.50 EUR",
            "Ada Byron",
            "Mon 23 Mar 2026",
            "5 days left",
            "The customer is new.",
        ):
            assert words in shown


async def test_the_desk_goes_on_page_by_page(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        for number in range(26):
            await desk.priced(f"a-{number:02}")
        first = await page(desk, "/")
        assert "Further orders" in first
        cursor = (await desk.get("/desk", limit=25))["next"]
        second = await page(desk, f"/?cursor={cursor}")
        assert "a-25" in second
        assert "a-24" not in second
        assert "cursor" in await page(desk, "/?cursor=nonsense", 400)


@pytest.mark.parametrize(
    ("what", "fields", "status"),
    [
        ("approval", {"back": "desk"}, "MANUFACTURING_APPROVED"),
        ("rejection", {"reason": "no"}, "REJECTED"),
        ("question", {"reason": "why?"}, "AWAITING_CUSTOMER"),
        ("cancellation", {"reason": "no"}, "CANCELLED"),
    ],
)
async def test_a_form_decides_and_leads_back(tmp_path: Path, what: str, fields: dict[str, str], status: str) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        done = await form(desk, f"/pages/orders/a/{what}", **fields)
        assert done.status_code == 303
        assert done.headers["location"] == ("/" if "back" in fields else "/pages/orders/a")
        assert (await desk.order("a"))["status"] == status


async def test_a_form_that_does_not_fit_says_so_on_the_orders_page(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.walk("a", Status.SUBMITTED, Status.MANUFACTURING_STARTED)
        refused = await form(desk, "/pages/orders/a/cancellation", reason="no")
        assert refused.status_code == 409
        assert "cannot be cancelled: manufacturing has started" in refused.text
        unsaid = await form(desk, "/pages/orders/a/rejection", reason=" ")
        assert (unsaid.status_code, "Say why" in unsaid.text) == (400, True)
        assert (await form(desk, "/pages/orders/a/blessing")).status_code == 404
        assert (await form(desk, "/pages/orders/nobody/approval")).status_code == 404


async def test_a_form_of_another_site_is_refused(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        assert (await form(desk, "/pages/orders/a/approval", site="cross-site")).status_code == 403
        assert (await desk.order("a"))["tray"] == "waiting"


async def test_an_orders_page_tells_its_whole_story(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        await form(desk, "/pages/orders/a/question", reason="May it be thicker?")
        shown = await page(desk, "/pages/orders/a")
        for words in (
            "May it be thicker?",
            "the clock stands still",
            "Left to a person",
            "Awaiting customer",
            "band-4",
        ):
            assert words in shown


async def test_an_orders_page_warns_of_a_quote_that_ran_out(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a", days=1)
        assert "valid until 3 Mar 2026, 08:00 UTC" in await page(desk, "/pages/orders/a")
        desk.clock.pass_by(days=1)
        assert "the quote ran out on 3 Mar 2026, 08:00 UTC" in await page(desk, "/pages/orders/a")


async def test_what_customers_write_is_shown_and_never_run(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        facts = FACTS.model_copy(
            update={"customer_name": EVIL, "customer": EVIL.replace("/", ""), "product": EVIL, "channel": EVIL}
        )
        await desk.priced("'\"><b>", facts=facts)
        for path in (
            "/",
            "/pages/orders",
            "/pages/orders/'%22%3E%3Cb%3E",
            "/pages/customers/%3Cscript%3Ealert(1)%3Cscript%3E",
        ):
            assert "&lt;script&gt;" in await page(desk, path)


async def test_all_orders_can_be_filtered_by_status(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("priced-1")
        await desk.hear(desk.event("begun-1", Status.INITIATED))
        both = await page(desk, "/pages/orders")
        assert "priced-1" in both
        assert "begun-1" in both
        some = await page(desk, "/pages/orders?status=INITIATED")
        assert "priced-1" not in some
        assert "begun-1" in some
        assert "No orders in this status" in await page(desk, "/pages/orders?status=CLOSED")


async def test_a_customer_is_judged_on_their_page(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        assert "Nobody has judged this customer yet" in await page(desk, "/pages/customers/c-1")
        done = await form(desk, "/pages/customers/c-1/standing", standing="good", reason="paid in time")
        assert (done.status_code, done.headers["location"]) == (303, "/pages/customers/c-1")
        assert "Paid in time" in await page(desk, "/pages/customers/c-1")
        assert (await form(desk, "/pages/customers/c-1/standing", standing="good")).status_code == 400
