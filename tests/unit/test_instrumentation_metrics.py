"""What whoever runs an instrumented app reads of it: its metrics by route, and its health."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_text_to_metric_families

from instrumentation import FASTAPI_TELEMETRY, Telemetry, instrument, problems
from instrumentation import conventions as names
from instrumentation.capture import capturing
from tests.unit.test_instrumentation import PARENT, TRACE, asked, client, only, shop

if TYPE_CHECKING:
    from prometheus_client.core import Metric

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


async def metrics(app: FastAPI) -> dict[str, Metric]:
    """Return the app's metrics as Prometheus would read them in OpenMetrics."""
    async with client(app) as http:
        answer = await http.get("/metrics", headers=OPENMETRICS)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    parsed = text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call] # the library's own
    return {family.name: family for family in parsed}


def counts(families: dict[str, Metric]) -> dict[tuple[str, str, str], float]:
    """Return the number of requests by method, route and status."""
    samples = families[names.REQUEST_DURATION].samples
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for sample in samples
        if sample.name.endswith("_count")
    }


async def test_requests_are_counted_by_route_template_and_status() -> None:
    app = shop()
    await asked(app, "/orders/1", "/orders/2", "/orders/recent", "/orders/3/gone")
    assert counts(await metrics(app)) == {
        ("GET", "/orders/{order}", "200"): 2,
        ("GET", "/orders/recent", "200"): 1,
        ("GET", "/orders/{order}/gone", "410"): 1,
    }


async def test_paths_without_a_route_and_unknown_methods_make_one_series_each() -> None:
    app = shop()
    await asked(app, *(f"/wp-admin/{number}" for number in range(50)))
    for method in ("BREW", "PROPFIND"):
        await asked(app, "/orders/1", method=method)
    assert counts(await metrics(app)) == {
        ("GET", "unmatched", "404"): 50,
        ("_OTHER", "/orders/{order}", "405"): 2,
    }


async def test_no_label_of_any_metric_holds_an_order() -> None:
    app = shop()
    with capturing():
        kept = shop()
    for asking in (app, kept):
        await asked(asking, "/orders/secret-1", "/orders/secret-1/price", "/orders/secret-1/nothing", "/secret-1")
        await asked(asking, "/orders/secret-1", method="DELETE", headers={"baggage": "order.id=secret-1"})
        samples = [sample for family in (await metrics(asking)).values() for sample in family.samples]
        assert len(samples) > 20
        assert not [sample for sample in samples if any("secret-1" in value for value in sample.labels.values())]


@pytest.mark.parametrize("traced", [False, True])
async def test_a_crash_is_counted_as_500_and_its_traceback_is_logged_with_its_order(*, traced: bool) -> None:
    """The server logs the traceback when the request's context is gone; the error remembers it."""
    with capturing() as captured:
        app = shop() if traced else None
    app = app or shop()
    with capturing() as logged:
        crashing = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop")
        async with crashing as http:
            try:
                await http.delete("/orders/4711", headers={"traceparent": PARENT})
            except RuntimeError:
                logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    assert counts(await metrics(app)) == {("DELETE", "/orders/{order}", "500"): 1}
    (line,) = logged.lines_of("4711")
    assert "no way to delete 4711" in line["exception"]
    assert (line["service"], line["trace_id"]) == ("shop", TRACE)
    assert [span.status.is_ok for span in captured.spans_of("4711")] == ([False] if traced else [])


async def test_a_duration_leads_to_its_trace_where_openmetrics_is_read() -> None:
    with capturing() as captured:
        app = shop()
        await asked(app, "/orders/4711")
        families = await metrics(app)
    exemplars = [sample.exemplar for sample in families[names.REQUEST_DURATION].samples if sample.exemplar]
    server = only(captured, "GET /orders/{order}")
    assert server.context is not None
    assert [exemplar.labels for exemplar in exemplars] == [{"trace_id": f"{server.context.trace_id:032x}"}]


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_only_a_trace_that_is_kept_is_an_exemplar(flags: str) -> None:
    """Neither one that the caller chose not to sample, nor any where there is no backend to look it up in."""
    with capturing():
        app = shop()
        await asked(app, "/orders/4711", headers={"traceparent": f"{PARENT[:-2]}{flags}"})
    silent = shop()
    await asked(silent, "/orders/4711", headers={"traceparent": PARENT})
    for asking, expected in ((app, flags == "01"), (silent, False)):
        samples = (await metrics(asking))[names.REQUEST_DURATION].samples
        assert any(sample.exemplar for sample in samples) is expected


