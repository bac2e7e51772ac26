"""What pollers see is what happened: exactly where a history is open, to one polling interval where it is not."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings, strategies

from collectors.pollers import sql
from collectors.pollers.gaps import Gap, Progress
from collectors.pollers.http import HttpPoller
from collectors.pollers.sql import SqlPoller
from collectors.pollers.systems import HttpPoll, SqlPoll, System, load_systems
from collectors.promise.reading import DEFAULT_PROMISE, load_promise
from collectors.reconciliation.reconciling import check_against
from collectors.replay import micros
from collectors.simulation import Scenario, cloudevents, simulate
from instrumentation.errors import BadInput
from services.bus.tables import outbox
from tests import live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from random import Random

PROMISE = DEFAULT_PROMISE.read_text(encoding="utf-8")
LATER = datetime(2027, 1, 1, tzinfo=UTC)
LONGEST = timedelta(minutes=10)


def simulated(seed: int, days: int = 12, orders_per_day: float = 2) -> list[dict[str, Any]]:
    """Return a log of the simulated house, as the events of its systems."""
    return list(cloudevents(simulate(Scenario(days=days, orders_per_day=orders_per_day, seed=seed))))


class Outbox:
    """A service's outbox in an SQLite file, with rows committed in an order of one's own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "service.db"
        self.engine = sqlalchemy.create_engine(f"sqlite:///{self.file}")
        outbox.create(self.engine)

    @property
    def poll(self) -> SqlPoll:
        """How the collector is told to read it."""
        return SqlPoll(kind="sql", url=f"sqlite:///{self.file}", at_once=7, longest_transaction=LONGEST)

    def commit(self, rows: Sequence[dict[str, Any]]) -> None:
        """Commit rows."""
        if rows:
            with self.engine.begin() as connection:
                connection.execute(outbox.insert(), list(rows))

    def close(self) -> None:
        """Let go of the file."""
        self.engine.dispose()


def rows_of(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events as rows of an outbox, numbered as they were written; every ninth number was rolled back."""
    return [
        {
            "position": place + place // 9 + 1,
            "recorded_at": 0,
            **{name: message[name] for name in ("id", "type", "subject", "source", "time", "traceparent")},
            "sequence": int(message["sequence"]),
            "data": orjson.dumps(message["data"]).decode(),
        }
        for place, message in enumerate(messages)
    ]


def committed_out_of_order(rows: Sequence[dict[str, Any]], chance: Random) -> list[dict[str, Any]]:
    """Return the rows as they became visible: some transactions take longer than those that began after them."""
    return sorted(rows, key=lambda row: row["position"] + chance.choice([0, 0, 0, 3, 12, 60]))


async def drained(poller: SqlPoller) -> None:
    while await poller.step():
        pass


async def journeys(collector: live.Live, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the collector says of every order."""
    return {order: await collector.get(f"/orders/{order}") for order in sorted({m["subject"] for m in messages})}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=strategies.integers(0, 1_000), restarts=strategies.booleans())
def test_an_open_history_gives_exactly_the_timeline_of_the_events(seed: int, restarts: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever order rows are committed in, and however often the collector restarts meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_same_timelines(Path(folder), simulated(seed, 8), live.mixer(seed), restarts=restarts))


async def _same_timelines(folder: Path, messages: list[dict[str, Any]], chance: Random, *, restarts: bool) -> None:
    clock = live.Clock(LATER)
    heard = live.settings(folder, promise=PROMISE)
    polled = live.settings(folder, f"sqlite+aiosqlite:///{folder / 'polled.db'}", promise=PROMISE)
    async with live.running(heard, clock) as collector:
        await collector.send(*messages)
        expected = await journeys(collector, messages)
        stages = await collector.stages(LATER)
    service = Outbox(folder)
    rows = committed_out_of_order(rows_of(messages), chance)
    while rows or restarts:
        async with live.running(polled, clock) as collector:
            poller = SqlPoller(
                System(name="house", source="/house", poll=service.poll), service.poll, collector.service.collector
            )
            for _ in range(4 if restarts else len(messages)):
                count = chance.randint(0, 20)
                service.commit(rows[:count])
                del rows[:count]
                await drained(poller)
            await poller.close()
            if not rows:
                assert await journeys(collector, messages) == expected
                assert {**await collector.stages(LATER), "duplicates": 0} == stages
                assert (await collector.stages(LATER))["duplicates"] == 0
                restarts = False
    service.close()


