"""The example events of the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from collectors.live.reading import BATCHED, STRUCTURED
from collectors.sources.cloudevents_log import EVENT_TYPE

EVENT: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "5f1c0d3e-0001",
    "source": "/crm",
    "type": EVENT_TYPE,
    "subject": "4711",
    "time": "2026-03-02T09:30:00Z",
    "sequence": "3",
    "sequencetype": "Integer",
    "data": {
        "status": "MANUFACTURING_APPROVED",
        "previous": "PRICE_CALCULATED",
        "order": {"channel": "b2b", "product": "ring"},
    },
}
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "source", "subject", "time", "data"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {"type": "string", "minLength": 1, "description": "Unique within the source."},
        "source": {"type": "string", "minLength": 1, "description": "The system that says it."},
        "type": {"type": "string", "examples": [EVENT_TYPE]},
        "subject": {"type": "string", "minLength": 1, "description": "The order's id."},
        "time": {"type": "string", "format": "date-time", "description": "When it happened."},
        "sequence": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "The number of the event within order and source, from 1, without gaps.",
        },
        "data": {
            "type": "object",
            "required": ["status"],
            "properties": {
                "status": {"type": "string", "minLength": 1},
                "previous": {"type": ["string", "null"]},
                "order": {"type": "object", "description": "The order's attributes, such as its channel."},
            },
        },
    },
}
EVENTS_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED[0]: {"schema": _SCHEMA, "example": EVENT},
            BATCHED: {"schema": {"type": "array", "items": _SCHEMA, "maxItems": 10_000}, "example": [EVENT]},
        },
    }
}
