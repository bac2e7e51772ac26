"""Staff sign in with a browser: the whole flow between a service and the demo issuer, and every way to break it."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import SecretStr

from instrumentation import FASTAPI_TELEMETRY, problems
from instrumentation.errors import BadInput
from services.auth import (
    DEMO_PEOPLE,
    AuthSettings,
    DemoIssuer,
    Person,
    Role,
    ServiceToken,
    SignInFailed,
    create_access,
    create_issuer_app,
    guard,
    refuse_beyond_loopback,
    require,
    sign_in_routes,
    undeclared,
)
from services.auth.issuer import CODE_LIFETIME, MACHINE_LIFETIME, MOST_CODES, GrantRefused, is_redirect
from services.auth.sign_in import challenge_of
from tests.unit.test_auth_tokens import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ISSUER = "http://127.0.0.1:8404"
CRM = "http://127.0.0.1:8402"
CALLBACK = CRM + "/sign-in/callback"
PAGE = {"Accept": "text/html"}
SAME = {"sec-fetch-site": "same-origin"}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@dataclass
class House:
    """A CRM, the demo issuer, and one browser that reaches both."""

    crm: FastAPI
    issuer: DemoIssuer
    browser: httpx.AsyncClient
    clock: Clock

    async def begin(self, path: str = "/desk") -> dict[str, str]:
        """Ask for a page and follow to the issuer; return what the issuer was asked."""
        led = await self.browser.get(CRM + path, headers=PAGE)
        assert led.status_code == 303, led.text
        sent = await self.browser.get(CRM + led.headers["location"], headers=PAGE)
        assert sent.headers["location"].startswith(ISSUER + "/authorize?"), sent.text
        return {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}

    async def choose(self, asked: dict[str, str], subject: str) -> str:
        """Click on a person; return where the browser is sent."""
        page = await self.browser.get(f"{ISSUER}/authorize", params=asked, headers=PAGE)
        assert page.status_code == 200, page.text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
        form = await self.browser.post(f"{ISSUER}/authorize", data=fields | {"subject": subject}, headers=SAME)
        assert form.status_code == 303, form.text
        return str(form.headers["location"])

    async def token(self, **form: str) -> httpx.Response:
        """Ask the issuer for a token."""
        return await self.browser.post(f"{ISSUER}/token", data=form)


def crm_app(settings: AuthSettings, client: httpx.AsyncClient, clock: Clock) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, telemetry=FASTAPI_TELEMETRY)
    problems.install(app)
    app.state.access = create_access(settings, client, clock=clock)
    app.include_router(sign_in_routes(settings, client))

    @app.get("/desk")
    async def _desk(person: Annotated[Person, Depends(require(Role.SALES))]) -> str:
        return person.name

    guard(app)
    return app


@asynccontextmanager
async def house(**settings: Any) -> AsyncIterator[House]:
    clock = Clock()
    issuer = DemoIssuer(ISSUER, machines={"reconcile": "quiet"}, clock=clock)
    to_issuer = httpx.ASGITransport(create_issuer_app(issuer))
    client = httpx.AsyncClient(mounts={ISSUER: to_issuer})
    crm = crm_app(AuthSettings(**({"issuer": ISSUER} | settings)), client, clock)
    to_crm = httpx.ASGITransport(crm, raise_app_exceptions=False)
    async with httpx.AsyncClient(mounts={ISSUER: to_issuer, CRM: to_crm, "https://": to_crm}) as browser:
        yield House(crm, issuer, browser, clock)


def detail(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["detail"])


async def test_a_browser_signs_in_comes_back_to_its_page_and_signs_out() -> None:
    async with house() as it:
        back = await it.choose(await it.begin("/desk?page=2&of=%C3%BC"), "sofia")
        assert back.startswith(CALLBACK + "?code=")
        landed = await it.browser.get(back, headers=PAGE)
        assert (landed.status_code, landed.headers["location"]) == (303, "/desk?page=2&of=%C3%BC")
        kept = [text for text in landed.headers.get_list("set-cookie") if text.startswith("touchstone_staff=")]
        assert "HttpOnly" in kept[0]
        assert "SameSite=lax" in kept[0]
        assert "Secure" not in kept[0]
        assert (await it.browser.get(CRM + "/desk", headers=PAGE)).json() == "Sofia Marin"

        forged = await it.browser.post(CRM + "/sign-out", headers={"sec-fetch-site": "cross-site"})
        assert "another site's page" in detail(forged, 403)
        left = await it.browser.post(CRM + "/sign-out", headers=SAME)
        assert (left.status_code, left.headers["location"]) == (303, "/")
        assert (await it.browser.get(CRM + "/desk", headers=PAGE)).status_code == 303


async def test_somebody_without_the_role_is_told_so_and_not_led_in_circles() -> None:
    async with house() as it:
        await it.browser.get(await it.choose(await it.begin(), "mara"))
        assert "signed in as staff with operator" in detail(await it.browser.get(CRM + "/desk", headers=PAGE), 403)


async def test_behind_https_the_cookies_are_secure_and_the_callback_is_the_public_one() -> None:
    async with house(public_url="https://localhost") as it:
        sent = await it.browser.get("https://localhost/sign-in")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        assert asked["redirect_uri"] == "https://localhost/sign-in/callback"
        landed = await it.browser.get(await it.choose(asked, "sofia"))
        cookies = landed.headers.get_list("set-cookie")
        assert cookies[0].startswith("__Host-touchstone_staff=")
        assert all("; Secure" in text and "Path=/" in text for text in cookies)
        assert (await it.browser.get("https://localhost/desk")).json() == "Sofia Marin"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "evil.test",
        "",
        "/\t/evil.test",
        "/\u2215evil",
        "/" + "a" * 2_000,
    ],
)
async def test_sign_in_leads_back_to_this_site_only(target: str) -> None:
    async with house() as it:
        answer = await it.browser.get(CRM + "/sign-in", params={"next": target})
        assert "is no path of this site" in detail(answer, 400)


async def test_a_state_of_another_attempt_is_refused() -> None:
    """Else an attacker's code would sign the victim in as the attacker."""
    async with house() as it:
        theirs = await it.choose(await it.begin(), "elena")
        await it.begin()
        assert "another attempt" in detail(await it.browser.get(theirs), 400)
        it.browser.cookies.clear()
        assert "did not begin to sign in" in detail(await it.browser.get(theirs), 400)
        it.browser.cookies.set("touchstone_attempt", "bm90IGpzb24")
        assert "did not begin to sign in" in detail(await it.browser.get(theirs), 400)


