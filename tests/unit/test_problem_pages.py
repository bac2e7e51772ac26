"""A browser gets a page with one sentence and a way on where programs get a problem document, in every service."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from services.assembly import LARGEST_BODY
from services.auth import STAFF_COOKIE, Person, Role
from services.bus import conventions
from tests import crm, mes
from tests.unit import test_shop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx
    from fastapi import FastAPI

PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}


@contextlib.asynccontextmanager
async def house(name: str, folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI, str]]:
    """Run a service; give a client of it, the app, and the token of somebody with a role that its pages refuse."""
    if name == "crm":
        async with crm.running(crm.settings(folder)) as desk:
            yield desk.client, desk.app, desk.issuer.issue(crm.MARA)
    elif name == "mes":
        async with mes.running(folder) as room:
            yield room.client, room.app, room.issuer.issue(crm.SOFIA)
    else:
        async with test_shop.running(folder) as shop:
            yield shop.client, shop.app, shop.issuer.issue(crm.MARA)


@pytest.mark.parametrize("name", ["crm", "mes"])
async def test_a_browser_with_the_wrong_role_can_sign_in_as_somebody_else(tmp_path: Path, name: str) -> None:
    async with house(name, tmp_path) as (client, _app, token):
        client.cookies.set(STAFF_COOKIE, token)
        answer = await client.get("/?cursor=x", headers=PAGE)
        assert answer.status_code == 403
        assert answer.headers["content-type"].startswith("text/html")
        assert "you are signed in as staff with" in answer.text
        assert '<a href="/sign-in?next=%2F%3Fcursor%3Dx">Sign in as somebody else</a>' in answer.text
        assert (await client.get("/")).headers["content-type"] == "application/problem+json"


async def test_who_has_the_role_and_no_place_in_the_workshop_is_told_so_without_backticks(tmp_path: Path) -> None:
    async with mes.running(tmp_path) as room:
        nobody = Person("nobody", "Nobody", frozenset({Role.OPERATOR}))
        room.client.cookies.set(STAFF_COOKIE, room.issuer.issue(nobody))
        answer = await room.client.get("/", headers=PAGE)
        assert answer.status_code == 403
        assert "<p>Nobody is not among the workshop" in answer.text
        assert "Sign in as somebody else" in answer.text


@pytest.mark.parametrize("name", ["crm", "mes", "shop"])
async def test_a_page_that_is_not_there_leads_back_and_shows_nothing_of_its_address(tmp_path: Path, name: str) -> None:
    async with house(name, tmp_path) as (client, _app, _token):
        answer = await client.get("/<script>alert(1)</script>", headers=PAGE)
        assert (answer.status_code, "<script" in answer.text) == (404, False)
        assert '<a href="/">To the start</a>' in answer.text
        assert "Sign in" not in answer.text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        program = await client.get("/nowhere", headers={"accept": "text/html", "authorization": "Bearer x"})
        assert program.headers["content-type"] == "application/problem+json"


async def test_a_form_sent_after_the_sign_in_ended_is_answered_with_a_way_to_sign_in(tmp_path: Path) -> None:
    async with house("crm", tmp_path) as (client, _app, _token):
        client.cookies.set(STAFF_COOKIE, "an.old.token")
        answer = await client.post("/pages/orders/a/approval", headers=PAGE)
        assert answer.status_code == 401
        assert '<a href="/sign-in?next=%2F">Sign in</a>' in answer.text
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("name", "path"),
    [("crm", "/pages/orders/a/question"), ("mes", "/v1/orders"), ("shop", "/orders"), ("shop", "/sessions")],
)
async def test_a_strangers_body_is_not_read_to_its_end(tmp_path: Path, name: str, path: str) -> None:
    """Bodies are parsed before anybody is asked who they are; what announces no length is cut off on its way."""
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 * LARGEST_BODY:
            sent += 2**16
            yield b"x" * 2**16

    async with house(name, tmp_path) as (client, _app, _token):
        kind = "application/x-www-form-urlencoded" if "pages" in path else "application/json"
        answer = await client.post(path, content=flood(), headers={"content-type": kind})
        assert answer.status_code == 413
        small = await client.post(path, content=b"x" * (LARGEST_BODY + 1), headers={"content-type": kind})
        assert small.status_code == 413


async def test_a_model_may_be_larger_than_other_bodies(tmp_path: Path) -> None:
    async with test_shop.running(tmp_path) as shop:
        _, headers = await shop.customer()
        model = b"solid ring\nfacet normal 0 0 1\n" + b" " * (2 * LARGEST_BODY) + b"\nendfacet\nendsolid ring\n"
        assert len(await shop.upload(headers, model)) == 64


@pytest.mark.parametrize("name", ["crm", "mes", "shop"])
async def test_every_service_tells_the_metrics_of_its_bus_and_safe_headers(tmp_path: Path, name: str) -> None:
    async with house(name, tmp_path) as (client, _app, _token):
        answer = await client.get("/metrics")
        assert conventions.RECEIVED in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
