"""`touchstone order`: one order's journey in the terminal, and what is said where there is none."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from collectors.journeys import print_journey, run_order
from collectors.journeys.visits import entries
from collectors.live.reading import Arrived, Intake
from instrumentation.errors import BadInput, TouchstoneError
from tests import live
from tests.live import START, event, running
from tests.systems import House, systems_file
from touchstone import app

if TYPE_CHECKING:
    from pathlib import Path

SYSTEMS = """
touchstone: 1
systems:
  - {name: shop, source: /shop, address: http://shop}
  - {name: crm, source: /crm, address: http://crm}
"""


def printed(document: dict[str, Any], width: int = 140, encoding: str = "utf-8") -> str:
    """Return what a terminal shows of a journey, line ends trimmed."""
    raw = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_journey(document, Console(file=raw, width=width))
    raw.seek(0)
    return "\n".join(line.rstrip() for line in raw.read().splitlines())


async def _document(folder: Path, *messages: Any, hours: float = 12, more: Arrived | None = None) -> Any:
    clock = live.Clock(START + timedelta(hours=hours))
    async with running(live.settings(folder), clock) as collector:
        await collector.send(*messages)
        if more is not None:
            await collector.service.collector.take_in(Intake([more]))
        return await collector.get("/orders/a")


async def test_a_journey_shows_promise_timeline_stages_pauses_and_oddities(tmp_path: Path) -> None:
    at = live.Clock(START + timedelta(hours=4))()
    polled = Arrived("/mes", "mes/1", "a", "MADE", at, 1, None, 30_000_000)
    text = printed(
        await _document(
            tmp_path,
            event("a", "NEW", 0, sequence=1, channel="web"),
            event("a", "PAID", 0.5, sequence=2),
            event("a", "ASKED", 1, source="/crm", sequence=1),
            event("a", "PAID", 3, source="/crm", sequence=2),
            event("a", "ODD", 3.5, source="/crm", sequence=3),
            event("a", "PACKED", 3.9, source="/mes", sequence=2),
            more=polled,
        )
    )
    lines = text.splitlines()
    assert lines[0] == "Order a  channel web"
    assert "The promise is broken; it was promised by 2026-03-02 18:00" in text
    assert "Late: ready about" in text
    assert "Now in elsewhere since 2026-03-02 12:00, for 8 hours." in text
    rows = [line.split() for line in lines]
    assert ["PAID", "/shop", "2026-03-02", "08:30:00", "30", "min"] in rows
    assert ["MADE", "/mes", "2026-03-02", "12:00:00", "0", "±", "30", "s"] in rows
    assert any(line.split("  ")[0] == "PACKED" and line.endswith("8 h so far  its clock runs behind") for line in lines)
    assert any("the promise does not know this status" in line for line in lines)
    assert any("customer (pauses the promise)" in line for line in lines)
    assert any(line.startswith("payment") and "30 min     1 h" in line for line in lines)


async def test_a_finished_order_says_whether_its_promise_was_kept(tmp_path: Path) -> None:
    text = printed(await _document(tmp_path, *live.whole_order("a"), hours=90))
    assert "The promise was kept; it was promised by 2026-03-02 16:00, and ready on 2026-03-02 12:00" in text
    assert "so far" not in text


async def test_an_order_that_nothing_usable_is_known_of_is_said(tmp_path: Path) -> None:
    text = printed(await _document(tmp_path, event("a", "ODD", 1)))
    assert "No event that could be used has happened yet." in text


async def test_stages_add_up_to_what_the_timeline_shows(tmp_path: Path) -> None:
    document = await _document(tmp_path, *live.whole_order("a"))
    lasted = [entry.lasted_s for entry in entries(document)]
    assert lasted == [3600, 3600, 3600, 3600, None]
    assert sum(row["time_s"] for row in document["stages"]) == sum(filter(None, lasted))


async def test_a_terminal_of_ascii_only_gets_ascii_bars(tmp_path: Path) -> None:
    text = printed(await _document(tmp_path, *live.whole_order("a")), encoding="ascii")
    assert "####" in text
    assert text.isascii()


async def test_text_of_an_order_cannot_command_the_terminal(tmp_path: Path) -> None:
    assert "\x1b" not in printed(await _document(tmp_path, event("a", "NEW", 1, channel="\x1b[2J")))


async def test_what_each_watched_system_says_now_is_shown(tmp_path: Path) -> None:
    house = House()
    house.systems["shop"].claim("a", "SUBMITTED", 1)
    house.systems["crm"].claim("a", "PRICE_CALCULATED", 2)
    settings = live.settings(tmp_path, systems=systems_file(tmp_path, SYSTEMS))
    async with running(settings, live.Clock(START + timedelta(hours=3)), networks=house.transports) as collector:
        await collector.send(event("a", "NEW", 1))
        await collector.service.watch.reconcile()
        document = await collector.get("/orders/a")
    text = printed(document)
    assert "What systems said at 2026-03-02 11:00" in text
    assert "  shop: SUBMITTED since 2026-03-02 09:00" in text
    assert "  crm: PRICE_CALCULATED since 2026-03-02 10:00" in text


def _asked(status: int, content: bytes = b"{}", kind: str = "application/problem+json", token: str = "") -> str:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.raw_path == b"/orders/a/%20b"
        return httpx.Response(status, content=content, headers={"content-type": kind})

    shown = io.StringIO()
    transport = httpx.MockTransport(answer)
    run_order("a/ b", "http://collector/", Console(file=shown), transport=transport, token=token)
    return shown.getvalue()


def test_an_unknown_order_is_bad_input_and_an_unreachable_collector_a_failed_job() -> None:
    with pytest.raises(BadInput, match="heard nothing of the order `a/ b`"):
        _asked(404)
    with pytest.raises(BadInput, match="wants its token; set TOUCHSTONE_TOKEN"):
        _asked(401)
    with pytest.raises(BadInput, match="refuses the token in TOUCHSTONE_TOKEN"):
        _asked(401, b"{}", "application/problem+json", "wrong")
    for status, content in ((200, b"<html>"), (200, b"[]"), (500, b"{}"), (404, b"no such page")):
        with pytest.raises(TouchstoneError, match="is no collector") as caught:
            _asked(status, content, kind="text/html")
        assert caught.value.exit_code == 1
    with pytest.raises(TouchstoneError, match="does not answer") as caught:
        run_order("a", "http://127.0.0.1:1", Console(file=io.StringIO()))
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("order", "url", "token", "says"),
    [
        ("a", "127.0.0.1:8321", "", "no address of a collector"),
        ("a", "http://[::1", "", "no address of a collector"),
        ("a", "", "", "no address of a collector"),
        (" ", "http://127.0.0.1:1", "", "id is empty"),
        ("a", "http://127.0.0.1:1", "\xfc", "characters that no token has"),
        ("a", "http://127.0.0.1:1", "a\nb", "characters that no token has"),
    ],
)
def test_what_cannot_be_asked_is_bad_input(order: str, url: str, token: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        run_order(order, url, Console(file=io.StringIO()), token=token)


@pytest.mark.parametrize(
    ("line", "environment", "says"),
    [
        ("serve shop", {"TOUCHSTONE_SHOP_PORT": "x"}, "TOUCHSTONE_SHOP_PORT: Input should be a valid integer"),
        ("serve crm --port 99999", {}, "--port: Input should be less than or equal to 65535"),
        ("serve mes", {"TOUCHSTONE_MES_OPERATORS": "x"}, "TOUCHSTONE_MES_...: error parsing value"),
        ("serve relay shop", {"TOUCHSTONE_SHOP_QUEUES": "0"}, "TOUCHSTONE_SHOP_QUEUES: "),
        ("serve collector", {"TOUCHSTONE_WATCH_SECONDS": "-1"}, "TOUCHSTONE_WATCH_SECONDS: "),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(line: str, environment: dict[str, str], says: str) -> None:
    result = CliRunner().invoke(app, line.split(), env=environment)
    assert isinstance(result.exception, BadInput)
    assert str(result.exception).startswith(says)
    assert "\n" not in str(result.exception)


def test_the_journey_of_an_order_is_fetched_and_printed(tmp_path: Path) -> None:
    document = asyncio.run(_document(tmp_path, *live.whole_order("a")))
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
    shown = io.StringIO()
    run_order("a", "http://collector", Console(file=shown, width=100), transport=transport)
    assert shown.getvalue().startswith("Order a")
