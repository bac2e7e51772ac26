"""Messages carry trace and order from publisher to consumer, with a backend and without."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import pytest
from opentelemetry import baggage
from opentelemetry.trace import SpanKind, get_current_span

import instrumentation
from instrumentation import Telemetry, configure, consuming, current_traceparent, order_context, span
from instrumentation.capture import capturing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from instrumentation.capture import Captured

LOG = logging.getLogger("bus")
PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def named(captured: Captured, name: str) -> ReadableSpan:
    """Return the one span of a name."""
    (found,) = [span for span in captured.spans if span.name == name]
    return found


def test_consuming_continues_the_trace_of_the_publisher_in_another_service() -> None:
    with capturing("shop") as captured:
        crm = configure("crm", version="2")
        with captured.telemetry.span("publish"), order_context("4711"):
            stored = current_traceparent()
        message = crm.consuming("order.priced", order="4711", traceparent=stored, destination="orders", message="m-1")
        with message, span("store"):
            LOG.info("stored")
    publisher, consumer, below = (named(captured, name) for name in ("publish", "order.priced", "store"))
    assert consumer.parent is not None
    assert publisher.context is not None
    assert consumer.parent.is_remote
    assert consumer.parent.span_id == publisher.context.span_id
    assert below.parent == consumer.context
    assert consumer.kind is SpanKind.CONSUMER
    assert consumer.attributes == {
        "messaging.system": "touchstone",
        "messaging.destination.name": "orders",
        "messaging.operation.type": "process",
        "messaging.message.id": "m-1",
        "order.id": "4711",
    }
    assert {span.resource.attributes["service.name"] for span in captured.spans_of("4711")} == {"crm"}
    (line,) = captured.lines_of("4711")
    assert (line["service"], line["trace_id"]) == ("crm", f"{publisher.context.trace_id:032x}")


def test_a_message_belongs_to_nothing_that_the_consumers_loop_belongs_to() -> None:
    with capturing() as captured, captured.telemetry.span("loop"), order_context("of the loop"):
        message = consuming("order.priced", order=None, traceparent=None, destination="orders", system="rabbitmq")
        with message:
            LOG.info("handled")
    consumer = named(captured, "order.priced")
    assert consumer.parent is None
    assert consumer.attributes is not None
    assert consumer.attributes["messaging.system"] == "rabbitmq"
    assert "order.id" not in consumer.attributes
    assert captured.lines_of("of the loop") == []


@pytest.mark.parametrize("stored", ["", "garbage", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff" + PARENT[2:]])
def test_a_traceparent_that_is_none_starts_a_new_trace(stored: str) -> None:
    with capturing() as captured:
        message = captured.telemetry.consuming("m", order="4711", traceparent=stored, destination="orders")
        with message:
            pass
    assert named(captured, "m").parent is None


def test_a_handler_that_fails_marks_its_span_and_the_context_is_as_before() -> None:
    with capturing() as captured:
        message = captured.telemetry.consuming("m", order="4711", traceparent=None, destination="orders")
        with pytest.raises(ValueError, match="no such price"), message:
            raise ValueError("no such price")
        after = current_traceparent(), baggage.get_all()
    failed = named(captured, "m")
    assert not failed.status.is_ok
    assert failed.status.description == "ValueError: no such price"
    assert [event.name for event in failed.events] == ["exception"]
    assert after == (None, {})


def test_being_cancelled_is_no_failure() -> None:
    with capturing() as captured, pytest.raises(asyncio.CancelledError), captured.telemetry.span("handle"):
        raise asyncio.CancelledError
    assert named(captured, "handle").events == ()
    assert named(captured, "handle").status.is_unset


def test_without_a_backend_the_trace_of_the_publisher_passes_through_unchanged() -> None:
    """No hole comes into the trace of the services before and after this one, and no span is made."""
    silent = Telemetry("mes", "1")
    with silent.consuming("m", order="4711", traceparent=PARENT, destination="orders"):
        assert not get_current_span().is_recording()
        assert current_traceparent() == PARENT
        with silent.span("below"):
            assert instrumentation.outgoing_headers() == {"traceparent": PARENT, "baggage": "order.id=4711"}
    assert current_traceparent() is None


def test_without_a_backend_lines_and_messages_still_have_a_trace_of_their_own() -> None:
    silent = Telemetry("mes", "1")
    with capturing() as captured:
        for _ in range(2):
            with silent.consuming("m", order="4711", traceparent=None, destination="orders"):
                LOG.info(current_traceparent())
    assert captured.spans == ()
    first, second = captured.lines_of("4711")
    assert first["message"] == f"00-{first['trace_id']}-{first['span_id']}-01"
    assert first["trace_id"] != second["trace_id"]


def test_outside_of_any_service_a_span_is_ids_only() -> None:
    with capturing() as captured:
        with span("nobody's"):
            assert current_traceparent() is not None
        with captured.telemetry.active(), span("somebody's"):
            pass
    assert [span.name for span in captured.spans] == ["somebody's"]


async def test_tasks_started_by_a_service_log_its_name() -> None:
    async def work() -> None:
        LOG.info("swept")

    with capturing("default") as captured:
        with Telemetry("crm", "1").active():
            task = asyncio.create_task(work())
        await task
        LOG.info("no service's")
    assert [line["service"] for line in captured.lines] == ["crm", "default"]


def test_every_name_of_the_package_can_be_imported_and_no_other() -> None:
    assert all(getattr(instrumentation, name) for name in instrumentation.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = instrumentation.nothing
