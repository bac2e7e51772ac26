"""Spans on their way to a backend that may be dead: the business never waits for it, and the log is not flooded."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from instrumentation.metrics import SpanMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

LOG: Final = logging.getLogger("touchstone.telemetry")
REST_S: Final = 30.0


class Delivery(SpanExporter):
    """Hands spans to an exporter; after a failure it drops them untried for ``REST_S`` seconds, and counts them.

    So a dead backend costs one export timeout every half minute of a background thread, and a stop waits for one
    at most. One line is logged when delivery breaks, and one when it works again.
    """

    def __init__(self, exporter: SpanExporter, clock: Callable[[], float] = time.monotonic) -> None:
        self._exporter, self._clock = exporter, clock
        self._resting_until: float | None = None
        self.metrics = SpanMetrics()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Deliver spans, or drop them."""
        resting = self._resting_until is not None and self._clock() < self._resting_until
        if not resting and self._delivered(spans):
            self.metrics.delivered.inc(len(spans))
            return SpanExportResult.SUCCESS
        self.metrics.dropped.inc(len(spans))
        return SpanExportResult.FAILURE

    def _delivered(self, spans: Sequence[ReadableSpan]) -> bool:
        try:
            delivered = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - whatever breaks on the way costs a batch of spans, never more
            delivered = False
        if delivered and self._resting_until is not None:
            LOG.info("spans are delivered again")
        if not delivered and self._resting_until is None:
            LOG.warning("spans cannot be delivered: they are dropped until OTEL_EXPORTER_OTLP_ENDPOINT answers")
        self._resting_until = None if delivered else self._clock() + REST_S
        return delivered

    def shutdown(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held here."""
        return self._exporter.force_flush(timeout_millis)


class Queue(BatchSpanProcessor):
    """The bounded queue before a delivery (OTEL_BSP_MAX_QUEUE_SIZE, 2,048 spans); counts what it is given."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(delivery)
        self._metrics = delivery.metrics

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, or drop the oldest one for it where the queue is full."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._metrics.ended.inc()
        super().on_end(span)
