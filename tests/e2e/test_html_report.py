"""The HTML report in a real browser: it shows, it opens orders, it fits a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from collectors.report import write_html
from collectors.report.headline import headline
from tests.reports import simulated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from collectors.report import Report


@pytest.fixture(scope="module")
def report() -> Report:
    return simulated()


@pytest.fixture(scope="module")
def address(report: Report, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    write_html(report, path)
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    width = getattr(request, "param", 1280)
    opened = browser.new_page(viewport={"width": width, "height": 800})
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda asked: None if asked.url == address else complaints.append(asked.url))
    opened.goto(address)
    yield opened
    opened.close()
    assert complaints == []


def test_the_page_shows_the_headline(page: Page, report: Report) -> None:
    heading = page.locator("h1").inner_text().replace("\u00a0", " ").replace("\u2011", "-")
    assert heading == headline(report).verdict


def test_an_order_to_chase_opens_with_its_events(page: Page, report: Report) -> None:
    link = page.locator("#chase tbody a").first
    name = link.inner_text()
    link.click()
    dialog = page.locator("dialog[open]")
    assert name in dialog.inner_text()
    assert dialog.locator("tbody tr").count() >= 2
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert name in {journey.name for journey in report.journeys}


def test_an_order_in_the_list_unfolds(page: Page) -> None:
    order = page.locator("#orders details.order").first
    assert not order.locator(".events").is_visible()
    order.locator("summary").click()
    assert order.locator(".events").is_visible()


def test_tables_sort_by_what_they_mean_and_the_search_narrows_them(page: Page) -> None:
    page.locator("#chase th button", has_text="for").click()
    values = [
        int(text)
        for text in page.locator("#chase tbody td:nth-child(3)").evaluate_all("all => all.map(c => c.dataset.value)")
    ]
    assert values == sorted(values)
    page.locator("#search").fill("packing")
    shown = page.locator("#chase tbody tr:visible")
    assert 0 < shown.count() < len(values)
    assert all("packing" in text for text in shown.all_inner_texts())


def test_pointing_at_a_bar_says_its_figures(page: Page) -> None:
    page.locator(".wide svg rect[data-tip]").first.hover()
    assert "week of 2026-" in page.locator("#tip").inner_text()


@pytest.mark.parametrize("page", [390, 768, 1280], indirect=True)
def test_the_page_never_scrolls_sideways(page: Page) -> None:
    width, inside = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= inside
