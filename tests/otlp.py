"""A backend that speaks OTLP over HTTP, and keeps what it is sent."""

from __future__ import annotations

import contextlib
import http.server
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Receiver:
    """What arrived. ``address``: where it listens."""

    address: str
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    def spans(self) -> list[dict[str, Any]]:
        """Return every span: `{service, name, trace, span, parent, begin_ns, end_ns, attributes}`, ids in hex."""
        found = []
        for request in list(self.requests):
            for resource in request.resource_spans:
                about = _plain(resource.resource.attributes)
                found += [_told(about, span) for scope in resource.scope_spans for span in scope.spans]
        return found


def _told(about: dict[str, Any], span: Any) -> dict[str, Any]:
    return {
        "service": about["service.name"],
        "name": span.name,
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "begin_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "attributes": _plain(span.attributes),
    }


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a backend on loopback while the block lasts."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            backend.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        backend = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield backend
        finally:
            server.shutdown()
            thread.join()
