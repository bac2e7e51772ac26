"""Whatever is asked within the OpenAPI document, the desk answers as the document says, and never fails."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final

import httpx
import hypothesis
import schemathesis
import uvicorn
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.auth import Person, Role
from tests import crm
from tests.parts import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKS: Any = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EVERYBODY: Final = Person("all", "Everybody", frozenset(Role) - {Role.SERVICE})


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """Serve a desk with one order on it from a thread; gives its address, headers that open it, and its document."""
    port = free_port()
    ready, over = threading.Event(), threading.Event()
    given: list[Any] = []

    async def serve() -> None:
        async with crm.running(crm.settings(folder)) as desk:
            await desk.priced("a")
            server = uvicorn.Server(uvicorn.Config(desk.app, port=port, lifespan="off", log_config=None))
            task = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
                await asyncio.sleep(0.01)
            given.extend([desk.token(EVERYBODY), desk.app.openapi()])
            ready.set()
            await asyncio.to_thread(over.wait)
            server.should_exit = True
            await task

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield f"http://127.0.0.1:{port}", given[0], given[1]
    finally:
        over.set()
        thread.join(30)


def test_answers_are_those_of_the_openapi_document(tmp_path: Path) -> None:
    with served(tmp_path) as (address, headers, document):
        assert httpx.get(f"{address}/desk", headers=headers).json()["waiting"] == 1
        for path, methods in document["paths"].items():
            for method in methods:
                _ask(schemathesis.openapi.from_dict(document)[path][method.upper()], address, headers)


def _ask(operation: Any, address: str, headers: dict[str, str]) -> None:
    @hypothesis.settings(max_examples=10, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(case=operation.as_strategy())
    def answers(case: Any) -> None:
        case.call_and_validate(base_url=address, headers=headers, checks=CHECKS)

    answers()