async def test_a_code_is_good_once() -> None:
    async with house() as it:
        back = await it.choose(await it.begin(), "sofia")
        attempt = dict(it.browser.cookies)
        assert (await it.browser.get(back)).status_code == 303
        it.browser.cookies.update(attempt)
        assert "did not take the code" in detail(await it.browser.get(back), 400)


async def test_an_issuer_that_declines_is_reported() -> None:
    async with house() as it:
        asked = await it.begin()
        answer = await it.browser.get(CALLBACK, params={"error": "access_denied", "state": asked["state"]})
        assert "did not sign you in" in detail(answer, 403)


async def test_an_issuer_that_is_away_or_unset_is_a_sentence() -> None:
    async with house(issuer=None) as it:
        assert "TOUCHSTONE_OIDC_ISSUER" in detail(await it.browser.get(CRM + "/sign-in"), 503)
    away = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    app = crm_app(AuthSettings(issuer=ISSUER), away, Clock())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=CRM) as browser:
        assert "does not answer as it should" in detail(await browser.get("/sign-in"), 502)


async def test_a_token_that_no_cookie_holds_is_a_sentence_and_no_circle() -> None:
    async with house() as it:
        it.issuer.people["sofia"] = Person("sofia", "S" * 4_000, frozenset({Role.SALES}))
        assert "longer than" in detail(await it.browser.get(await it.choose(await it.begin(), "sofia")), 502)


