"""Spans on their way to a backend: one that answers, one that is dead, and none."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry

from instrumentation import Telemetry, configure
from instrumentation import conventions as names
from instrumentation.capture import capturing
from instrumentation.delivery import REST_S, Delivery, Queue
from instrumentation.tracing import ENDPOINTS
from tests.otlp import Receiver, receiving
from tests.unit.test_instrumentation import asked, shop
from tests.unit.test_instrumentation_metrics import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan


def value(telemetry: Telemetry, name: str) -> float | None:
    """Return a metric's value."""
    return telemetry.registry.get_sample_value(name)


@pytest.fixture(autouse=True)
def _no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENDPOINTS, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a backend that is not there: a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Run a backend; give what it was sent."""
    with receiving() as backend:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.address)
        yield backend


async def test_spans_reach_the_backend_that_the_environment_names_with_the_services_resource(
    received: Receiver,
) -> None:
    app = shop("delivered")
    await asked(app, "/orders/4711")
    telemetry: Telemetry = app.state.telemetry
    telemetry.shutdown()
    resources = [resource for request in received.requests for resource in request.resource_spans]
    about = {entry.key: entry.value.string_value for entry in resources[0].resource.attributes}
    assert (about["service.name"], about["service.version"]) == ("delivered", "1.2")
    spans = {span.name for resource in resources for scope in resource.scope_spans for span in scope.spans}
    assert spans == {"GET /orders/{order}", "look up"}
    assert value(telemetry, names.SPANS_DELIVERED) == value(telemetry, names.SPANS_ENDED) == 2


@pytest.mark.usefixtures("closed")
async def test_with_a_dead_backend_every_request_is_answered_the_loss_is_counted_and_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "32")
    app = shop("unheard")
    exporting = logging.getLogger("touchstone.telemetry")
    heard: list[str] = []
    monkeypatch.setattr(exporting, "warning", lambda message, *_: heard.append(message))
    assert set(await asked(app, *(f"/orders/{number}" for number in range(300)))) == {200}
    telemetry: Telemetry = app.state.telemetry
    telemetry.shutdown()
    dropped = value(telemetry, names.SPANS_DROPPED)
    assert value(telemetry, names.SPANS_ENDED) == 600
    assert value(telemetry, names.SPANS_DELIVERED) == 0
    assert dropped is not None
    assert dropped >= 64, "what was in the queue is counted; what found it full is not"
    assert len(heard) == 1
    assert names.SPANS_DROPPED.removesuffix("_total") in await metrics(app)


@pytest.mark.usefixtures("closed")
def test_a_service_that_is_set_up_twice_delivers_through_one_queue_and_counts_apart() -> None:
    first, again, other = configure("twice", version="1"), configure("twice", version="1"), configure("x", version="1")
    assert first.tracing is again.tracing is not None
    assert first.tracing is not other.tracing
    assert first.registry is not again.registry
    with first.span("one"):
        pass
    assert value(again, names.SPANS_ENDED) == 1
    first.shutdown()
    afterwards = configure("twice", version="1")
    assert afterwards.tracing is not first.tracing, "what was shut down is not used again"
    for telemetry in (afterwards, other):
        telemetry.shutdown()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
async def test_without_a_backend_there_is_no_exporter_no_thread_and_still_a_trace_id(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, setting in environment.items():
        monkeypatch.setenv(name, setting)
    threads = threading.active_count()
    app = shop()
    assert app.state.telemetry.tracing is None
    assert threading.active_count() == threads
    with capturing() as captured:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            answer = (await client.get("/orders/4711")).json()
    (line,) = captured.lines_of("4711")
    assert answer["traceparent"] == f"00-{line['trace_id']}-{line['span_id']}-01"
    assert answer["baggage"] == "order.id=4711"
    assert captured.spans == ()


class Backend(SpanExporter):
    """A backend that answers, refuses or breaks as told; counts how often it was tried."""

    def __init__(self) -> None:
        self.answer: SpanExportResult | None = SpanExportResult.FAILURE
        self.tried = 0
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Answer as told."""
        self.tried += 1
        if self.answer is None:
            raise OSError(f"no way for {len(spans)} spans")
        return self.answer

    def shutdown(self) -> None:
        """Note it."""
        self.closed = True


def some_spans(count: int) -> list[ReadableSpan]:
    """Return spans that have ended."""
    with capturing() as captured:
        for number in range(count):
            with captured.telemetry.span(f"s{number}"):
                pass
    return list(captured.spans)


def counted(delivery: Delivery) -> dict[str, float | None]:
    """Return what became of the spans of a delivery."""
    registry = CollectorRegistry()
    delivery.metrics.register(registry)
    named = {"dropped": names.SPANS_DROPPED, "delivered": names.SPANS_DELIVERED, "ended": names.SPANS_ENDED}
    return {outcome: registry.get_sample_value(name) for outcome, name in named.items()}


@pytest.mark.parametrize("answer", [SpanExportResult.FAILURE, None])
def test_a_backend_that_failed_is_left_alone_for_a_while_and_then_tried_again(answer: SpanExportResult | None) -> None:
    now, backend, spans = [1000.0], Backend(), some_spans(3)
    backend.answer = answer
    delivery = Delivery(backend, clock=lambda: now[0])
    with capturing() as captured:
        assert [delivery.export(spans) for _ in range(4)] == [SpanExportResult.FAILURE] * 4
        assert backend.tried == 1
        now[0] += REST_S
        delivery.export(spans)
        assert backend.tried == 2
        now[0] += REST_S
        backend.answer = SpanExportResult.SUCCESS
        assert [delivery.export(spans) for _ in range(2)] == [SpanExportResult.SUCCESS] * 2
    assert [line["level"] for line in captured.lines] == ["WARNING", "INFO"]
    assert counted(delivery) == {"dropped": 15, "delivered": 6, "ended": 0}


def test_stopping_with_a_full_queue_tries_a_dead_backend_once() -> None:
    backend = Backend()
    delivery = Delivery(backend, clock=lambda: 0.0)
    queue = Queue(delivery)
    for span in some_spans(1_500):
        queue.on_end(span)
    queue.shutdown()  # type: ignore[no-untyped-call] # the SDK's own
    assert (backend.tried, backend.closed) == (1, True)
    assert counted(delivery) == {"dropped": 1_500, "delivered": 0, "ended": 1_500}
