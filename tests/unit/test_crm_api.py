"""The desk's HTTP surface: who may ask, what is refused and how, and what the documents hold."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import iter_route_contexts

from services.auth import undeclared
from services.contract import Status
from services.crm import app as crm_app
from services.crm.app import create_app
from tests import crm
from tests.crm import FACTS, MACHINE, MARA, RIKU, SOFIA, TOMAS, running

if TYPE_CHECKING:
    import httpx

SALES = {"sofia"}
READERS = {"sofia", "riku", "collector"}
WATCHERS = {"riku", "collector"}
DOORS = {
    "GET /desk": SALES,
    "GET /orders": READERS,
    "GET /orders/{order}": READERS,
    "GET /orders/{order}/picture": SALES,
    "POST /orders/{order}/approval": SALES,
    "POST /orders/{order}/rejection": SALES,
    "POST /orders/{order}/question": SALES,
    "POST /orders/{order}/cancellation": SALES,
    "POST /orders/{order}/closing": SALES,
    "GET /customers/{customer}": READERS,
    "PUT /customers/{customer}/standing": SALES,
    "GET /statuses": WATCHERS,
    "GET /bus": WATCHERS,
    "GET /dead-letters": WATCHERS,
    "GET /dead-letters/{letter}": WATCHERS,
    "DELETE /dead-letters/{letter}": WATCHERS,
    "POST /dead-letters/replay": WATCHERS,
    "POST /replay": WATCHERS,
    "GET /": SALES,
    "GET /pages/orders": SALES,
    "GET /pages/orders/{order}": SALES,
    "POST /pages/orders/{order}/{what}": SALES,
    "GET /pages/customers/{customer}": SALES,
    "POST /pages/customers/{customer}/standing": SALES,
}
OPEN = {
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /openapi.json",
    "GET /sign-in",
    "GET /sign-in/callback",
    "POST /sign-out",
}
OPENAPI = Path(crm_app.__file__).parent / "openapi.json"


def refused(answer: httpx.Response, status: int) -> str:
    """Return what a problem says, of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail


async def test_the_published_openapi_document_is_the_one_that_the_app_gives(tmp_path: Path) -> None:
    document = create_app(crm.settings(tmp_path)).openapi()
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("TOUCHSTONE_REGENERATE"):
        OPENAPI.write_text(text, encoding="utf-8")
    assert OPENAPI.read_text(encoding="utf-8") == text, "run this test once with TOUCHSTONE_REGENERATE=1"


async def test_every_route_has_a_summary_and_describes_its_answers(tmp_path: Path) -> None:
    for path, methods in create_app(crm.settings(tmp_path)).openapi()["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            # The bus's own routes say all in their summaries.
            assert operation.get("description") or operation["tags"] == ["bus"], path


async def test_every_route_declares_who_may_call_it(tmp_path: Path) -> None:
    assert undeclared(create_app(crm.settings(tmp_path))) == []


@pytest.mark.parametrize(("door", "allowed"), DOORS.items())
async def test_each_door_opens_for_its_roles_only(tmp_path: Path, door: str, allowed: set[str]) -> None:
    method, path = door.split()
    for name, value in (("{order}", "a"), ("{customer}", "c-1"), ("{what}", "approval"), ("{letter}", "b")):
        path = path.replace(name, value)
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        refused(await desk.client.request(method, path), 401)
        for person in (SOFIA, RIKU, MACHINE, MARA):
            answer = await desk.client.request(method, path, headers=desk.token(person))
            assert (answer.status_code != 403) == (person.subject in allowed), (person.subject, answer.text)


async def test_every_route_has_its_row_in_the_table_of_doors(tmp_path: Path) -> None:
    app = create_app(crm.settings(tmp_path))
    routes = {
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert routes == {*DOORS, *OPEN}


async def test_a_browser_without_a_token_is_led_to_sign_in(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        answer = await desk.client.get("/pages/orders", headers={"accept": "text/html"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?next=%2Fpages%2Forders"


async def test_the_desk_shows_the_nearest_promise_first_page_by_page(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        for order, days in (("late", 30), ("soon", 2), ("mid-b", 9), ("mid-a", 9)):
            promised = desk.clock() + timedelta(days=days)
            await desk.priced(order, facts=FACTS.model_copy(update={"promised_at": promised}))
        await desk.priced("never", facts=FACTS.model_copy(update={"promised_at": None}))
        seen, cursor = [], None
        while True:
            page = await desk.get("/desk", limit=2, **({"cursor": cursor} if cursor else {}))
            assert page["waiting"] == 5
            seen += [line["order"] for line in page["orders"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == ["soon", "mid-a", "mid-b", "late", "never"]


async def test_orders_are_listed_by_status_page_by_page(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        for number in range(5):
            await desk.priced(f"a-{number}")
        await desk.hear(desk.event("b", Status.INITIATED))
        first = await desk.get("/orders", status="PRICE_CALCULATED", limit=3)
        rest = await desk.get("/orders", status="PRICE_CALCULATED", limit=3, cursor=first["next"])
        assert [line["order"] for line in first["orders"]] == ["a-0", "a-1", "a-2"]
        assert [line["order"] for line in rest["orders"]] == ["a-3", "a-4"]
        assert rest["next"] is None
        assert len((await desk.get("/orders"))["orders"]) == 6


async def test_statuses_tell_collectors_what_the_desk_believes(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        await desk.priced("a")
        await desk.hear(desk.event("b", Status.INITIATED))
        first = await desk.get("/statuses", MACHINE, limit=1)
        rest = await desk.get("/statuses", MACHINE, limit=1, after=first["next"])
        since = "2026-03-02T08:00:00Z"
        assert first["orders"] == [
            {"order": "a", "status": "MANUFACTURING_APPROVED", "since": since, "source": "/crm", "sequence": 1}
        ]
        assert rest == {
            "orders": [{"order": "b", "status": "INITIATED", "since": since, "source": "/shop", "sequence": 1}],
            "next": None,
        }


async def test_questions_that_make_no_sense_are_problems(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        ask = desk.client.get
        for path in ("/desk?limit=0", "/desk?cursor=x", "/desk?cursor=e30=", "/orders?status=LOST", "/orders?cursor=x"):
            refused(await ask(path, headers=desk.token()), 400)
        assert "nothing was heard" in refused(await ask("/orders/nobody", headers=desk.token()), 404)
        refused(await ask("/customers/nobody", headers=desk.token()), 404)
        refused(await desk.post("/orders/nobody/approval"), 404)
        refused(await desk.post("/orders/a/rejection", reason="  "), 400)
        refused(await desk.post("/orders/a/question"), 400)


async def test_a_customers_standing_has_a_history_with_reasons(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        assert (await desk.get("/customers/c-1"))["standing"] == "new"
        for person, standing, reason in (
            (SOFIA, "good", "paid in time"),
            (SOFIA, "good", "paid in time"),
            (TOMAS, "watch", "a cheque bounced"),
        ):
            body = {"standing": standing, "reason": reason}
            answer = await desk.client.put("/customers/c-1/standing", json=body, headers=desk.token(person))
            assert answer.status_code == 200
        found = await desk.get("/customers/c-1")
        assert (found["standing"], found["name"], found["orders"]) == ("watch", "Ada Byron", 1)
        lines = [(line["standing"], line["by"], line["reason"]) for line in found["history"]]
        assert lines == [("watch", "Tomas Berg", "a cheque bounced"), ("good", "Sofia Marin", "paid in time")]


async def test_health_is_open_to_all(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await desk.client.get(path)).status_code == 200