def grant(it: House, **changed: str) -> dict[str, str]:
    code = it.issuer.code(DEMO_PEOPLE[0], CALLBACK, challenge_of(VERIFIER))
    form = {"grant_type": "authorization_code", "client_id": "touchstone", "redirect_uri": CALLBACK}
    return form | {"code": code, "code_verifier": VERIFIER} | changed


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"code_verifier": "x" * 43}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"redirect_uri": CRM + "/other/sign-in/callback"}, 400, "invalid_grant"),
        ({"code": "made-up"}, 400, "invalid_grant"),
        ({"client_id": "another"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_the_issuer_gives_no_token_for_a_grant_that_is_wrong(
    changed: dict[str, str], status: int, code: str
) -> None:
    async with house() as it:
        answer = await it.token(**grant(it, **changed))
        assert (answer.status_code, answer.json()["error"]) == (status, code)
        assert (await it.token(**grant(it))).status_code == 200


async def test_a_code_that_failed_its_proof_is_used_up() -> None:
    async with house() as it:
        form = grant(it)
        await it.token(**form | {"code_verifier": "x" * 43})
        assert (await it.token(**form)).json()["error"] == "invalid_grant"


async def test_a_code_ends_after_a_minute_and_few_may_wait() -> None:
    async with house() as it:
        form = grant(it)
        it.clock.move(CODE_LIFETIME)
        assert (await it.token(**form)).json()["error"] == "invalid_grant"
        for _ in range(MOST_CODES):
            grant(it)
        with pytest.raises(GrantRefused, match="too many codes"):
            grant(it)
        it.clock.move(CODE_LIFETIME)
        assert (await it.token(**grant(it))).status_code == 200


async def test_the_demo_page_says_what_it_is_and_asks_for_pkce() -> None:
    async with house() as it:
        asked = await it.begin()
        page = await it.browser.get(f"{ISSUER}/authorize", params=asked)
        assert "For demonstration only" in page.text
        assert all(person.name in page.text for person in DEMO_PEOPLE)
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        for changed, reason in (
            ({"code_challenge_method": "plain"}, "S256"),
            ({"code_challenge": ""}, "no SHA-256"),
            ({"response_type": "token"}, "response_type=code"),
            ({"client_id": "another"}, "web client is called"),
            ({"redirect_uri": "https://evil.test/sign-in/callback"}, "sends browsers to no other"),
        ):
            answer = await it.browser.get(f"{ISSUER}/authorize", params=asked | changed)
            assert reason in detail(answer, 400)
        form = urlencode(asked | {"subject": "nobody"})
        headers = SAME | {"content-type": "application/x-www-form-urlencoded"}
        answer = await it.browser.post(f"{ISSUER}/authorize", content=form, headers=headers)
        assert "nobody called `nobody`" in detail(answer, 400)


async def test_what_a_caller_writes_into_the_demo_page_stays_text() -> None:
    async with house() as it:
        asked = await it.begin() | {"state": '"><script>alert(1)</script>'}
        assert "<script>" not in (await it.browser.get(f"{ISSUER}/authorize", params=asked)).text


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1.evil.test/sign-in/callback",
        "http://evil.test#@127.0.0.1/sign-in/callback",
        "http://127.0.0.1@evil.test/sign-in/callback",
        "http://a@127.0.0.1/sign-in/callback",
        "http://127.0.0.1/elsewhere",
        "http://127.0.0.1/sign-in/callback?x=1",
        "javascript://127.0.0.1/sign-in/callback",
        "http://[::1/sign-in/callback",
        "",
    ],
)
def test_the_demo_issuer_sends_browsers_to_this_machines_sign_in_only(address: str) -> None:
    assert not is_redirect(address)
    assert is_redirect("http://localhost:8402/sign-in/callback")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "demo.example", "127.0.0.1.example", None, ""])  # noqa: S104
