"""An instrumented app: its spans, its log lines, and the order that each request belongs to."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from fastapi import APIRouter, BackgroundTasks, FastAPI
from opentelemetry.trace import SpanKind

from instrumentation import FASTAPI_TELEMETRY, instrument, order_context, outgoing_headers, problems, span
from instrumentation.capture import capturing
from instrumentation.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from instrumentation.capture import Captured

LOG = logging.getLogger("shop")
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def shop(service: str = "shop", ready: Callable[[], Awaitable[str | None]] | None = None) -> FastAPI:
    """Return a small instrumented app with a route for each thing that can happen."""
    app = FastAPI(version="1.2", telemetry=FASTAPI_TELEMETRY)
    problems.install(app)
    orders = APIRouter(prefix="/orders")

    @orders.get("/recent")
    async def recent() -> list[str]:
        LOG.info("listed")
        return []

    @orders.get("/{order}")
    async def one(order: str) -> dict[str, str]:
        with span("look up"):
            LOG.info("looked up")
        return {"order": order, **outgoing_headers()}

    @orders.get("/{order_id}/price")
    def price(order_id: str) -> str:
        LOG.info("priced in a thread")
        return order_id

    @orders.post("")
    async def place() -> str:
        with order_context("new-1"), span("store"):
            LOG.info("placed")
        return "new-1"

    @orders.delete("/{order}")
    async def crash(order: str) -> None:
        raise RuntimeError(f"no way to delete {order}")

    @orders.get("/{order}/gone")
    async def gone(order: str) -> None:
        raise ProblemError(HTTPStatus.GONE, f"{order} is gone")

    @orders.get("/{order}/later")
    async def later(order: str, tasks: BackgroundTasks) -> str:
        tasks.add_task(LOG.info, "afterwards")
        return order

    app.include_router(orders)
    instrument(app, service=service, ready=ready)
    return app


def client(app: FastAPI) -> httpx.AsyncClient:
    """Return a client whose requests end as a server would end them: an app's crash is an answer of 500."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://shop")


async def asked(app: FastAPI, *paths: str, method: str = "GET", headers: dict[str, str] | None = None) -> list[int]:
    """Ask for paths; return the statuses."""
    async with client(app) as http:
        return [(await http.request(method, path, headers=headers)).status_code for path in paths]


def only(captured: Captured, name: str) -> ReadableSpan:
    """Return the one span of a name."""
    (found,) = [span for span in captured.spans if span.name == name]
    return found


async def test_a_request_is_a_span_named_by_its_route_template_with_stable_attribute_names() -> None:
    with capturing() as captured:
        assert await asked(shop(), "/orders/4711") == [200]
    server = only(captured, "GET /orders/{order}")
    assert server.kind is SpanKind.SERVER
    assert server.attributes is not None
    assert server.attributes["http.route"] == "/orders/{order}"
    assert server.attributes["http.request.method"] == "GET"
    assert server.attributes["http.response.status_code"] == 200
    assert len(captured.spans) == 2, "no spans for receiving and sending"


async def test_the_order_in_the_path_is_on_the_server_span_the_spans_below_it_and_the_log_lines() -> None:
    with capturing() as captured:
        await asked(shop(), "/orders/4711")
    assert [span.name for span in captured.spans_of("4711")] == ["GET /orders/{order}", "look up"]
    (line,) = captured.lines_of("4711")
    child = only(captured, "look up")
    assert child.context is not None
    assert line["message"] == "looked up"
    assert line["trace_id"] == f"{child.context.trace_id:032x}"
    assert line["span_id"] == f"{child.context.span_id:016x}"
    assert line["service"] == "shop"


async def test_a_log_line_written_in_a_worker_thread_knows_the_order() -> None:
    with capturing() as captured:
        await asked(shop(), "/orders/4711/price")
    assert [line["message"] for line in captured.lines_of("4711")] == ["priced in a thread"]


async def test_an_order_in_the_callers_baggage_reaches_spans_and_log_lines() -> None:
    with capturing() as captured:
        await asked(shop(), "/orders/recent", headers={"traceparent": PARENT, "baggage": "order.id=4711"})
    server = only(captured, "GET /orders/recent")
    assert server.context is not None
    assert f"{server.context.trace_id:032x}" == TRACE
    assert captured.spans_of("4711") == [server]
    assert [line["trace_id"] for line in captured.lines_of("4711")] == [TRACE]


