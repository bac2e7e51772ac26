"""Whatever is asked within the OpenAPI document, the service answers as the document says, and never fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.mes.vendor.access import KEY_HEADER
from services.resilience import serving
from tests.mes import KEY, LEAD, ORDER, running
from tests.parts import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHECKS: Any = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


async def test_answers_are_those_of_the_openapi_document(tmp_path: Path) -> None:
    """The vendor's two versions, the workshop and the adapter; what every service has is asked elsewhere."""
    port = free_port()
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.released(ORDER)
        headers = {tag: {KEY_HEADER: KEY} for tag in ("vendor v1", "vendor v2")}
        headers |= {tag: room.as_(LEAD) for tag in ("work", "workshop")} | {"adapter": room.as_("riku")}
        async with serving.running(room.app, "127.0.0.1", port):
            asked = await asyncio.to_thread(_ask_all, room.app.openapi(), f"http://127.0.0.1:{port}", headers)
    assert asked == 23


def _ask_all(document: dict[str, Any], address: str, headers: Mapping[str, dict[str, str]]) -> int:
    asked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", [""])[0]
            if tag in headers:
                asked += 1
                _ask(schemathesis.openapi.from_dict(document)[path][method.upper()], address, headers[tag])
    return asked


def _ask(operation: Any, address: str, headers: dict[str, str]) -> None:
    @hypothesis.settings(
        max_examples=10, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=operation.as_strategy())
    def answers(case: Any) -> None:
        case.call_and_validate(base_url=address, checks=CHECKS, headers=headers)

    answers()
