"""The collector's HTTP surface: who may ask, what is refused and how, and what the documents hold."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pydantic import SecretStr

from collectors import conventions
from collectors.live import app as live_app
from collectors.live import reports
from collectors.live.app import create_app, create_service
from collectors.live.examples import EVENT
from collectors.live.handlers import HANDLERS
from collectors.live.reading import BATCHED, STRUCTURED
from collectors.live.settings import Settings
from instrumentation.errors import BadInput
from tests import live
from tests.live import START, event, running, whole_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

OPENAPI = Path(live_app.__file__).parent / "openapi.json"
SINGLE = {"content-type": STRUCTURED[0]}


async def _refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    detail: str = problem["detail"]
    return detail


def test_the_published_openapi_document_is_the_one_that_the_app_gives(tmp_path: Path) -> None:
    document = create_app(live.settings(tmp_path)).openapi()
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("TOUCHSTONE_REGENERATE"):
        OPENAPI.write_text(text, encoding="utf-8")
    assert OPENAPI.read_text(encoding="utf-8") == text, "run this test once with TOUCHSTONE_REGENERATE=1"


def test_every_route_has_a_summary_and_describes_its_answers(tmp_path: Path) -> None:
    for path, methods in create_app(live.settings(tmp_path)).openapi()["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["description"], path


async def test_the_example_event_is_taken_in(tmp_path: Path) -> None:
    assert EVENT["type"] in HANDLERS
    async with running(live.settings(tmp_path, promise=Settings().promise.read_text(encoding="utf-8"))) as collector:
        assert (await collector.send(EVENT))["accepted"] == 1


async def test_one_event_may_come_alone_in_either_mode(tmp_path: Path) -> None:
    message = event("a", "NEW", 0)
    headers = {f"ce-{name}": message[name] for name in ("id", "source", "type", "subject", "time")}
    async with running(live.settings(tmp_path)) as collector:
        post = collector.client.post
        assert (await post("/events", content=orjson.dumps(message), headers=SINGLE)).json()["accepted"] == 1
        data = orjson.dumps(message["data"])
        answer = await post("/events", content=data, headers={**headers, "content-type": "application/json"})
        assert answer.json()["duplicates"] == 1


@pytest.mark.parametrize(
    ("content", "media", "status", "says"),
    [
        (b"{", SINGLE["content-type"], 400, "no JSON"),
        (b"17", SINGLE["content-type"], 400, "no JSON object"),
        (orjson.dumps({**event("a", "NEW", 0), "time": "yesterday"}), SINGLE["content-type"], 400, "`time`"),
        (orjson.dumps(event("a" * 1_001, "NEW", 0, key="1")), SINGLE["content-type"], 400, "`subject` is longer"),
        (b"{}", BATCHED, 400, "JSON array"),
        (b"[" + b"1," * 10_000 + b"1]", BATCHED, 413, "10,000 events"),
        (b"[" + b" " * 20_000_000 + b"]", BATCHED, 413, "bytes"),
        (b"hello", "text/plain", 415, "application/cloudevents"),
    ],
)
async def test_what_cannot_be_taken_in_is_a_problem(
    tmp_path: Path, content: bytes, media: str, status: int, says: str
) -> None:
    async with running(live.settings(tmp_path)) as collector:
        answer = await collector.client.post("/events", content=content, headers={"content-type": media})
        assert says in await _refused(answer, status)


async def test_a_body_of_unknown_length_is_limited_too(tmp_path: Path) -> None:
    async def endless() -> Any:
        for _ in range(20):
            yield b" " * 1_000_000

    async with running(live.settings(tmp_path)) as collector:
        answer = await collector.client.post("/events", content=endless(), headers={"content-type": BATCHED})
        await _refused(answer, 413)


async def test_questions_that_make_no_sense_are_problems(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path)) as collector:
        for query in ("limit=0", "risk=some", "cursor=x", "cursor=e30=", "cursor=%C3%BC"):
            await _refused(await collector.client.get(f"/orders?{query}"), 400)
        for moment in ("soon", "2026-03-02", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            await _refused(await collector.client.get("/stages", params={"as_of": moment}), 400)
        await _refused(await collector.client.get("/orders/nobody"), 404)
        await _refused(await collector.client.get("/nowhere"), 404)
        await _refused(await collector.client.delete("/events"), 405)


async def test_a_token_guards_everything_but_health(tmp_path: Path) -> None:
    configured = live.settings(tmp_path, host="0.0.0.0", token=SecretStr("s3cret"))  # noqa: S104 - nothing is bound
    async with running(configured) as collector:
        for path in ("/stages", "/orders", "/orders/a", "/metrics"):
            answer = await collector.client.get(path)
            await _refused(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
            wrong = await collector.client.get(path, headers={"authorization": "Bearer wrong"})
            await _refused(wrong, 401)
        await _refused(await collector.client.post("/events", content=b"[]"), 401)
        for path in ("/healthz", "/readyz"):
            assert (await collector.client.get(path)).status_code == 200
        answer = await collector.client.get("/stages", headers={"authorization": "Bearer s3cret"})
        assert answer.status_code == 200


async def test_on_loopback_a_scrape_needs_no_token(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path, token=SecretStr("s3cret"))) as collector:
        assert (await collector.client.get("/metrics")).status_code == 200
        await _refused(await collector.client.get("/stages"), 401)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "collector.example"])  # noqa: S104 - nothing is bound
def test_without_a_token_it_binds_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadInput, match="TOUCHSTONE_TOKEN"):
        create_service(live.settings(tmp_path, host=host))


@pytest.mark.parametrize("database", ["nonsense", "mysql://h/d", "sqlite://"])
def test_a_database_that_cannot_be_used_is_one_sentence(tmp_path: Path, database: str) -> None:
    with pytest.raises(BadInput, match="database address"):
        create_service(live.settings(tmp_path, database))


async def test_an_order_tells_its_whole_journey(tmp_path: Path) -> None:
    clock = live.Clock(START + timedelta(hours=5))
    promise = live.PROMISE + "reported_by: {PAID: /bank}\n"
    events = [
        event("a/1", "NEW", 0, sequence=1, channel="web"),
        event("a/1", "PAID", 0.5, sequence=2),
        event("a/1", "PAID", 1, source="/bank"),
        event("a/1", "ASKED", 2, sequence=3),
        event("a/1", "MADE", 9, sequence=4),
    ]
    async with running(live.settings(tmp_path, promise=promise), clock) as collector:
        await collector.send(*events)
        order = await collector.get("/orders/a/1")
    assert [(e["status"], e["moved"], e["note"]) for e in order["events"]] == [
        ("NEW", True, None),
        ("PAID", True, None),
        ("ASKED", True, None),
        ("PAID", False, "/bank owns this status"),
        ("MADE", False, "its time has not come yet"),
    ]
    assert (order["stage"], order["age_s"], order["verdict"]) == ("customer", 3 * 3600, "open")
    # Eight hours from NEW, and the three hours of the customer's turn on top.
    assert order["promise_at"] == "2026-03-02T19:00:00Z"
    assert order["risk"] == "on track"
    assert order["attributes"] == {"channel": "web"}
    assert {row["stage"]: row["time_s"] / 3600 for row in order["stages"]} == {"payment": 1, "making": 1, "customer": 3}


async def test_what_is_known_of_finished_orders_tells_when_others_will_be_ready(tmp_path: Path) -> None:
    clock = live.Clock(START + timedelta(days=3))
    async with running(live.settings(tmp_path), clock) as collector:
        for number in range(30):
            await collector.send(*whole_order(f"done{number}", begin=number))
        await collector.send(event("a", "NEW", 71.5), event("b", "NEW", 60), event("c", "NEW", 66, channel="b2b"))
        orders = (await collector.get("/orders"))["orders"]
        assert [order["order"] for order in orders] == ["b", "c", "a"]
        assert [order["risk"] for order in orders] == ["late", "late", "on track"]
        # Half an hour of the hour of payment is over, and three further hours come after it.
        assert orders[2]["eta"]["p50"] == "2026-03-05T11:30:00Z"
        assert orders[2]["slack_s"] == 4 * 3600
        assert len((await collector.get("/orders", risk="late"))["orders"]) == 2


def _samples(text: str) -> Sequence[str]:
    return [line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")]


async def test_metrics_have_the_names_of_the_conventions_and_no_ids(tmp_path: Path) -> None:
    clock = live.Clock(START)
    async with running(live.settings(tmp_path, signals_seconds=1e9), clock) as collector:
        for week in range(10):
            made = [whole_order(f"order-4711-{week}-{n}", begin=168 * week + n * 24, channel="b2b") for n in range(6)]
            await collector.send(*(message for order in made for message in order))
        clock.now = START + timedelta(hours=1_650)
        await collector.send(event("order-4711", "NEW", 1_642.5), event("order-4711", "PAID", 1_643))
        for _ in range(2):
            await collector.service.signalling.turn()
        text = (await collector.client.get("/metrics")).text
    names = {
        value for key, value in vars(conventions).items() if key.isupper() and str(value).startswith("touchstone_")
    }
    found = set(_samples(text))
    missing = {name for name in names if not any(sample.startswith(name.removesuffix("_total")) for sample in found)}
    assert missing == {conventions.STAGE_SLOW_SINCE}  # no stage is slow
    assert f"# TYPE {conventions.STAGE_SLOW_SINCE} gauge" in text
    ours = ("touchstone_", "process_", "http_server_", "target_info")
    assert [sample for sample in found if not sample.startswith(ours)] == []
    assert "4711" not in text


async def test_old_events_change_state_and_touch_no_rate(tmp_path: Path) -> None:
    clock = live.Clock(START + timedelta(hours=1.5))
    async with running(live.settings(tmp_path), clock) as collector:
        receipt = await collector.send(event("a", "NEW", 0), event("b", "NEW", 0.25))
        assert receipt["late"] == 2
        await collector.send(event("a", "PAID", 0.4), event("b", "PAID", 1.25))
        found = await collector.metrics()
    assert found['touchstone_stage_duration_seconds_count{stage="payment"}'] == 1
    assert found['touchstone_stage_duration_seconds_sum{stage="payment"}'] == 3600
    assert found["touchstone_event_lag_seconds_sum"] == 900
    assert found['touchstone_events_total{outcome="late"}'] == 3
    assert found['touchstone_events_total{outcome="accepted"}'] == 1
    assert found['touchstone_stage_orders{risk="on track",stage="making"}'] == 2
    assert found['touchstone_stage_oldest_age_seconds{stage="making"}'] == pytest.approx(1.1 * 3600)


async def test_gaps_and_skew_are_shown_until_they_are_mended(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path)) as collector:
        await collector.send(event("a", "NEW", 1, sequence=1), event("a", "MADE", 0.5, sequence=3))
        found = await collector.metrics()
        assert (found["touchstone_sequence_gaps"], found["touchstone_clock_skew_events"]) == (1, 1)
        await collector.send(event("a", "PAID", 1.5, sequence=2))
        assert (await collector.metrics())["touchstone_sequence_gaps"] == 0


async def test_a_picture_of_the_orders_in_flight_is_kept_for_a_while(tmp_path: Path) -> None:
    clock = live.Clock()
    async with running(live.settings(tmp_path, picture_seconds=5), clock) as collector:
        assert (await collector.get("/orders"))["orders"] == []
        await collector.send(event("a", "NEW", 0))
        assert (await collector.get("/orders"))["orders"] == []
        clock.now += timedelta(seconds=6)
        assert len((await collector.get("/orders"))["orders"]) == 1


async def test_a_scrape_does_not_wait_for_a_count_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "SCRAPE_PATIENCE_S", 0.01)
    clock = live.Clock(START + timedelta(hours=1))
    name = "touchstone_promise_open_orders"
    async with running(live.settings(tmp_path), clock) as collector:
        assert (await collector.metrics())[name] == 0
        await collector.send(event("a", "NEW", 0))
        gate, taken = asyncio.Event(), collector.service.reports.picture

        async def slowly() -> reports.Picture:
            await gate.wait()
            return await taken()

        monkeypatch.setattr(collector.service.reports, "picture", slowly)
        clock.now += timedelta(hours=1)
        old = await collector.metrics()
        assert (old[name], old["touchstone_picture_timestamp_seconds"]) == (0, (START + timedelta(hours=1)).timestamp())
        gate.set()
        monkeypatch.setattr(reports, "SCRAPE_PATIENCE_S", 60)
        assert (await collector.metrics())[name] == 1
