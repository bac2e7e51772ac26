"""Whatever is asked within the OpenAPI document, the collector answers as the document says, and never fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from collectors.live.app import create_app
from tests import live
from tests.live_process import served

if TYPE_CHECKING:
    from pathlib import Path

CHECKS: Any = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_answers_are_those_of_the_openapi_document(tmp_path: Path) -> None:
    document = create_app(live.settings(tmp_path)).openapi()
    with served(tmp_path) as process:
        process.ready()
        for path, methods in document["paths"].items():
            for method in methods:
                _ask(schemathesis.openapi.from_dict(document)[path][method.upper()], process.address)


def _ask(operation: Any, address: str) -> None:
    @hypothesis.settings(max_examples=20, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(case=operation.as_strategy())
    def answers(case: Any) -> None:
        case.call_and_validate(base_url=address, checks=CHECKS)

    answers()
