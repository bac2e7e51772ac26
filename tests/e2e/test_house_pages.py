"""The pages of shop, CRM and MES in a real browser: one order's whole way by clicking, as its people would."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

import pytest

from services.demo.house import House, Pace
from services.demo.rings import Ring
from tests.parts import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

PHONE: Final[ViewportSize] = {"width": 390, "height": 800}
PASSWORD: Final = "a long enough password"  # noqa: S105 - of an account that this test makes


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve a house from another thread: the browser is driven from this one."""
    ports = {name: free_port() for name in ("shop", "crm", "mes", "issuer", "pricing")}
    pace = Pace(pricing_seconds=0.5, vendor_latency=0.0, poll_seconds=0.05, sweep_seconds=0.2)
    found: list[House] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        one = House(tmp_path_factory.mktemp("house"), ports, pace=pace)
        async with one.open():
            found.append(one)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(60)
    yield found[0]
    done.set()
    thread.join(60)


class Person:
    """Somebody with a browser of their own, who complains of what pages do wrong."""

    def __init__(self, browser: Browser, house: House, where: str) -> None:
        self.context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900})
        self.page: Page = self.context.new_page()
        self.home = house.address(where)
        self.complaints: list[str] = []
        own = tuple(house.address(name) for name in ("shop", "crm", "mes", "issuer", "pricing"))
        self.page.on(
            "console",
            lambda said: self.complaints.append(f"{said.text} {said.location}") if said.type == "error" else None,
        )
        self.page.on("response", lambda answer: self.complaints.append(answer.url) if answer.status >= 400 else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: None if asked.url.startswith(own) else self.complaints.append(asked.url))
        self.page.set_default_timeout(30_000)

    def goes(self, path: str) -> None:
        """Open a page, and see that it fits a phone too."""
        self.page.goto(self.home + path)
        wide = self.page.viewport_size
        self.page.set_viewport_size(PHONE)
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} is too wide"
        assert wide is not None
        self.page.set_viewport_size(wide)

    def presses(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name).first.click()

    def signs_in_as(self, name: str) -> None:
        """Come to the issuer's page, and say who they are."""
        self.goes("/")
        self.page.get_by_role("button", name=name).click()
        self.page.wait_for_url(f"{self.home}/**")

    def sees(self, text: str) -> None:
        """Read something on the page, at the latest when it has refreshed itself a few times."""
        self.page.get_by_text(text).first.wait_for()


def test_an_order_goes_from_the_customers_upload_to_closed_by_clicking(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    """A customer, a sales manager and an operator each see and do their part; no page errs or asks others' servers."""
    model = tmp_path / "ring.stl"
    model.write_bytes(Ring(waves=9, wave_height_mm=0.3).stl())
    ada = Person(browser, house, "shop")
    ada.goes("/")
    ada.goes("/sign-up")
    ada.page.get_by_label("name").fill("Ada Example")
    ada.page.get_by_label("mail").fill("ada@example.org")
    ada.page.get_by_label("password").fill(PASSWORD)
    ada.presses("Open")
    ada.goes("/new")
    ada.page.get_by_label("3D model").set_input_files(model)
    ada.presses("Continue")
    ada.presses("Send my order")
    order = ada.page.url.rpartition("/")[2]

    sofia = Person(browser, house, "crm")
    sofia.signs_in_as("Sofia Marin")
    _until_listed(sofia, order)
    sofia.goes(f"/pages/orders/{order}")
    sofia.page.get_by_text("Ask back…").first.click()
    sofia.page.get_by_label("What do you ask?").fill("May the band be 0.2 mm thicker?")
    sofia.presses("Send the question")

    ada.sees("May the band be 0.2 mm thicker?")
    ada.page.get_by_label("Your answer").fill("Yes, please.")
    ada.presses("Send my answer")

    _until_listed(sofia, order)
    sofia.goes(f"/pages/orders/{order}")
    sofia.sees("Yes, please.")
    sofia.presses("Approve")

    maker = _whoever_has(browser, house, order)
    for button in ("Start", "Complete", "Pack", "Ship"):
        maker.goes("/")
        maker.page.locator("form", has=maker.page.get_by_label(f"order {order}")).get_by_role("button").click()
        maker.page.wait_for_load_state()
        assert button  # four presses, whatever the buttons are called
    ada.goes(f"/my/orders/{order}")
    ada.page.locator("#live:not([data-refresh])").wait_for()
    for people in (ada, sofia, maker):
        assert people.complaints == []
        people.context.close()


def _until_listed(person: Person, order: str) -> None:
    for _ in range(100):
        person.goes("/")
        if person.page.get_by_text(order).count():
            return
        person.page.wait_for_timeout(100)
    pytest.fail(f"{order} does not come to the desk")


def _whoever_has(browser: Browser, house: House, order: str) -> Person:
    names = [person.name for person in house.issuer.people.values() if "operator" in person.roles]
    for name in names:
        person = Person(browser, house, "mes")
        person.signs_in_as(name)
        for _ in range(5):
            if person.page.get_by_text(order).count():
                return person
            person.page.wait_for_timeout(200)
            person.goes("/")
        person.context.close()
    pytest.fail(f"{order} is on nobody's work list")


@pytest.mark.parametrize(
    ("where", "who", "path", "shown"),
    [
        ("crm", "Tomas Berg", "/pages/orders", "orders"),
        ("mes", "Mara Lindt", "/pages/workshop", "workshop"),
    ],
)
def test_the_other_pages_of_staff_show(
    browser: Browser, house: House, where: str, who: str, path: str, shown: str
) -> None:
    person = Person(browser, house, where)
    person.signs_in_as(who)
    person.goes(path)
    assert shown in person.page.content().lower()
    assert person.complaints == []
    person.context.close()


def test_a_stranger_sees_no_page_of_staff(browser: Browser, house: House) -> None:
    """Without signing in there is only the issuer's page, and a wrong role gets no desk."""
    stranger = Person(browser, house, "crm")
    stranger.goes("/")
    assert stranger.page.url.startswith(house.address("issuer"))
    stranger.context.close()
    jonas = Person(browser, house, "crm")
    jonas.signs_in_as("Jonas Feld")
    assert jonas.page.get_by_role("button", name="Approve").count() == 0
    jonas.context.close()
