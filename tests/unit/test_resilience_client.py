"""Calling another system: what is tried again, what never is, and what the caller is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import stamina

from instrumentation import order_context
from services.resilience.client import Client, Patience, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = httpx.Response | Exception

QUICK = Patience(attempts=3, first_wait_s=0, longest_wait_s=0, jitter_s=0)


@pytest.fixture(autouse=True)
def without_waiting() -> Iterator[None]:
    """Try as often as in earnest, without the pauses."""
    with stamina.set_testing(True, attempts=3):
        yield


def answering(*answers: Answer) -> tuple[Client, list[httpx.Request]]:
    """Return a client of a system that gives these answers, one after another, and what it was asked."""
    asked: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return Client("http://vendor", {"X-Key": "k"}, QUICK, httpx.MockTransport(answer)), asked


def ok(body: Any = None) -> httpx.Response:
    """Return a good answer."""
    return httpx.Response(200, json=body or {"fine": True})


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut off"),
        *[httpx.Response(status) for status in (408, 429, 500, 502, 503, 504)],
        httpx.Response(200, text="<html>"),
    ],
    ids=str,
)
async def test_what_may_pass_is_tried_again_until_it_does(trouble: Answer) -> None:
    client, asked = answering(trouble, trouble, ok())
    async with client:
        assert await client.post("/orders", {"a": 1}) == {"fine": True}
    assert [request.content for request in asked] == [b'{"a":1}'] * 3


async def test_after_the_last_try_the_caller_learns_whom_it_did_not_reach() -> None:
    client, asked = answering(*[httpx.ConnectError("refused")] * 3)
    async with client:
        with pytest.raises(Unreachable, match=r"GET http://vendor/orders: no answer \(ConnectError: refused\)"):
            await client.get("/orders")
    assert len(asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
async def test_a_refusal_is_not_tried_again_and_says_why(status: int) -> None:
    client, asked = answering(httpx.Response(status, text="not so"))
    async with client:
        with pytest.raises(Refused, match=f"answered {status}: not so") as refusal:
            await client.get("/orders", {"limit": 3})
    assert refusal.value.status == status
    assert len(asked) == 1
    assert asked[0].url.query == b"limit=3"


async def test_calls_carry_the_key_and_the_order_that_they_are_for() -> None:
    client, asked = answering(ok())
    async with client:
        with order_context("4711"):
            await client.get("/orders")
    assert asked[0].headers["x-key"] == "k"
    assert "order.id=4711" in asked[0].headers["baggage"]


async def test_a_caller_that_is_cancelled_is_not_held_up_by_further_tries() -> None:
    asked = 0

    async def never(_request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        await asyncio.sleep(3600)
        return ok()

    async with Client("http://vendor", patience=QUICK, transport=httpx.MockTransport(never)) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get("/orders"), 0.05)
    assert asked == 1


def test_everything_that_it_raises_says_what_it_is() -> None:
    errors: list[Callable[..., Exception]] = [Unreachable]
    assert [str(error()) for error in errors] == [
        "The other system does not answer now; the same call may succeed later."
    ]
