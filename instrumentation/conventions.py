"""Every name that instrumentation gives to a metric, a label, a span attribute, a log field and a path."""

from __future__ import annotations

from typing import Any, Final

# Baggage entry and span attribute. Not a semantic convention of OpenTelemetry: it has none for orders.
ORDER: Final = "order.id"
ORDER_PARAMETERS: Final = ("order", "order_id")  # of a route's path
# Baggage comes from outside and goes to every span and line: what is longer is no order id.
LONGEST_ORDER: Final = 200

# Log fields, beside time, level, logger, message and exception.
SERVICE: Final = "service"
TRACE: Final = "trace_id"
SPAN: Final = "span_id"
ORDER_FIELD: Final = "order_id"

# Metrics: https://opentelemetry.io/docs/specs/semconv/http/http-metrics, as Prometheus writes them.
REQUEST_DURATION: Final = "http_server_request_duration_seconds"
REQUEST_DURATION_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
ACTIVE_REQUESTS: Final = "http_server_active_requests"
TARGET: Final = "target"  # target_info, by which Prometheus knows the resource
SPANS_ENDED: Final = "touchstone_spans_ended_total"
SPANS_DELIVERED: Final = "touchstone_spans_delivered_total"
SPANS_DROPPED: Final = "touchstone_spans_dropped_total"
METHOD: Final = "method"
ROUTE: Final = "route"
STATUS: Final = "status"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
OTHER_METHOD: Final = "_OTHER"
UNMATCHED: Final = "unmatched"  # no route of the app fits the path

# Messaging spans: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_OPERATION: Final = "messaging.operation.type"
MESSAGING_MESSAGE: Final = "messaging.message.id"
PROCESS: Final = "process"

HEALTHZ: Final = "/healthz"
READYZ: Final = "/readyz"
METRICS: Final = "/metrics"
# Neither traced nor counted: what asks every few seconds would drown what customers ask.
PROBES: Final = frozenset({HEALTHZ, READYZ, METRICS})
PROBE_URLS: Final = r"^[^/]+//[^/]+/(healthz|readyz|metrics)$"

# For FastAPI(telemetry=...): its own telemetry would double the spans.
FASTAPI_TELEMETRY: Final[Any] = {"tracing": False, "metrics": False}
