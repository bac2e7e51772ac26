"""The bus for those who run it: its operations over HTTP, its metrics, its dead letters on the command line."""

from __future__ import annotations

import io
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from instrumentation import problems
from instrumentation.conventions import FASTAPI_TELEMETRY
from instrumentation.errors import BadInput, TouchstoneError
from instrumentation.problems import ProblemError
from services.bus import Refusal, conventions, metrics
from services.bus.dead_letters import DeadLetterClient, print_letter, print_letters
from services.bus.operations import router
from tests.bus.house import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.bus import Message
    from tests.bus.house import End


@pytest.fixture
async def ends(tmp_path: Path) -> AsyncIterator[tuple[House, End, End]]:
    """Build a shop and a CRM; the CRM's order 4711 is stuck behind a dead letter, and it got something unreadable."""
    house = House(tmp_path)
    shop, crm = await house.end("shop"), await house.end("crm")

    def refuses(message: Message) -> None:
        if message.subject == "4711":
            raise Refusal("no price [red]for[/red] it")

    crm.trouble = refuses
    for _ in range(3):
        await shop.say("4711", "4712", word="said")
    await house.deliver(crm, b"\xff?")
    await house.settled()
    crm.trouble = lambda _message: None
    yield house, shop, crm
    await house.close()


def served(end: End, *dependencies: Any) -> httpx.AsyncClient:
    """Return a client of an app that has nothing but a bus's operations."""
    app = FastAPI(telemetry=FASTAPI_TELEMETRY)
    problems.install(app)
    app.include_router(router(end.bus, dependencies))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://crm")


async def test_the_bus_shows_what_it_holds(ends: tuple[House, End, End]) -> None:
    async with served(ends[2]) as client:
        state = (await client.get("/bus")).json()
    received = state.pop("received")
    assert state == {
        "consumer": "crm",
        "pending": 0,
        "oldest_age_s": 0.0,
        "parked": 2,
        "retrying": 0,
        "dead": 2,
        "gaps": 0,
        "unreadable": 1,
        "confirmed": 0,
    }
    assert received["applied"] == 3
    assert received["unreadable"] == received["died"] == 1


async def test_dead_letters_are_listed_in_pages_and_shown_whole(ends: tuple[House, End, End]) -> None:
    _, _, crm = ends
    async with served(crm) as client:
        first = (await client.get("/dead-letters", params={"limit": 1})).json()
        second = (await client.get("/dead-letters", params={"limit": 1, "after": first["next"]})).json()
        assert second["next"] is None
        letters = {letter["subject"]: letter for letter in first["dead_letters"] + second["dead_letters"]}
        assert set(letters) == {"4711", None}
        readable = letters["4711"]
        assert (readable["source"], readable["sequence"], readable["failures"]) == ("/shop", 1, 1)
        assert readable["reason"] == "Refusal: no price [red]for[/red] it"
        whole = (await client.get(f"/dead-letters/{readable['id']}")).json()
        assert {name: whole[name] for name in readable} == readable
        assert '"word":"said"' in whole["body"]
        broken = (await client.get(f"/dead-letters/{letters[None]['id']}")).json()
        assert broken["body"] == "\N{REPLACEMENT CHARACTER}?"
        assert broken["sequence"] is None


async def test_dead_letters_are_replayed_some_or_all(ends: tuple[House, End, End]) -> None:
    """What is parked behind them follows; what cannot be read stays, until it is discarded."""
    house, _, crm = ends
    async with served(crm) as client:
        assert (await client.post("/dead-letters/replay", json={"ids": ["unknown"]})).json() == {"replayed": 0}
        assert (await client.post("/dead-letters/replay", json={"all": True})).json() == {"replayed": 1}
        await house.settled()
        assert (await crm.by_stream())["4711", "/shop"] == [1, 2, 3]
        (left,) = (await client.get("/dead-letters")).json()["dead_letters"]
        assert (await client.delete(f"/dead-letters/{left['id']}")).status_code == HTTPStatus.NO_CONTENT
    assert await crm.waiting() == (0, 0, 0, 0, 0)


async def test_a_readable_dead_letter_cannot_be_discarded(ends: tuple[House, End, End]) -> None:
    """Its successors would wait for it for ever."""
    _, _, crm = ends
    letter = next(row for row in await crm.dead() if row["type"])
    async with served(crm) as client:
        refused = await client.delete(f"/dead-letters/{letter['id']}")
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "replay it instead" in refused.json()["detail"]
    assert len(await crm.dead()) == 2


