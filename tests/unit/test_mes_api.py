"""The HTTP surface of the manufacturing system: who may call what, what is refused and how, and shapes that stay."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from pydantic import SecretStr

from instrumentation.errors import BadInput
from services.auth import undeclared
from services.bus import Database, EmbeddedTransport
from services.contract import CRM, Status
from services.mes import app as mes_app
from services.mes.app import create_app, create_service
from services.mes.settings import DEMO_KEY, Settings
from services.mes.vendor.access import KEY_HEADER
from tests import mes
from tests.mes import KEY, LEAD, running

if TYPE_CHECKING:
    from fastapi import FastAPI

HERE: Final = Path(mes_app.__file__).parent
OPENAPI: Final = HERE / "openapi.json"
FROZEN: Final = Path(__file__).parent / "test_mes_v1.json"
REGENERATE: Final = "TOUCHSTONE_REGENERATE"
OPERATORS, WATCHERS = {"operator"}, {"sre", "service"}
OF_BUS: Final = ("/bus", "/dead-letters", "/dead-letters/{letter}", "/dead-letters/replay", "/replay")
BY_ROLE: Final = {
    "sales": "sofia",
    "executive": "elena",
    "sre": "riku",
    "service": "collector",
    "operator": "ines",
}
ROUTES: Final = {
    ("GET", "/work"): OPERATORS,
    ("POST", "/work/a/start"): OPERATORS,
    ("GET", "/"): OPERATORS,
    ("POST", "/pages/work/a/start"): OPERATORS,
    ("GET", "/statuses"): WATCHERS,
    ("GET", "/vendor-calls"): WATCHERS,
    ("POST", "/vendor-calls/1/retry"): WATCHERS,
    ("GET", "/bus"): WATCHERS,
    ("GET", "/dead-letters"): WATCHERS,
    ("POST", "/replay"): WATCHERS,
}
OF_LEAD: Final = (
    ("GET", "/workshop"),
    ("GET", "/workshop/pieces/a/moves"),
    ("POST", "/workshop/pieces/a/assignment"),
    ("PUT", "/workshop/operators/ines/presence"),
    ("GET", "/pages/workshop"),
    ("POST", "/pages/workshop/pieces/a"),
    ("POST", "/pages/workshop/operators/ines"),
)


def app_of(folder: Path) -> FastAPI:
    """Return an app that is not started."""
    configured = mes.settings(folder)
    return create_app(configured, create_service(configured, EmbeddedTransport()))


def compare(path: Path, document: Any) -> None:
    """Compare a document with the committed one, or write it where that is asked for."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get(REGENERATE):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"run this test once with {REGENERATE}=1"


def test_the_published_openapi_document_is_the_one_that_the_app_gives(tmp_path: Path) -> None:
    compare(OPENAPI, app_of(tmp_path).openapi())


