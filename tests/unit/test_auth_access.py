"""Who is let in where: no token, the wrong role, an undeclared route, a page of another site."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

from instrumentation import FASTAPI_TELEMETRY, problems
from services.auth import (
    CUSTOMER_COOKIE,
    DEMO_PEOPLE,
    SESSION_PREFIX,
    STAFF_COOKIE,
    Access,
    CustomerGate,
    DemoIssuer,
    FixedKeys,
    Person,
    Role,
    StaffVerifier,
    cookie_name,
    customers,
    guard,
    public,
    require,
    undeclared,
    visitor,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

ISSUER = DemoIssuer(machines={"reconcile": "s"})
TOKENS = {person.subject: ISSUER.issue(person) for person in DEMO_PEOPLE}
SESSION = SESSION_PREFIX + "anna"
ANNA = Person("c1", "Anna", kind="customer")
HERE = {"sec-fetch-site": "same-origin"}


async def _customer(token: str) -> Person | None:
    return ANNA if token == SESSION else None


def access(*, secure: bool = False, customer_sign_in: str | None = None) -> Access:
    verifier = StaffVerifier(ISSUER.url, ISSUER.audience, FixedKeys(ISSUER.jwks))
    return Access(verifier, CustomerGate(_customer), secure, customer_sign_in=customer_sign_in)


def bare_app() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, telemetry=FASTAPI_TELEMETRY)
    problems.install(app)
    app.state.access = access()
    return app


def declared_app() -> FastAPI:
    app = bare_app()

    @app.get("/open", dependencies=[Depends(public)])
    async def _open() -> str:
        return "open"

    @app.get("/desk")
    @app.post("/desk")
    async def _desk(person: Annotated[Person, Depends(require(Role.SALES, Role.SRE))]) -> str:
        return person.name

    @app.get("/basket")
    @app.post("/basket")
    async def _basket(person: Annotated[Person, Depends(customers)]) -> str:
        return person.name

    @app.get("/order")
    async def _order(person: Annotated[Person, Depends(require(Role.SALES, customer=True))]) -> str:
        return person.name

    @app.get("/front")
    async def _front(person: Annotated[Person | None, Depends(visitor)]) -> str:
        return person.name if person else "stranger"

    guard(app, open_paths=["/openapi.json"])
    return app


@contextlib.asynccontextmanager
async def browser(
    app: FastAPI, cookies: Mapping[str, str] | None = None, base: str = "http://crm.test"
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=base, cookies=dict(cookies or {})) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def detail(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    return str(answer.json()["detail"])


async def test_without_a_token_the_answer_is_401_and_with_the_wrong_role_403() -> None:
    async with browser(declared_app()) as client:
        missing = await client.get("/desk")
        assert "sign in first" in detail(missing, 401)
        assert missing.headers["www-authenticate"] == "Bearer"
        denied = await client.get("/desk", headers=bearer(TOKENS["mara"]))
        assert detail(denied, 403) == (
            "this is for staff with the role sales or staff with the role sre; you are signed in as staff with operator"
        )
        for subject, name in (("sofia", "Sofia Marin"), ("riku", "Riku Aalto")):
            answer = await client.get("/desk", headers=bearer(TOKENS[subject]))
            assert answer.json() == name


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic c29maWE6eA==", "nonsense", "Bearer nonsense"])
async def test_an_authorization_header_that_is_none_is_refused(header: str) -> None:
    async with browser(declared_app(), {STAFF_COOKIE: TOKENS["sofia"]}) as client:
        answer = await client.get("/desk", headers={"Authorization": header, "Accept": "text/html"})
        assert detail(answer, 401)
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_customers_and_staff_do_not_come_through_each_others_doors() -> None:
    async with browser(declared_app()) as client:
        assert "you are signed in as a customer" in detail(await client.get("/desk", headers=bearer(SESSION)), 403)
        assert "this is for customers" in detail(await client.get("/basket", headers=bearer(TOKENS["sofia"])), 403)
        assert (await client.get("/basket", headers=bearer(SESSION))).json() == "Anna"
        for token, name in ((SESSION, "Anna"), (TOKENS["sofia"], "Sofia Marin")):
            assert (await client.get("/order", headers=bearer(token))).json() == name
        assert detail(await client.get("/order", headers=bearer(TOKENS["mara"])), 403)
        ended = await client.get("/basket", headers=bearer(SESSION_PREFIX + "ended"))
        assert "has ended" in detail(ended, 401)


async def test_an_app_without_issuer_and_customers_lets_nobody_in_and_says_why() -> None:
    app = declared_app()
    app.state.access = Access()
    async with browser(app) as client:
        assert "TOUCHSTONE_OIDC_ISSUER" in detail(await client.get("/desk", headers=bearer(TOKENS["sofia"])), 401)
        assert detail(await client.get("/basket", headers=bearer(SESSION)), 401)
        assert (await client.get("/front")).json() == "stranger"


async def test_a_token_of_the_role_service_is_no_member_of_staff() -> None:
    verifier = access().staff
    assert verifier is not None
    token, _ = ISSUER.admit_machine("reconcile", "s")
    machine = await verifier.verify(token)
    assert (machine.kind, machine.roles) == ("service", frozenset({Role.SERVICE}))
    async with browser(declared_app()) as client:
        assert detail(await client.get("/desk", headers=bearer(token)), 403)


def test_a_gate_for_nobody_in_particular_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one role"):
        require()


async def test_an_undeclared_route_is_refused_and_listed(tmp_path: Path) -> None:
    """Whatever kind of route it is, also for those who have signed in."""
    (tmp_path / "file.txt").write_text("secret", encoding="utf-8")
    app, ran = bare_app(), []
    nested = APIRouter()

    async def _work() -> str:
        ran.append(1)
        return "done"

    app.add_api_route("/naked", _work, methods=["POST"])
    nested.add_api_route("/{name}", _work)
    app.include_router(nested, prefix="/nested")
    app.mount("/files", StaticFiles(directory=tmp_path))
    app.frontend("/front", directory=tmp_path)
    app.add_api_route("/declared", _work, dependencies=[Depends(public)])
    guard(app)
    listed = undeclared(app)
    assert listed[:4] == ["GET,HEAD /openapi.json", "POST /naked", "GET /nested/{name}", "MOUNT /files"]
    assert len(listed) == 5
    async with browser(app) as client:
        for method, path in (
            ("POST", "/naked"),
            ("GET", "/nested/a"),
            ("GET", "/files/file.txt"),
            ("GET", "/front/file.txt"),
            ("GET", "/openapi.json"),
        ):
            answer = await client.request(method, path, headers=bearer(TOKENS["riku"]))
            assert "does not declare who may call it" in detail(answer, 403), path
        assert ran == []
        assert (await client.get("/declared")).json() == "done"
        assert (await client.get("/nowhere")).status_code == 404


async def test_a_route_added_after_the_guard_is_guarded_too() -> None:
    app = declared_app()

    async def _late() -> str:
        return "late"

    async with browser(app) as client:
        assert (await client.get("/open")).json() == "open"
        app.add_api_route("/late", _late)
        assert detail(await client.get("/late"), 403)
        assert undeclared(app) == ["GET /late"]
        # The path of a declared route stays open.
        assert (await client.get("/open")).json() == "open"


async def test_an_undeclared_websocket_is_closed_before_it_opens() -> None:
    app = bare_app()

    @app.websocket("/socket")
    async def _socket(socket: WebSocket) -> None:
        await socket.accept()

    guard(app)
    assert "APIWEBSOCKETROUTE /socket" in undeclared(app)
    sent: list[Any] = []

    async def _receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def _send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/socket", "headers": [], "query_string": b"", "app": app}
    with contextlib.suppress(WebSocketDisconnect):
        await app(scope, _receive, _send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_operations_endpoints_mounts_and_guarded_apps_can_be_declared(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("open", encoding="utf-8")
    app = bare_app()

    async def _healthz() -> str:
        return "ok"

    _healthz.access = "public"  # type: ignore[attr-defined] # as instrumentation marks its endpoints
    app.add_api_route("/healthz", _healthz)
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.mount("/inner", declared_app())
    guard(app, open_paths=["/static", "/openapi.json"])
    assert undeclared(app) == []
    assert undeclared(declared_app()) == []
    async with browser(app) as client:
        for path in ("/healthz", "/static/file.txt", "/openapi.json", "/inner/open"):
            assert (await client.get(path)).status_code == 200, path
        assert detail(await client.get("/inner/desk"), 401)


def test_the_openapi_document_says_that_a_token_is_needed() -> None:
    document = declared_app().openapi()
    assert document["paths"]["/desk"]["get"]["security"] == [{"HTTPBearer": []}]
    assert "security" not in document["paths"]["/open"]["get"]


async def test_the_cookie_signs_a_browser_in_for_what_changes_nothing() -> None:
    cookies = {STAFF_COOKIE: TOKENS["sofia"], CUSTOMER_COOKIE: SESSION}
    async with browser(declared_app(), cookies) as client:
        assert (await client.get("/desk", headers={"sec-fetch-site": "cross-site"})).json() == "Sofia Marin"
        assert (await client.get("/basket")).json() == "Anna"
        assert (await client.get("/front")).json() == "Anna"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another port of the same machine
        {"sec-fetch-site": "cross-site", "origin": "http://crm.test"},
        {"origin": "http://evil.test"},
        {"origin": "http://crm.test:8402"},
        {"origin": "null"},
        {"origin": "http://[::1"},
        {},
    ],
)
async def test_another_sites_form_changes_nothing(headers: dict[str, str]) -> None:
    async with browser(declared_app(), {STAFF_COOKIE: TOKENS["sofia"], CUSTOMER_COOKIE: SESSION}) as client:
        for path in ("/desk", "/basket"):
            assert "another site's page" in detail(await client.post(path, headers=headers), 403)


@pytest.mark.parametrize("headers", [HERE, {"origin": "http://crm.test"}, {"origin": "https://crm.test"}])
async def test_this_sites_form_and_a_token_without_a_browser_change_things(headers: dict[str, str]) -> None:
    async with browser(declared_app(), {STAFF_COOKIE: TOKENS["sofia"]}) as client:
        assert (await client.post("/desk", headers=headers)).json() == "Sofia Marin"
    async with browser(declared_app()) as client:
        assert (await client.post("/desk", headers=bearer(TOKENS["riku"]))).json() == "Riku Aalto"


async def test_over_https_only_the_cookie_that_no_other_host_can_set_counts() -> None:
    app = declared_app()
    app.state.access = access(secure=True)
    async with browser(app, {STAFF_COOKIE: TOKENS["sofia"]}) as client:
        assert detail(await client.get("/desk"), 401)
    async with browser(app, {cookie_name(STAFF_COOKIE, secure=True): TOKENS["sofia"]}) as client:
        assert (await client.get("/desk")).json() == "Sofia Marin"


async def test_a_browser_without_a_good_token_is_led_to_sign_in_and_an_api_caller_is_not() -> None:
    app = declared_app()
    page = {"Accept": "text/html,application/xhtml+xml"}
    for cookies in ({}, {STAFF_COOKIE: "expired"}):
        async with browser(app, cookies) as client:
            answer = await client.get("/desk?page=2&x=a%20b", headers=page)
            assert answer.status_code == 303
            assert answer.headers["location"] == "/sign-in?next=%2Fdesk%3Fpage%3D2%26x%3Da%2520b"
            assert (await client.post("/desk", headers=page | HERE)).status_code == 401
            assert (await client.get("/desk")).status_code == 401
            assert (await client.get("/front", headers=page)).json() == "stranger"


async def test_the_page_to_come_back_to_keeps_its_letters_and_its_mount() -> None:
    outer, inner = bare_app(), declared_app()

    @inner.get("/orders/{order}", dependencies=[Depends(customers)])
    async def _order(order: str) -> str:
        return order

    outer.mount("/inner", inner)
    async with browser(outer) as client:
        answer = await client.get("/inner/orders/r%C3%BCng%25", headers={"Accept": "text/html"})
        back = quote("/inner/orders/r%C3%BCng%25", safe="")
        assert answer.headers["location"] == f"/inner/sign-in?next={back}"


async def test_a_customer_is_led_to_the_customers_page() -> None:
    app = declared_app()
    app.state.access = access(customer_sign_in="/account/sign-in")
    async with browser(app) as client:
        for path, leads in (("/basket", "/account/sign-in"), ("/order", "/account/sign-in"), ("/desk", "/sign-in")):
            answer = await client.get(path, headers={"Accept": "text/html"})
            assert answer.headers["location"].split("?")[0] == leads
