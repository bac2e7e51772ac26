"""services/asyncapi.yaml as validators: what tests hold every message against."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import yaml

import services

DOCUMENT: Final[dict[str, Any]] = yaml.safe_load((Path(services.__file__).parent / "asyncapi.yaml").read_text("utf-8"))
SCHEMAS: Final[dict[str, Any]] = DOCUMENT["components"]["schemas"]
MESSAGES: Final[dict[str, Any]] = DOCUMENT["components"]["messages"]


def validator(message_type: str) -> jsonschema_rs.Validator:
    """Return what a whole message of a type is checked by."""
    schema = {**MESSAGES[message_type]["payload"], "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def complaints(message: dict[str, Any]) -> list[str]:
    """Return what is wrong with a message, nothing if all is well."""
    if message.get("type") not in MESSAGES:
        return [f"the contract knows no message `{message.get('type')}`"]
    return [error.message for error in validator(message["type"]).iter_errors(message)]