async def test_rows_that_are_no_status_events_are_passed_over_and_bad_ones_are_quarantined(tmp_path: Path) -> None:
    service = Outbox(tmp_path)
    good, command, bad, broken = rows_of(simulated(1)[:4])
    service.commit(
        [good, command | {"type": "order.cancel.v1"}, bad | {"data": "{}"}, broken | {"data": "{", "time": "soon"}]
    )
    async with live.running(live.settings(tmp_path, promise=PROMISE)) as collector:
        poller = SqlPoller(
            System(name="shop", source="/shop", poll=service.poll), service.poll, collector.service.collector
        )
        assert await poller.step() is False
        document = await collector.stages(LATER)
        assert (document["events"], document["quarantined"]) == (1, 2)
        await poller.close()
    service.close()


async def test_a_history_of_other_columns_is_read_as_the_file_says(tmp_path: Path) -> None:
    """A SELECT over a foreign system's own table: numbers as ids, times as naive text, no source, no sequence."""
    file = tmp_path / "foreign.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE history (nr INTEGER, auftrag INTEGER, zustand TEXT, am TEXT)"))
        connection.execute(
            sqlalchemy.text("INSERT INTO history VALUES (1, 17, 'NEW', '2026-03-02 08:00:00'), (2, 17, 'X', '')")
        )
    engine.dispose()
    columns = {"position": "nr", "order": "auftrag", "time": "am", "status": "zustand", "attributes": {"channel": "v"}}
    nothing = dict.fromkeys(("id", "type", "source", "sequence", "data"))
    poll = SqlPoll.model_validate(
        {
            "kind": "sql",
            "url": f"sqlite:///{file}",
            "select": "SELECT nr, auftrag, am, zustand, 'web' AS v FROM history",
            "columns": {**columns, **nothing},
        }
    )
    async with live.running(live.settings(tmp_path)) as collector:
        poller = SqlPoller(System(name="erp", source="/erp", poll=poll), poll, collector.service.collector)
        await poller.step()
        order = await collector.get("/orders/17")
        assert [(e["id"], e["source"], e["status"]) for e in order["events"]] == [("erp/1", "/erp", "NEW")]
        assert order["events"][0]["time"] == "2026-03-02T08:00:00Z"
        assert order["attributes"] == {"channel": "web"}
        await poller.close()


async def test_two_collectors_that_poll_one_system_do_not_disturb_each_other(tmp_path: Path) -> None:
    service = Outbox(tmp_path)
    rows = rows_of(simulated(2))
    async with live.running(live.settings(tmp_path, promise=PROMISE)) as collector:
        system = System(name="shop", source="/shop", poll=service.poll)
        one, other = (SqlPoller(system, service.poll, collector.service.collector) for _ in range(2))
        for start in range(0, len(rows), 20):
            service.commit(rows[start : start + 20])
            for poller in (one, other) * 6:
                await poller.turn()
                assert poller.failure is None
        document = await collector.stages(LATER)
        assert (document["events"], document["duplicates"]) == (len(rows), 0)
        for poller in (one, other):
            await poller.close()
    service.close()


async def test_the_poller_cannot_write(tmp_path: Path) -> None:
    service = Outbox(tmp_path)
    async with live.running(live.settings(tmp_path)) as collector:
        system = System(name="shop", source="/shop", poll=service.poll)
        poller = SqlPoller(system, service.poll, collector.service.collector)
        async with poller.engine.connect() as connection:
            with pytest.raises(sqlalchemy.exc.OperationalError, match="readonly"):
                await connection.execute(outbox.delete())
        await poller.close()
    service.close()


async def test_a_system_that_cannot_be_polled_is_said_and_tried_again(tmp_path: Path) -> None:
    poll = SqlPoll(kind="sql", url=f"sqlite:///{tmp_path / 'empty.db'}")
    async with live.running(live.settings(tmp_path)) as collector:
        poller = SqlPoller(System(name="shop", source="/shop", poll=poll), poll, collector.service.collector)
        await poller.turn()
        assert "shop cannot be polled" in str(poller.failure)
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
        outbox.create(engine)
        engine.dispose()
        await poller.turn()
        assert poller.failure is None
        await poller.close()


def test_positions_that_were_passed_over_are_looked_for_until_no_transaction_can_hold_them() -> None:
    progress = Progress().after([1, 2, 5, 9], now=100, longest_us=50)
    assert progress == Progress(9, [Gap(3, 4, 100), Gap(6, 8, 100)])
    assert progress.after([4, 7], now=120, longest_us=50) == Progress(
        9, [Gap(3, 3, 100), Gap(6, 6, 100), Gap(8, 8, 100)]
    )
    assert progress.after([], now=150, longest_us=50) == Progress(9, [])
    assert Progress.read(progress.written()) == progress


