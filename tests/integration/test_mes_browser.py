"""The workshop's pages in a real browser: an operator signs in, works by the buttons, and signs out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from services.auth import AuthSettings, DemoIssuer, create_issuer_app
from services.bus.bus import utc_now
from services.contract import CRM, SHOP, Status
from services.resilience import serving
from tests.mes import running
from tests.parts import chromium, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Page


async def work(page: Page, address: str, issuer: str) -> None:
    """Do what an operator does in a day, and look at what the pages say."""
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text))
    await page.goto(address)
    assert page.url.startswith(issuer)
    await page.get_by_text("Ines Costa").click()
    await page.wait_for_url(f"{address}/")
    for button in ("Start", "Complete", "Pack", "Ship"):
        await page.get_by_role("button", name=button).click()
        await page.wait_for_load_state()
        assert page.url == f"{address}/"
    assert "Nothing to make" in await page.inner_text("main")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{issuer}/**")
    assert complaints == []


async def test_an_operator_signs_in_works_and_signs_out(tmp_path: Path) -> None:
    """By buttons alone: the browser's own rules (cookies, origins, content policy) let all of it through."""
    program = chromium()
    from playwright.async_api import async_playwright

    issuer = DemoIssuer(f"http://127.0.0.1:{free_port()}")
    port = free_port()
    auth = AuthSettings(issuer=issuer.url)
    async with running(tmp_path, utc_now, auth=auth, pricing_seconds=0) as room:
        await room.say(SHOP, Status.SUBMITTED, promised_at=utc_now() + timedelta(days=9))
        await room.turn()
        await room.turn()
        await room.say(CRM, Status.MANUFACTURING_APPROVED)
        await room.turn()
        async with (
            serving.running(create_issuer_app(issuer), "127.0.0.1", int(issuer.url.rpartition(":")[2])),
            serving.running(room.app, "127.0.0.1", port),
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            await work(await browser.new_page(), f"http://127.0.0.1:{port}", issuer.url)
            await browser.close()
            await room.turn()
        assert room.said()[-1] == "SHIPPED"
