"""A followed log is read exactly once: through growth, half-written lines, rotation, truncation and restarts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from collectors.promise.reading import load_promise
from collectors.replay import replay
from tests import live
from tests.live import START, event, running, whole_order

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.live.app import Service
    from collectors.live.settings import Settings

LATER = START + timedelta(days=30)
LONG = 3_600.0
CSV_PROMISE = live.PROMISE.replace(
    "log: {format: cloudevents}",
    "log: {format: csv, order: case, status: state, time: at, timezone: Europe/Berlin, attributes: {channel: via}}",
)


def configured(folder: Path, log: Path, promise: str = live.PROMISE) -> Settings:
    """Return settings that follow a log; the tests take the steps, not the clock."""
    return live.settings(folder, promise=promise, follow=log, poll_seconds=LONG)


async def read(service: Service) -> None:
    """Follow the log to its present end."""
    assert service.follower is not None
    while await service.follower.step():
        pass


def jsonl(*messages: Any) -> bytes:
    return b"".join(orjson.dumps(message) + b"\n" for message in messages)


def append(log: Path, content: bytes) -> None:
    with log.open("ab") as growing:
        growing.write(content)


async def events_read(collector: live.Live) -> int:
    count: int = (await collector.stages(LATER))["events"]
    return count


async def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    whole = jsonl(*whole_order("a"))
    async with running(configured(tmp_path, log)) as collector:
        await read(collector.service)
        append(log, whole[:-20])
        await read(collector.service)
        assert await events_read(collector) == 4
        append(log, whole[-20:])
        await read(collector.service)
        assert await events_read(collector) == 5


async def test_a_restart_reads_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    settings = configured(tmp_path, log)
    append(log, jsonl(*whole_order("a")))
    async with running(settings) as collector:
        await read(collector.service)
    append(log, jsonl(*whole_order("b")))
    async with running(settings) as collector:
        await read(collector.service)
        document = await collector.stages(LATER)
        assert (document["events"], document["duplicates"]) == (10, 0)


async def test_a_rotated_log_is_read_to_its_end_before_the_new_one(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    append(log, jsonl(event("a", "NEW", 0)))
    async with running(configured(tmp_path, log)) as collector:
        await read(collector.service)
        append(log, jsonl(event("a", "PAID", 1))[:-1])
        log.rename(tmp_path / "log.jsonl.1")
        append(log, jsonl(event("a", "MADE", 2)))
        await read(collector.service)
        order = await collector.get("/orders/a")
        assert [e["status"] for e in order["events"] if e["note"] is None] == ["NEW"]
        assert await events_read(collector) == 3


async def test_what_a_rotation_left_unread_is_read_after_a_restart(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    settings = configured(tmp_path, log)
    append(log, jsonl(event("a", "NEW", 0)))
    async with running(settings) as collector:
        await read(collector.service)
    append(log, jsonl(event("a", "PAID", 1)))
    log.rename(tmp_path / "log.jsonl.1")
    append(log, jsonl(event("a", "MADE", 2)))
    async with running(settings) as collector:
        await read(collector.service)
        assert await events_read(collector) == 3
    async with running(settings) as collector:
        await read(collector.service)
        document = await collector.stages(LATER)
        assert (document["events"], document["duplicates"]) == (3, 0)


async def test_a_truncated_log_begins_anew(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    row = b"a,NEW,2026-03-02 10:00:00,web\n"
    async with running(configured(tmp_path, log, CSV_PROMISE)) as collector:
        append(log, b"case,state,at,via\n" + row)
        await read(collector.service)
        # The same size again, and other content: only its beginning gives it away.
        log.write_bytes(b"case,state,at,via\n" + row.replace(b"a,", b"b,"))
        await read(collector.service)
        log.write_bytes(b"case,state,at,via\n")
        await read(collector.service)
        append(log, row.replace(b"a,", b"c,"))
        await read(collector.service)
        assert (await collector.stages(LATER))["orders"] == 3


async def test_a_growing_csv_gives_the_answer_of_its_replay(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rows = [
        "\ufeffcase;state;at;via",
        "a;NEW;2026-03-02 10:00:00;web",
        'b;"NEW";2026-03-02T10:00:00+00:00;"b2b"',
        "a;PAID;2026-03-02 11:00:00;",
        "a;PAID;2026-03-02 11:00:00;web",
        "a;ODD;2026-03-02 11:30:00;web",
        "a;MADE;no time;web",
        ";NEW;2026-03-02 11:00:00;web",
        "c;;2026-03-02 11:00:00;web",
        "c;NEW",
        "",
        "a;SENT;2026-03-02 13:00:00;web",
        "b;MADE;2026-03-02 12:00:00;web",
    ]
    settings = configured(tmp_path, log, CSV_PROMISE)
    async with running(settings) as collector:
        for row in rows:
            append(log, row.encode() + b"\n")
            await read(collector.service)
        found = await collector.stages(LATER)
    expected = replay(log, load_promise(settings.promise), as_of=LATER).document()
    assert found == {**expected, "log": "live"}
    assert (found["duplicates"], found["quarantined"]) == (1, 5)


async def test_a_quote_that_nothing_closes_spoils_its_own_row_only(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    many = b"".join(b"o%d,NEW,2026-03-02 10:00:00,web\n" % number for number in range(40_000))
    append(log, b'case,state,at,via\nx,"NEW,2026-03-02 10:00:00,web\n' + many)
    async with running(configured(tmp_path, log, CSV_PROMISE)) as collector:
        await read(collector.service)
        document = await collector.stages(LATER)
        assert (document["orders"], document["quarantined"]) == (40_000, 1)


async def test_lines_that_are_no_events_are_quarantined(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    append(log, b'{"id": 1}\nno json\n\n' + b"x" * (1 << 20) + b"y\n" + jsonl(event("a", "NEW", 0)))
    async with running(configured(tmp_path, log)) as collector:
        await read(collector.service)
        document = await collector.stages(LATER)
        assert (document["events"], document["quarantined"]) == (1, 3)


async def test_a_log_without_the_promised_columns_makes_the_collector_unready(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    append(log, b"order,when\n1,2\n")
    async with running(configured(tmp_path, log, CSV_PROMISE)) as collector:
        follower = collector.service.follower
        assert follower is not None
        await follower.turn()
        answer = await collector.client.get("/readyz")
        assert answer.status_code == 503
        assert "there is no column `case`" in answer.json()["detail"]
        log.unlink()
        await follower.turn()
        assert (await collector.client.get("/readyz")).status_code == 200
