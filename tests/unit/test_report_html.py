"""The HTML report stands alone, is valid, shows the figures of the JSON, and is harmless whatever the log says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

import pytest

from collectors.report.charts import MOST_BINS, shortened
from collectors.report.content import LeadTimes
from collectors.report.headline import headline
from collectors.report.html import render, write_html
from instrumentation.errors import BadInput
from tests.reports import changed, order, reported, simulated

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.report import Report

VOID: Final = {"meta", "input", "br", "link", "img", "hr"}
DRAWN: Final = {"rect", "line", "path"}


class Page(HTMLParser):
    """Reads a page strictly: every element that is opened is closed, in its order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID | DRAWN:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in an element without content."""
        assert tag in DRAWN | VOID
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take in words, but not scripts and styles."""
        if self.open and self.open[-1] not in {"script", "style"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        """What is to be read, with ordinary spaces and hyphens."""
        return " ".join(" ".join(self.words).split()).replace("\u2011", "-")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def report() -> Report:
    return simulated()


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(render(report))


def test_the_headline_is_the_heading(report: Report, page: Page) -> None:
    said = headline(report)
    assert said.verdict in page.text
    assert all(sentence in page.text for sentence in said.reasons)


def test_nothing_is_loaded_from_elsewhere(report: Report, page: Page) -> None:
    text = render(report)
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    assert not [
        tag for tag, _ in page.elements if tag in {"link", "img", "iframe", "object", "embed", "base", "form action"}
    ]
    assert all("src" not in attributes for attributes in page.all("script"))
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'")
    assert len(text.encode()) < 1_000_000


def test_every_chart_says_what_it_shows_and_has_its_figures_in_a_table(page: Page) -> None:
    charts = page.all("svg")
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert len(charts) > 10
    for chart in charts:
        assert chart["role"] == "img"
        assert {*(chart["aria-labelledby"] or "").split()} <= ids
    assert len(page.all("table")) > 5


def test_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_figures_are_those_of_the_json(report: Report, page: Page) -> None:
    document = report.document
    assert f"{document['kept']:,} kept and {document['broken']:,} broken" in page.text
    for stage in document["stages"]:
        row = re.search(rf"{stage['stage']} (?:wait|work) \S+ .*? {stage['orders']:,} ", page.text)
        assert row, stage["stage"]
    culprit = document["culprit"]
    assert f"{culprit['rescued']:,} late orders would have been on time" in page.text


def test_what_was_gathered_adds_up_to_the_json(report: Report) -> None:
    document = report.document
    assert sum(sum(counts) for _, _, *counts in report.lead_times.bins) == document["kept"] + document["broken"]
    assert sum(kept for _, _, kept, _, _ in report.lead_times.bins) == document["kept"]
    kept, broken = sum(p.kept for p in report.trend), sum(p.broken for p in report.trend)
    assert (kept, broken) == report.due
    assert kept / (kept + broken) == document["on_time_share"]
    outlook = report.outlook
    assert outlook.on_track + outlook.at_risk + outlook.late == document["open"]
    inside = sum(stage.wip[-1] for stage in report.stages)
    assert inside == document["open"] + outlook.broken


def test_late_orders_lie_beyond_the_promise_and_kept_ones_before_it(report: Report) -> None:
    promise = report.lead_times.promise_s
    assert promise == 21 * 86_400
    for low, high, kept, late, running in report.lead_times.bins:
        assert not kept or high <= promise
        assert not late + running or low >= promise


def test_a_long_tail_is_drawn_in_few_bars_that_keep_the_promise_apart() -> None:
    bins = [(float(n), n + 1.0, 10 * (n < 100), 10 * (n >= 100), 0) for n in range(400)] + [(5_000.0, 5_001.0, 0, 0, 2)]
    drawn = shortened(LeadTimes(100.0, bins, 1.0, 2.0))
    assert len(drawn) <= MOST_BINS + 3
    assert sum(sum(counts) for _, _, *counts in drawn) == 4_002
    assert not [entry for entry in drawn if entry[2] and entry[3]]


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script>", "a\x00b\x1b[0m"]
)
def test_markup_in_names_is_shown_and_never_run(name: str) -> None:
    events = [*order(name, 1, 12, 1, channel=name), *order(name + "open", 1, channel="b")]
    stages = [
        {
            "name": name.replace("\x00", ""),
            "in": ["NEW", "ASKED", "MADE"],
            "kind": "wait",
            "owner": "<b>",
            "budget": "1d",
        }
    ]
    text = render(reported(events, changed(stages=stages, name="<i>"), as_of=40))
    page = Page(text)
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert "&lt;b&gt;" in text
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert "\x1b" not in text
    assert "\x00" not in text


def test_an_order_shows_every_event_with_its_stage_and_stay() -> None:
    page = Page(render(reported([*order("A-1", 1, 12, 2), ("A-1", "WHAT", 0.5, {})], as_of=40)))
    assert "A-1 5 d late" in page.text
    assert "2026-03-03 00:00 ASKED approval 12 d" in page.text.replace("2026- 03", "2026-03")
    assert "WHAT (unknown, set aside)" in page.text
    assert "would have been on time had approval kept its budget" in page.text


def test_empty_logs_make_a_page_too() -> None:
    page = Page(render(reported([("a", "ASKED", 0.0, {})])))
    assert "Nothing to judge" in page.text


def test_a_place_that_cannot_be_written_is_named(report: Report, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written there"):
        write_html(report, tmp_path / "no" / "folder.html")