async def test_the_order_in_the_path_wins_over_the_callers_baggage() -> None:
    with capturing() as captured:
        await asked(shop(), "/orders/4711", headers={"baggage": "order.id=other"})
    assert len(captured.spans_of("4711")) == 2
    assert captured.spans_of("other") == []


async def test_baggage_too_long_for_an_order_id_is_not_taken_for_one() -> None:
    with capturing() as captured:
        await asked(shop(), "/orders/recent", headers={"baggage": f"order.id={'x' * 201}"})
    assert "order.id" not in (captured.spans[0].attributes or {})
    assert "order_id" not in captured.lines[0]


async def test_a_literal_segment_is_not_taken_for_an_order() -> None:
    """`/orders/recent` comes before `/orders/{order}`, as in the app itself."""
    with capturing() as captured:
        await asked(shop(), "/orders/recent")
    assert captured.spans_of("recent") == []
    assert "order_id" not in captured.lines[0]


async def test_an_order_placed_by_the_request_is_on_its_server_span_too() -> None:
    with capturing() as captured:
        assert await asked(shop(), "/orders", method="POST") == [200]
    assert [span.name for span in captured.spans_of("new-1")] == ["POST /orders", "store"]
    assert [line["message"] for line in captured.lines_of("new-1")] == ["placed"]


async def test_an_order_context_ends_with_its_block() -> None:
    with capturing() as captured:
        with order_context("4711"):
            LOG.info("inside")
        LOG.info("outside")
    assert [line.get("order_id") for line in captured.lines] == ["4711", None]


async def test_requests_at_the_same_time_keep_their_orders_apart() -> None:
    app = shop()
    with capturing() as captured:
        async with client(app) as http:
            orders = [f"o-{number}" for number in range(20)]
            answers = await asyncio.gather(*(http.get(f"/orders/{order}") for order in orders))
    assert [answer.json()["baggage"] for answer in answers] == [f"order.id={order}" for order in orders]
    assert all(len(captured.lines_of(order)) == 1 for order in orders)


async def test_an_outgoing_call_carries_trace_and_order() -> None:
    with capturing() as captured:
        async with client(shop()) as http:
            answer = (await http.get("/orders/47%2C11", headers={"traceparent": PARENT})).json()
    server = only(captured, "GET /orders/{order}")
    assert server.context is not None
    assert answer["traceparent"] == f"00-{TRACE}-{server.context.span_id:016x}-01"
    assert answer["baggage"] == "order.id=47%2C11"


async def test_a_crash_is_answered_with_a_problem() -> None:
    async with client(shop()) as http:
        answer = await http.delete("/orders/4711")
    assert (answer.status_code, answer.headers["content-type"]) == (500, problems.MEDIA_TYPE)


async def test_services_in_one_process_keep_their_names_on_spans_and_lines() -> None:
    """Also in what runs after the answer: OpenTelemetry would give all apps' background tasks to the first app."""
    with capturing() as captured:
        first, second = shop("shop"), shop("crm")
        await asked(first, "/orders/1/later")
        await asked(second, "/orders/2/later")
    for order, service in (("1", "shop"), ("2", "crm")):
        (server,), (line,) = captured.spans_of(order), captured.lines_of(order)
        assert server.resource.attributes["service.name"] == service
        assert server.context is not None
        assert (line["message"], line["service"]) == ("afterwards", service)
        assert line["span_id"] == f"{server.context.span_id:016x}", "no span in between"
    assert [span.resource.attributes["service.version"] for span in captured.spans] == ["1.2", "1.2"]


def test_what_another_process_did_is_a_span_below_the_current_one_with_the_times_that_it_told() -> None:
    with capturing() as captured:
        with captured.telemetry.consuming("price", order="4711", traceparent=PARENT, destination="pricing"):
            captured.telemetry.span_of("load", 1_000, 3_000, {"triangles": 12})
            captured.telemetry.span_of("mend", 3_000, 4_000, failed=True)
        load, mend, price = captured.spans
        assert (load.name, load.start_time, load.end_time) == ("load", 1_000, 3_000)
        assert dict(load.attributes or {}) == {"triangles": 12, "order.id": "4711"}
        assert load.parent is not None
        assert load.parent.span_id == price.context.span_id
        assert (load.status.is_ok, mend.status.is_ok) == (True, False)