def test_every_route_has_a_summary_and_describes_its_answers(tmp_path: Path) -> None:
    for path, methods in app_of(tmp_path).openapi()["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation.get("description") or path in OF_BUS, path


def test_no_route_is_undeclared(tmp_path: Path) -> None:
    assert undeclared(app_of(tmp_path)) == []


async def test_only_the_roles_that_are_named_get_in(tmp_path: Path) -> None:
    """Everybody else is told 403, and strangers 401; a lead's route is closed to other operators."""
    async with running(tmp_path) as room:
        for method, path in [*ROUTES, *OF_LEAD]:
            assert (await room.client.request(method, path)).status_code == 401, path
            for role, person in BY_ROLE.items():
                answer = await room.client.request(method, path, headers=room.as_(person))
                let_in = role in ROUTES.get((method, path), ())
                assert (answer.status_code not in (401, 403)) == let_in, (role, path, answer.text)
        for method, path in OF_LEAD:
            answer = await room.client.request(method, path, headers=room.as_(LEAD))
            assert answer.status_code not in (401, 403), path


async def test_an_operator_whom_the_workshop_does_not_know_is_told_so(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        answer = await room.client.get("/work", headers=room.as_("nobody"))
        assert (answer.status_code, "TOUCHSTONE_MES_OPERATORS" in answer.json()["detail"]) == (403, True)


# Good for every call of either version.
BODY: Final = {"extRef": "a", "prodCd": "b", "chn": "c", "reqKey": "d"} | {
    "id": "a",
    "product": "b",
    "channel": "c",
    "request": "d",
}
VENDOR_ROUTES: Final = (
    ("POST", "/orders"),
    ("GET", "/orders"),
    ("GET", "/orders/1"),
    ("POST", "/orders/1/release"),
    ("POST", "/orders/1/withdraw"),
    ("POST", "/orders/1/requote"),
    ("GET", "/changes"),
)


async def test_the_vendors_api_asks_for_its_key_whoever_calls(tmp_path: Path) -> None:
    wrong = [httpx.Headers(), httpx.Headers({KEY_HEADER: "wrong"})]
    wrong.append(httpx.Headers([(KEY_HEADER.encode(), "wr\u00f6ng".encode())]))
    async with running(tmp_path) as room:
        for version, error in (("v1", "errCd"), ("v2", "status")):
            for method, path in VENDOR_ROUTES:
                for headers in [*wrong, httpx.Headers(room.as_("riku"))]:
                    answer = await room.client.request(method, f"/{version}{path}", headers=headers, json=BODY)
                    assert (answer.status_code, answer.json()[error]) == (401, 401), (version, path)


async def conversation(room: mes.Room) -> list[Any]:
    """Ask everything of `/v1` and return what was asked and answered."""
    said: list[Any] = []

    async def ask(method: str, path: str, body: Any = None) -> None:
        answer = await room.client.request(method, path, json=body, headers={KEY_HEADER: KEY})
        said.append({"ask": [method, path, body], "status": answer.status_code, "answer": answer.json()})

    order = {"extRef": "4711", "prodCd": "ring", "chn": "b2b", "mdlHash": "ab12", "mdlBytes": 204800}
    await ask("POST", "/v1/orders", {**order, "dueTs": 1_774_252_800_000})
    await ask("POST", "/v1/orders", {**order, "dueTs": 1_774_252_800_000})
    await ask("POST", "/v1/orders/1/release")
    await room.turn()
    room.clock.advance(minutes=1)
    await room.turn()
    await ask("POST", "/v1/orders/1/requote", {"reqKey": "k1"})
    await ask("POST", "/v1/orders/1/release")
    await ask("POST", "/v1/orders", {"extRef": "4712", "prodCd": "ring", "chn": "shop"})
    await ask("POST", "/v1/orders/2/withdraw")
    await ask("GET", "/v1/orders/1")
    await ask("GET", "/v1/orders/99")
    await ask("POST", "/v1/orders", {"extRef": "4713"})
    await ask("GET", "/v1/orders?updated_since=0&limit=1")
    await ask("GET", "/v1/changes?after=0&limit=100")
    return said


async def test_v1_answers_as_it_did_when_it_was_frozen(tmp_path: Path) -> None:
    """Asked the same, it answers to the letter what the committed example holds."""
    async with running(tmp_path) as room:
        compare(FROZEN, await conversation(room))


async def test_a_reader_of_current_statuses_gets_every_order_page_by_page(tmp_path: Path) -> None:
    """Orders changed at one moment are parted by number; nothing is skipped and nothing comes twice."""
    async with running(tmp_path) as room:
        for number in range(7):
            await room.vendor("/v2/orders", {"id": f"o{number}", "product": "ring", "channel": "shop"})
            if number == 4:
                room.clock.advance(seconds=1)
        seen: list[str] = []
        since, number = 0, 0
        while page := (await room.vendor("/v1/orders", updated_since=since, limit=2, after_no=number))["ords"]:
            seen += [order["extRef"] for order in page]
            since, number = page[-1]["updTs"], page[-1]["ordNo"]
        assert seen == [f"o{number}" for number in range(7)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/orders?limit=0", None),
        ("/v1/changes?after=-1", None),
        ("/v1/orders/x", None),
        ("/v1/orders/99999999999999999999", None),
        ("/v1/orders", {"extRef": "a\0", "prodCd": "ring", "chn": "shop"}),
        ("/v1/orders", {"extRef": "a", "prodCd": "ring", "chn": "shop", "dueTs": 2**62}),
        ("/v2/orders?updated_since=soon", None),
        ("/v2/orders", {"id": "", "product": "ring", "channel": "shop"}),
        ("/v2/orders", {"id": "a", "product": "ring", "channel": "shop", "promised_at": "2026-03-02"}),
    ],
)
async def test_what_makes_no_sense_is_refused_in_the_manner_of_the_version(
    tmp_path: Path, path: str, body: Any
) -> None:
    async with running(tmp_path) as room:
        method = "GET" if body is None else "POST"
        answer = await room.client.request(method, path, json=body, headers={KEY_HEADER: KEY})
        assert answer.status_code == 400, answer.text
        expected = {"errCd", "errTxt"} if path.startswith("/v1") else {"type", "title", "status", "detail"}
        assert set(answer.json()) == expected


@pytest.mark.parametrize("path", ["/work/a%00b/start", "/workshop/pieces/a%00b/moves", "/v2/orders/a%00b"])
async def test_a_path_that_no_database_takes_is_refused(tmp_path: Path, path: str) -> None:
    async with running(tmp_path) as room:
        headers = {**room.as_(LEAD), KEY_HEADER: KEY}
        method = "POST" if path.endswith("start") else "GET"
        assert (await room.client.request(method, path, headers=headers)).status_code == 400


async def test_pages_show_the_work_and_its_buttons_do_it(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.released("a")
        headers = room.as_("ines")
        assert ">Start</button>" in (await room.client.get("/", headers=headers)).text
        done = await room.client.post("/pages/work/a/start", headers=headers)
        assert (done.status_code, done.headers["location"]) == (303, "/")
        page = await room.client.get("/", headers=headers)
        assert ">Complete</button>" in page.text
        assert "Everybody&#39;s work" not in page.text
        wrong = await room.client.post("/pages/work/a/ship", headers=headers)
        assert (wrong.status_code, "needs an order that is PACKING" in wrong.text) == (409, True)


async def test_the_leads_page_reassigns_and_notes_who_is_absent(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.released("a")
        headers, post = room.as_(LEAD), room.client.post
        form = {"operator": "jonas", "reason": "because"}
        assert (await post("/pages/workshop/pieces/a", data=form, headers=headers)).status_code == 303
        assert [item["order"] for item in (await room.get("/work", "jonas"))["work"]] == ["a"]
        assert (
            await post("/pages/workshop/operators/jonas", data={"at_work": "false"}, headers=headers)
        ).status_code == 303
        page = (await room.client.get("/pages/workshop", headers=headers)).text
        assert "Mark as at work" in page
        assert (await room.get("/work", "jonas"))["work"] == []
        wrong = await post("/pages/workshop/pieces/a", data=form, headers=headers)
        assert (wrong.status_code, "Jonas Feld is absent" in wrong.text) == (409, True)


async def test_pages_load_nothing_from_elsewhere_and_escape_what_they_show(tmp_path: Path) -> None:
    """An order's id and product come from outside: neither becomes markup. No script, no address of another host."""
    order, product = '<b>"x', "<script>alert(1)</script>"
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.released(order, product=product)
        for path in ("/", "/pages/workshop"):
            answer = await room.client.get(path, headers=room.as_(LEAD))
            assert "&lt;script&gt;" in answer.text
            assert "<script" not in answer.text
            assert not re.search(r"(src|href|action)=\"(?!/[a-z-]*)|https?://", answer.text)
            assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_browser_without_a_token_is_led_to_sign_in(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        answer = await room.client.get("/pages/workshop", headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fpages%2Fworkshop")


async def test_health_is_open_and_readiness_knows_the_database(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        for path in ("/healthz", "/readyz"):
            assert (await room.client.get(path)).status_code == 200
        whole, room.service.database = room.service.database, Database("sqlite+aiosqlite:////nowhere/mes.db")
        assert (await room.client.get("/readyz")).status_code == 503
        room.service.database = whole


async def test_the_bus_replays_an_orders_history(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.released()
        answer = await room.post("/replay", "collector", {"consumer": "crm", "orders": [mes.ORDER]})
        assert (answer.status_code, answer.json()) == (200, {"replayed": 2})


def test_the_demo_key_opens_the_vendors_api_on_this_machine_only() -> None:
    assert Settings().key == DEMO_KEY
    with pytest.raises(BadInput, match="TOUCHSTONE_MES_VENDOR_KEY"):
        _ = Settings(host="0.0.0.0").key  # noqa: S104 - nothing is bound
    assert Settings(host="0.0.0.0", vendor_key=SecretStr("k")).key == "k"  # noqa: S104 - nothing is bound


@pytest.mark.parametrize(
    ("changed", "address"),
    [
        ({}, "http://127.0.0.1:8403"),
        ({"host": "0.0.0.0", "port": 9}, "http://127.0.0.1:9"),  # noqa: S104 - nothing is bound
        ({"vendor_url": "https://vendor.example"}, "https://vendor.example"),
    ],
)
def test_the_adapter_finds_the_vendor(changed: dict[str, Any], address: str) -> None:
    assert Settings(**changed).vendor_address == address


def test_the_adapter_knows_nothing_of_the_vendor_but_its_http_api() -> None:
    """No module of the adapter imports one of the vendor's, nor the other way round."""
    adapter = ("adapter", "background", "calling", "following", "handlers", "model", "store", "tables")
    for path in HERE.rglob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        if path.parent == HERE and path.stem in adapter:
            assert not [name for name in names if name.startswith("services.mes.vendor")], path
        if path.parent.name == "vendor":
            own = [name for name in names if name.startswith("services.mes.")]
            assert all(name.startswith("services.mes.vendor") for name in own), path


async def test_a_status_said_by_the_crm_reaches_the_collectors_question(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.say(CRM, Status.REJECTED)
        await room.deliver()
        [known] = (await room.get("/statuses", "collector"))["orders"]
        assert (known["order"], known["status"]) == (mes.ORDER, "REJECTED")


async def test_each_call_of_the_vendors_api_takes_its_time(tmp_path: Path) -> None:
    """The latency is waited for before anything is done, so a caller that gives up early has changed nothing."""
    async with running(tmp_path, vendor_latency=30) as room:
        body = {"extRef": "a", "prodCd": "ring", "chn": "shop"}
        impatient = httpx.AsyncClient(transport=httpx.ASGITransport(room.app), base_url="http://mes")
        async with impatient:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(impatient.post("/v1/orders", json=body, headers={KEY_HEADER: KEY}), 0.2)
        assert await room.service.front.orders.updated_since(0, 0, 10) == []