def test_the_demo_issuer_is_not_bound_beyond_loopback(host: str | None) -> None:
    with pytest.raises(BadInput, match="lets everybody sign in as anybody"):
        refuse_beyond_loopback(host)
    with pytest.raises(BadInput, match="lets everybody sign in as anybody"):
        DemoIssuer(f"http://{'[::]' if host == '::' else host or ''}:8404")


@pytest.mark.parametrize(("client", "host"), [("10.0.0.7", "127.0.0.1:8404"), ("127.0.0.1", "evil.test")])
async def test_the_demo_issuer_answers_no_other_machine_however_it_was_bound(client: str, host: str) -> None:
    transport = httpx.ASGITransport(create_issuer_app(DemoIssuer()), client=(client, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as other:
        for path in ("/authorize", "/jwks.json", "/.well-known/openid-configuration"):
            assert "this machine only" in detail(await other.get(path), 403)
        assert "this machine only" in detail(await other.post("/token"), 403)


async def test_every_route_of_issuer_and_service_is_declared() -> None:
    async with house() as it:
        assert undeclared(it.crm) == []
        assert undeclared(create_issuer_app(it.issuer)) == []


def test_a_key_file_is_made_for_its_owner_only_and_keeps_tokens_good(tmp_path: Path) -> None:
    path = tmp_path / "issuer.pem"
    first = DemoIssuer(key_file=path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert DemoIssuer(key_file=path).jwks == first.jwks
    path.chmod(0o644)
    with pytest.raises(BadInput, match="others can read this key"):
        DemoIssuer(key_file=path)
    path.chmod(0o600)
    path.write_text("no key", encoding="utf-8")
    with pytest.raises(BadInput, match="cannot be read as a key"):
        DemoIssuer(key_file=path)
    with pytest.raises(BadInput, match="cannot be written"):
        DemoIssuer(key_file=tmp_path / "missing" / "issuer.pem")


async def test_a_machine_asks_for_its_token_once_and_again_before_it_ends() -> None:
    async with house() as it:
        token = ServiceToken(ISSUER, "reconcile", "quiet", it.browser, it.clock)
        first = await token.bearer()
        access = it.crm.state.access
        assert (await access.staff.verify(first)).kind == "service"
        it.clock.move(MACHINE_LIFETIME - timedelta(seconds=31))
        assert await token.bearer() == first
        it.clock.move(timedelta(seconds=1))
        second = await token.bearer()
        assert second != first
        answer = await it.browser.get(CRM + "/desk", auth=token)
        assert "signed in as staff with service" in detail(answer, 403)


async def test_a_machine_with_a_wrong_secret_gets_a_sentence() -> None:
    async with house() as it:
        for name, secret in (("reconcile", "wrong"), ("unknown", "quiet"), ("reconcile", "")):
            with pytest.raises(SignInFailed, match=f"no token for the client `{name}`"):
                await ServiceToken(ISSUER, name, secret, it.browser, it.clock).bearer()
    with pytest.raises(BadInput, match="empty secret"):
        DemoIssuer(machines={"reconcile": ""})


def test_settings_come_from_the_environment_and_plain_http_is_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("ISSUER", "http://issuer.example"),
        ("AUDIENCE", "house"),
        ("CLIENT_ID", "crm"),
        ("CLIENT_SECRET", "s"),
    ):
        monkeypatch.setenv(f"TOUCHSTONE_OIDC_{name}", value)
    settings = AuthSettings()
    assert (settings.audience, settings.client_id, settings.client_secret) == ("house", "crm", SecretStr("s"))
    client = httpx.AsyncClient()
    with pytest.raises(BadInput, match=r"TOUCHSTONE_OIDC_ISSUER is `http://issuer\.example`; write an https"):
        create_access(settings, client)
    with pytest.raises(BadInput, match="TOUCHSTONE_OIDC_JWKS_URL"):
        create_access(AuthSettings(issuer="https://issuer.example", jwks_url="http://issuer.example/keys"), client)
    assert create_access(AuthSettings(issuer="https://issuer.example"), client).staff is not None
