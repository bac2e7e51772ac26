"""Logs as JSON lines that know their service, trace and order."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from instrumentation import context
from instrumentation import conventions as names

# What every record has is no extra; uvicorn's color_message is its message again, with escape codes.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """One JSON object a line: when, how grave, who, what; service, trace, span, order; extras; the traceback if any.

    ``service`` is named where the context of a line does not say which one it comes from.
    """

    def __init__(self, service: str | None = None) -> None:
        super().__init__()
        self._context = {names.SERVICE: service} if service else {}

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = {**self._context, **context.fields(), **_extras(record)}
        if record.exc_info:
            fields |= context.remembered(record.exc_info[1])
            line["exception"] = self.formatException(record.exc_info)
        return _written({**line, **fields, **line})  # line twice: its keys come first, and its values win


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def _written(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits: json writes those too
        return json.dumps(line, default=str)


def log_as_json(service: str | None = None) -> None:
    """Log to standard error as JSON lines. ``service``: whose lines they are where the context does not say it."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # A line for each request that a poller makes would bury what matters.
    logging.getLogger("httpx").setLevel(logging.WARNING)
