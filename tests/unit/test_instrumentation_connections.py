"""An instrumented app behind a real server: requests of one connection have nothing to do with each other."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httpx
import uvicorn
from fastapi import FastAPI, Request

from deploy.servers import free_port
from instrumentation import FASTAPI_TELEMETRY, instrument, outgoing_headers
from instrumentation.capture import capturing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LARGE = 4 * 1024 * 1024


def shop() -> FastAPI:
    """Return an app that takes large bodies more slowly than they come, so that the server pauses reading."""
    app = FastAPI(telemetry=FASTAPI_TELEMETRY)

    @app.post("/orders/{order}/model")
    async def take(order: str, request: Request) -> str:
        async for _ in request.stream():
            await asyncio.sleep(0)
        return order

    @app.get("/mine")
    async def mine() -> dict[str, str]:
        return dict(outgoing_headers())

    instrument(app, service="shop")
    return app


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an app; give a client with one connection, which it keeps."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    try:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running


async def test_a_request_after_a_large_body_on_the_same_connection_is_a_trace_of_its_own() -> None:
    with capturing() as captured:
        async with served(shop()) as client:
            (await client.post("/orders/4711/model", content=b"x" * LARGE)).raise_for_status()
            carried = (await client.get("/mine")).raise_for_status().json()
    taken, asked = (next(s for s in captured.spans if s.name.startswith(verb)) for verb in ("POST", "GET"))
    assert asked.parent is None
    assert asked.context.trace_id != taken.context.trace_id
    assert asked.attributes is not None
    assert "order.id" not in asked.attributes
    assert "4711" not in str(carried)