async def test_without_openmetrics_the_metrics_come_as_plain_text() -> None:
    app = shop()
    await asked(app, "/orders/1")
    async with client(app) as http:
        answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in plain_text_to_metric_families(answer.text)}
    assert names.REQUEST_DURATION in families
    (target,) = families["target_info"].samples
    assert target.labels == {"service_name": "shop", "service_version": "1.2"}


async def test_requests_in_flight_are_those_not_yet_answered() -> None:
    app, entered, release = shop(), asyncio.Event(), asyncio.Event()

    @app.get("/slow")
    async def slow() -> None:
        entered.set()
        await release.wait()

    async with client(app) as http:
        waiting = asyncio.create_task(http.get("/slow"))
        await entered.wait()
        during = (await metrics(app))[names.ACTIVE_REQUESTS].samples
        release.set()
        await waiting
        after = (await metrics(app))[names.ACTIVE_REQUESTS].samples
    assert ([sample.value for sample in during], [sample.value for sample in after]) == ([1], [0])


async def test_two_apps_of_one_service_are_counted_together() -> None:
    telemetry = Telemetry("shop", "1.2")
    apps = [FastAPI(telemetry=FASTAPI_TELEMETRY) for _ in range(2)]
    for app in apps:
        instrument(app, "shop", telemetry=telemetry)
        assert await asked(app, "/nothing") == [404]
    assert counts(await metrics(apps[0])) == {("GET", "unmatched", "404"): 2}


async def test_probes_are_answered_and_neither_traced_nor_counted() -> None:
    with capturing() as captured:
        app = shop()
        assert await asked(app, "/healthz", "/readyz", "/metrics") == [200, 200, 200]
        assert await asked(app, "/orders/metrics") == [200]
    assert {span.name for span in captured.spans} == {"GET /orders/{order}", "look up"}
    assert set(counts(await metrics(app))) == {("GET", "/orders/{order}", "200")}


async def test_a_service_that_cannot_work_is_alive_but_not_ready_and_says_why() -> None:
    async def unready() -> str | None:
        return "the database does not answer; is it running?"

    async with client(shop(ready=unready)) as http:
        alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert alive.json() == {"status": "ok", "service": "shop"}
    assert ready.status_code == 503
    assert ready.headers["content-type"] == problems.MEDIA_TYPE
    assert ready.json()["detail"] == "the database does not answer; is it running?"


async def test_a_check_for_readiness_that_crashes_means_not_ready_and_is_logged() -> None:
    async def broken() -> str | None:
        raise OSError("no route to host")

    with capturing() as captured:
        assert await asked(shop(ready=broken), "/readyz") == [503]
    (line,) = [line for line in captured.lines if line["logger"] == "touchstone.health"]
    assert "no route to host" in line["exception"]
    assert line["service"] == "shop"


async def test_a_service_that_can_work_is_ready() -> None:
    async def ready() -> str | None:
        return None

    assert await asked(shop(ready=ready), "/readyz") == [200]


def test_the_operations_routes_are_marked_public_and_described() -> None:
    app = shop()
    problems.describe(app)
    document = app.openapi()
    for path in names.PROBES:
        (operation,) = document["paths"][path].values()
        assert operation["tags"] == ["operations"]
        assert operation["summary"]
        assert operation["description"]
    endpoints = [route.endpoint for route in iter_route_contexts(app.routes)]
    marked = {endpoint.__name__ for endpoint in endpoints if endpoint and getattr(endpoint, "access", "") == "public"}
    assert marked == {"healthz", "readyz", "metrics"}