class Vendor:
    """A bought-in system: it tells which orders changed since a moment, and their status now, in its own words."""

    def __init__(self, messages: Sequence[dict[str, Any]]) -> None:
        self.messages = [(datetime.fromisoformat(m["time"]), m) for m in messages]
        self.now = self.messages[0][0]
        self.transport = httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a poll."""
        assert request.headers["x-api-key"] == "k"
        since = int(request.url.params["updated_since"])
        changed: dict[str, dict[str, Any]] = {}
        for at, message in self.messages:
            if at <= self.now and at.timestamp() * 1_000 >= since:
                data = message["data"]
                changed[message["subject"]] = {
                    "no": message["subject"],
                    "state": data["status"].lower(),
                    **data["order"],
                }
        return httpx.Response(200, json={"orders": list(changed.values())})


def vendor_poll(messages: Sequence[dict[str, Any]]) -> HttpPoll:
    statuses = {message["data"]["status"].lower(): message["data"]["status"] for message in messages}
    fields = {"order": "no", "status": "state", "attributes": {"channel": "channel"}}
    return HttpPoll.model_validate(
        {"kind": "http", "url": "http://mes/v1/orders", "key_env": "KEY", "fields": fields, "statuses": statuses}
    )


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=strategies.integers(0, 1_000), minutes=strategies.integers(60, 600), restarts=strategies.booleans())
def test_times_of_current_statuses_err_by_at_most_one_polling_interval(
    seed: int,
    minutes: int,
    restarts: bool,  # noqa: FBT001 - drawn
) -> None:
    """Each status that was seen is one that happened, in its order, within the uncertainty that it is marked with."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEY", "k")
        asyncio.run(
            _within_an_interval(Path(folder), simulated(seed, 5), timedelta(minutes=minutes), restarts=restarts)
        )


async def _within_an_interval(
    folder: Path, messages: list[dict[str, Any]], interval: timedelta, *, restarts: bool
) -> None:
    vendor, poll = Vendor(messages), vendor_poll(messages)
    system = System(name="mes", source="/mes", poll=poll)
    clock = live.Clock(vendor.now)
    end = vendor.messages[-1][0] + interval
    found: dict[str, Any] = {}
    while clock.now <= end:
        async with live.running(live.settings(folder, promise=PROMISE), clock) as collector:
            poller = HttpPoller(system, poll, collector.service.collector, vendor.transport)
            for _ in range(20 if restarts else 100_000):
                vendor.now = clock.now
                await poller.step()
                clock.now += interval
                if clock.now > end:
                    break
            await poller.close()
            if clock.now > end:
                found = await journeys(collector, messages)
                assert (await collector.stages(clock.now))["duplicates"] == 0
    _held(messages, found, interval)


def _held(messages: Sequence[dict[str, Any]], found: dict[str, Any], interval: timedelta) -> None:
    for order, document in found.items():
        truth = [m for m in messages if m["subject"] == order]
        place = 0
        for event in document["events"]:
            at, allowed = datetime.fromisoformat(event["time"]), timedelta(seconds=event["uncertainty_s"])
            if document["events"][0] is not event:
                assert allowed <= interval / 2 + timedelta(microseconds=1)
            # The status seen is the one that the order was last in when it was polled.
            near = [
                n
                for n in range(place, len(truth))
                if truth[n]["data"]["status"] == event["status"]
                and abs(datetime.fromisoformat(truth[n]["time"]) - at) <= allowed
            ]
            assert near, (order, event)
            assert abs(datetime.fromisoformat(truth[near[0]]["time"]) - at) <= max(interval, allowed)
            place = near[0] + 1
        assert document["events"][-1]["status"] == truth[-1]["data"]["status"]


