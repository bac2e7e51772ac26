"""What a service imports to become observable: instrument(app), order context, logs, metrics, problems, errors."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from instrumentation.app import instrument
    from instrumentation.context import current_traceparent, order_context, outgoing_headers
    from instrumentation.conventions import FASTAPI_TELEMETRY
    from instrumentation.logs import log_as_json
    from instrumentation.telemetry import Telemetry, configure, consuming, span

__all__ = [
    "FASTAPI_TELEMETRY",
    "Telemetry",
    "configure",
    "consuming",
    "current_traceparent",
    "instrument",
    "log_as_json",
    "order_context",
    "outgoing_headers",
    "span",
]

_HOMES: Final = {
    "FASTAPI_TELEMETRY": "conventions",
    "Telemetry": "telemetry",
    "configure": "telemetry",
    "consuming": "telemetry",
    "current_traceparent": "context",
    "instrument": "app",
    "log_as_json": "logs",
    "order_context": "context",
    "outgoing_headers": "context",
    "span": "telemetry",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: the command line needs the errors only, not OpenTelemetry."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
