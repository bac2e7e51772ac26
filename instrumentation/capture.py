"""For tests: the spans and log lines of what runs inside, of every service that is set up there."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from instrumentation.logs import JsonLines
from instrumentation.telemetry import Telemetry, configure
from instrumentation.tracing import captured_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan


@dataclass
class Captured(logging.Handler):
    """What was captured so far. ``telemetry`` is that of the service named; ``lines`` are log lines as written."""

    telemetry: Telemetry
    exporter: InMemorySpanExporter
    lines: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines(self.telemetry.service))

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(orjson.loads(self.format(record)))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended, in that order."""
        return self.exporter.get_finished_spans()

    def spans_of(self, order: str) -> list[ReadableSpan]:
        """Return an order's spans, in all services, in the order in which they started."""
        found = [span for span in self.spans if (span.attributes or {}).get("order.id") == order]
        return sorted(found, key=lambda span: span.start_time or 0)

    def lines_of(self, order: str) -> list[dict[str, Any]]:
        """Return an order's log lines, of all services."""
        return [line for line in self.lines if line.get("order_id") == order]


@contextlib.contextmanager
def capturing(service: str = "test", version: str = "0") -> Iterator[Captured]:
    """Capture spans and log lines (from INFO on) until the end of the block.

    Apps that are to be captured must be instrumented inside it: telemetry is fixed when an app is made.
    """
    exporter, root = InMemorySpanExporter(), logging.getLogger()
    with captured_by(exporter):
        captured = Captured(configure(service, version=version), exporter)
        level = root.level
        root.addHandler(captured)
        root.setLevel(min(level, logging.INFO))
        try:
            yield captured
        finally:
            root.setLevel(level)
            root.removeHandler(captured)