async def test_a_time_that_the_system_tells_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "k")
    told = {"a": ("NEW", micros(live.START) // 1_000), "b": ("PAID", None)}

    def answer(_request: httpx.Request) -> httpx.Response:
        items = [{"id": order, "s": {"name": status, "at": at}} for order, (status, at) in told.items()]
        return httpx.Response(200, json={"found": {"items": [*items, {"id": None}, 3]}})

    poll = HttpPoll.model_validate(
        {
            "kind": "http",
            "url": "http://mes/",
            "items": "found.items",
            "fields": {"order": "id", "status": "s.name", "time": "s.at"},
            "first_look": "1h",
        }
    )
    clock = live.Clock(live.START + timedelta(hours=2))
    async with live.running(live.settings(tmp_path), clock) as collector:
        system = System(name="mes", source="/mes", poll=poll)
        poller = HttpPoller(system, poll, collector.service.collector, httpx.MockTransport(answer))
        await poller.step()
        (known,) = (await collector.get("/orders/a"))["events"]
        (guessed,) = (await collector.get("/orders/b"))["events"]
        assert (known["time"], known["uncertainty_s"]) == ("2026-03-02T08:00:00Z", None)
        assert (guessed["time"], guessed["uncertainty_s"]) == ("2026-03-02T09:30:00Z", 1800)
        assert (await collector.stages(clock.now))["quarantined"] == 2
        await poller.close()


async def test_pages_are_followed_to_the_last_one(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params.get("cursor", "0"))
        asked.append(str(request.url.params["updated_since"]))
        following = None if page == 2 else str(page + 1)
        return httpx.Response(200, json={"orders": [{"order": f"o{page}", "status": "NEW"}], "next": following})

    poll = HttpPoll.model_validate({"kind": "http", "url": "http://mes/", "paging": {}, "since_format": "iso"})
    async with live.running(live.settings(tmp_path)) as collector:
        system = System(name="mes", source="/mes", poll=poll)
        poller = HttpPoller(system, poll, collector.service.collector, httpx.MockTransport(answer))
        await poller.step()
        assert (await collector.stages(LATER))["events"] == 3
        assert set(asked) == {"2026-03-01T07:59:00+00:00"}
        await poller.close()


async def test_a_full_page_is_followed_from_its_last_order_on(tmp_path: Path) -> None:
    """As a system does it that names no next page: by its last change, then by number."""
    orders: list[dict[str, Any]] = [
        {"nr": number, "upd": 5_000 + number // 3, "order": f"o{number}", "status": "NEW"} for number in range(8)
    ]
    asked: list[tuple[int, int]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        since, after = int(request.url.params["updated_since"]), int(request.url.params.get("after_no", "0"))
        asked.append((since, after))
        found = [o for o in orders if o["upd"] > since or (o["upd"] == since and o["nr"] > after)]
        return httpx.Response(200, json={"orders": found[: int(request.url.params["limit"])]})

    keyset = {"updated": "upd", "number": "nr", "after": "after_no", "size": 3}
    poll = HttpPoll.model_validate({"kind": "http", "url": "http://mes/", "keyset": keyset, "first_look": "36500d"})
    async with live.running(live.settings(tmp_path)) as collector:
        system = System(name="mes", source="/mes", poll=poll)
        poller = HttpPoller(system, poll, collector.service.collector, httpx.MockTransport(answer))
        await poller.step()
        assert (await collector.stages(LATER))["events"] == 8
        assert asked[1:] == [(5_000, 2), (5_001, 5)]
        await poller.close()


async def test_a_history_of_sparse_positions_is_read_whole_and_few_gaps_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last ones, where late commits come; and it is said once."""
    monkeypatch.setattr(sql, "MOST_GAPS", 3)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE log (nr INTEGER, ref TEXT, at INTEGER, state TEXT)"))
        for number in range(2, 42, 2):
            row = {"nr": number, "at": micros(live.START)}
            connection.execute(sqlalchemy.text("INSERT INTO log VALUES (:nr, 'o' || :nr, :at, 'NEW')"), row)
    columns = {"position": "nr", "order": "ref", "time": "at", "status": "state"}
    columns |= dict.fromkeys(("id", "type", "source", "sequence", "data"))  # type: ignore[arg-type] # null in the file
    url = f"sqlite:///{tmp_path / 'own.db'}"
    poll = SqlPoll.model_validate({"kind": "sql", "url": url, "table": "log", "columns": columns, "at_once": 5})
    async with live.running(live.settings(tmp_path)) as collector:
        poller = SqlPoller(System(name="shop", source="/shop", poll=poll), poll, collector.service.collector)
        while await poller.step():
            pass
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("INSERT INTO log VALUES (39, 'late', 1, 'NEW')"))
        await poller.step()
        assert (await collector.stages(LATER))["events"] == 21
        assert sum("sparse" in record.message for record in caplog.records) == 1
        await poller.close()
    engine.dispose()


def _paged(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"orders": [{"order": "o", "status": "NEW", "upd": 1, "nr": 1}]})


class Dripping(httpx.AsyncBaseTransport):
    """Sends a byte now and then, for ever."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Begin to answer."""

        async def bytes_() -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

        return httpx.Response(200, content=bytes_(), request=request)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.MockTransport(lambda _: httpx.Response(500)), "UnexpectedAnswer: it answers 500"),
        (httpx.MockTransport(lambda _: httpx.Response(302)), "it answers 302"),
        (httpx.MockTransport(lambda _: httpx.Response(200, content=b"<html>")), "no JSON"),
        (httpx.MockTransport(lambda _: httpx.Response(200, content=b" " * 70_000_000)), "more than 67,108,864 bytes"),
        (httpx.MockTransport(_paged), "is this one again"),
        (Dripping(), "no whole answer came within 1 s"),
    ],
    ids=["error", "redirect", "html", "huge", "circle", "slow"],
)
async def test_an_answer_that_is_none_is_said_without_the_address(
    tmp_path: Path, answer: httpx.AsyncBaseTransport, says: str
) -> None:
    """And nothing of it is stored: the poller reads on from where it was."""
    keyset = {"updated": "upd", "number": "nr", "after": "after_no", "size": 1}
    poll = HttpPoll.model_validate({"kind": "http", "url": "http://mes/hidden", "keyset": keyset, "timeout": "1s"})
    async with live.running(live.settings(tmp_path)) as collector:
        system = System(name="mes", source="/mes", poll=poll)
        poller = HttpPoller(system, poll, collector.service.collector, answer)
        await poller.turn()
        assert says in str(poller.failure)
        assert "hidden" not in str(poller.failure)
        assert (await collector.stages(LATER))["events"] == 0
        await poller.close()


async def test_a_history_that_does_not_answer_in_time_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And written to the log once, not at every try."""
    poll = SqlPoll(kind="sql", url=f"sqlite:///{tmp_path / 'slow.db'}", timeout=timedelta(milliseconds=50))
    async with live.running(live.settings(tmp_path)) as collector:
        poller = SqlPoller(System(name="shop", source="/shop", poll=poll), poll, collector.service.collector)
        monkeypatch.setattr(poller, "_read", lambda _progress: asyncio.sleep(30))
        for _ in range(3):
            await poller.turn()
        assert "no whole answer came within 0.05 s" in str(poller.failure)
        assert sum("polling shop failed" in record.message for record in caplog.records) == 1
        await poller.close()


def test_the_example_of_the_documentation_is_a_file_of_systems(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "collector.md").read_text(encoding="utf-8")
    file = tmp_path / "systems.yaml"
    file.write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    watched = load_systems(file)
    assert [system.name for system in watched.systems] == ["shop", "crm", "mes"]
    poll = watched.systems[2].poll
    assert isinstance(poll, HttpPoll)
    # Keys of the vendor's own statuses are texts, and those without a counterpart are passed over.
    assert (poll.statuses["30"], poll.statuses["10"]) == ("PRICE_CALCULATED", None)
    check_against(watched, load_promise())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("systems: []", ":1: touchstone"),
        ("touchstone: 1\nsystems: []", "systems.yaml:2: systems: "),
        ("touchstone: 1\nsystems: [{name: a, source: /a, adress: http://x}]", "systems.0.adress"),
        ("touchstone: 1\nsystems: [{name: a, source: /a}, {name: a, source: /b}]", "two systems are called `a`"),
        (
            "touchstone: 1\nsystems: [{name: a, source: /a}]\nflow: [{status: X, from: a, to: [b]}]",
            "`flow` speaks of `b`",
        ),
        (
            "touchstone: 1\nsystems: [{name: a, source: /a, owns: [X]}, {name: b, source: /b, owns: [X]}]",
            "two systems own",
        ),
        (
            "touchstone: 1\nsystems:\n- name: a\n  source: /a\n  poll: {kind: sql}",
            "systems.yaml:5: systems.0.poll: needs",
        ),
        ("touchstone: 1\nsystems: [{name: a, source: /a, address: 'http://u:secret@x'}]", "holds a password"),
        ("touchstone: 1\ntolerance: soon\nsystems: [{name: a, source: /a}]", "systems.yaml:2: tolerance"),
    ],
)
def test_a_mistake_in_the_file_of_systems_is_said_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "systems.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_systems(file)
    assert says in str(caught.value)


def test_a_secret_that_the_environment_lacks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOUCHSTONE_NO_SUCH", raising=False)
    poll = SqlPoll(kind="sql", url_env="TOUCHSTONE_NO_SUCH")
    with pytest.raises(BadInput, match="lacks TOUCHSTONE_NO_SUCH"):
        poll.address("shop")
    assert not (tmp_path / "x").exists()