async def test_a_replay_of_orders_goes_to_one_consumer(ends: tuple[House, End, End]) -> None:
    house, shop, crm = ends
    before = await crm.state()
    async with served(shop) as client:
        answer = await client.post("/replay", json={"consumer": "crm", "orders": ["4712", "unknown"]})
        assert answer.json() == {"replayed": 3}
        await house.settled()
        assert crm.bus.received.duplicates == 3
        assert (await client.post("/replay", json={"consumer": "crm", "all": True})).json() == {"replayed": 6}
    await house.settled()
    assert await crm.state() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/dead-letters/unknown", None, 404),
        ("DELETE", "/dead-letters/unknown", None, 404),
        ("GET", "/dead-letters?limit=0", None, 400),
        ("GET", "/dead-letters?after=%00", None, 400),
        ("POST", "/dead-letters/replay", {}, 400),
        ("POST", "/dead-letters/replay", {"ids": ["a"], "all": True}, 400),
        ("POST", "/replay", {"consumer": "crm"}, 400),
        ("POST", "/replay", {"consumer": "No Such", "all": True}, 400),
    ],
)
async def test_what_cannot_be_done_is_a_problem(
    ends: tuple[House, End, End], method: str, path: str, body: Any, status: int
) -> None:
    async with served(ends[2]) as client:
        answer = await client.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_every_route_is_guarded(ends: tuple[House, End, End]) -> None:
    def nobody() -> None:
        raise ProblemError(HTTPStatus.FORBIDDEN, "not you")

    routes = [("GET", "/bus"), ("GET", "/dead-letters"), ("GET", "/dead-letters/a"), ("DELETE", "/dead-letters/a")]
    async with served(ends[2], Depends(nobody)) as client:
        for method, path in [*routes, ("POST", "/dead-letters/replay"), ("POST", "/replay")]:
            assert (await client.request(method, path, json={"all": True})).status_code == HTTPStatus.FORBIDDEN


async def test_metrics_say_what_the_bus_holds_and_name_no_order(ends: tuple[House, End, End]) -> None:
    _, shop, crm = ends
    registry = CollectorRegistry()
    metrics.register(crm.bus, registry)
    metrics.register(shop.bus, registry)
    for end in (shop, crm):
        await end.bus.watch.look()
    exposed = generate_latest(registry).decode()
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }
    assert found[conventions.HELD, "crm", "parked"] == 2
    assert found[conventions.HELD, "crm", "dead"] == 2
    assert found[conventions.GAPS, "crm", "unreadable"] == 1
    assert found[conventions.GAPS, "crm", "missing"] == 0
    assert found[conventions.OUTBOX_PENDING, "shop"] == 0
    assert found[conventions.OUTBOX_AGE, "shop"] == 0
    assert found[conventions.RECEIVED, "applied", "crm"] == 3
    assert found[conventions.OFFERED, "shop"] >= found[conventions.CONFIRMED, "shop"] == 6
    assert "4711" not in exposed


async def test_an_unsent_message_has_an_age(tmp_path: Path) -> None:
    house = House(tmp_path)
    shop = await house.end("shop", hears=False, relay=False)
    assert (await shop.bus.watch.look()).oldest_s == 0
    await shop.say("4711")
    seen = await shop.bus.watch.look()
    assert seen.backlog.pending == 1
    assert 0 <= seen.oldest_s < 60
    await house.close()


def answering(status: int, body: Any) -> DeadLetterClient:
    """Return a client of a service that always answers so."""
    return DeadLetterClient("http://crm/", "token", httpx.MockTransport(lambda _: httpx.Response(status, json=body)))


LETTER = {
    "id": "one",
    "subject": "4711",
    "source": "/shop",
    "sequence": 3,
    "type": "order.status.changed.v1",
    "reason": "no price [red]for[/red] it",
    "failures": 5,
    "dead_at": "2026-03-01T00:00:00Z",
}


def test_the_client_reads_every_page_and_sends_its_token() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        after = request.url.params["after"]
        return httpx.Response(
            200, json={"dead_letters": [LETTER | {"id": after or "0"}], "next": None if after else "x"}
        )

    with DeadLetterClient("http://crm", "secret", httpx.MockTransport(answer)) as client:
        assert [letter["id"] for letter in client.every()] == ["0", "x"]
    assert {request.headers["authorization"] for request in asked} == {"Bearer secret"}


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (401, BadInput, "give a token"),
        (404, BadInput, "the detail"),
        (500, TouchstoneError, "the detail"),
    ],
)
def test_what_the_service_refuses_is_one_sentence(status: int, error: type[TouchstoneError], sentence: str) -> None:
    with answering(status, {"detail": "the detail"}) as client, pytest.raises(error, match=sentence) as raised:
        client.one("a/b")
    assert type(raised.value) is error


def test_a_service_that_is_not_there_is_one_sentence() -> None:
    def refuses(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    transport = httpx.MockTransport(refuses)
    with DeadLetterClient("http://crm", None, transport) as client, pytest.raises(TouchstoneError, match="running"):
        client.replay(None)
    with DeadLetterClient("crm") as client, pytest.raises(BadInput, match="http://HOST"):
        client.replay(["a"])


def test_letters_are_printed_with_what_stands_in_them_taken_literally() -> None:
    console = Console(file=io.StringIO(), width=200, no_color=True)
    assert isinstance(console.file, io.StringIO)
    print_letters(console, [LETTER, LETTER | {"subject": None, "source": None, "sequence": None, "type": None}])
    print_letter(console, LETTER | {"body": '{"data": {"word": "said"}}'})
    print_letter(console, LETTER | {"body": "\N{REPLACEMENT CHARACTER} no JSON"})
    print_letters(console, [])
    shown = console.file.getvalue()
    assert shown.count("no price [red]for[/red] it") == 4
    assert '"word": "said"' in shown
    assert "\N{REPLACEMENT CHARACTER} no JSON" in shown
    assert "no dead letters" in shown
