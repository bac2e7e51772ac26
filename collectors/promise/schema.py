"""The promise file's JSON Schema, published so that editors complete and check a file while it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from collectors.promise.model import PromiseFile

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED_SCHEMA: Final = Path(__file__).parent.parent / "promise.schema.json"


def promise_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) that accepts every valid promise file."""
    schema = PromiseFile.model_json_schema(by_alias=True)
    for section in (schema, *schema["$defs"].values()):
        for key in section["properties"].values():
            # Pydantic's titles repeat the keys, and editors would show them before the description.
            key.pop("title", None)
    del schema["properties"]["log"]["default"]
    described = {
        "title": "Touchstone promise file",
        "description": "What is promised, and which stages it passes.",
    }
    return {"$schema": DIALECT, **schema, **described}


def schema_text() -> str:
    """Return the schema as the published file holds it."""
    return json.dumps(promise_schema(), indent=2, ensure_ascii=False) + "\n"
