"""The signals of a live collector: exact whatever comes in which order, and told with their reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
import pytest
from sqlalchemy import insert

from collectors.live.signalling import feeding
from collectors.live.signalling.periods import first_period
from collectors.live.signalling.running import CHANGED_REASON, FIRST_REASON
from collectors.live.signalling.seats import most_frequent
from collectors.live.tables import reference_decisions
from collectors.promise.reading import DEFAULT_PROMISE, load_promise
from collectors.replay import micros
from collectors.signals.ledger import HOUR_US, Ledger
from collectors.signals.scope import Scope
from collectors.simulation import Scenario, Slowdown, cloudevents, simulate
from collectors.simulation.scenario import MONDAY
from collectors.timelines.codebook import Codebook
from tests import live
from tests.live import (
    BY_PROMISE,
    PROMISE,
    START,
    Clock,
    Live,
    accounted,
    accounted_again,
    event,
    running,
    whole_order,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

HOUR: Final = timedelta(hours=1)
FAR: Final = 1e9


def _batches(messages: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(messages)
    while some := list(islice(rest, size)):
        yield some


def _history(orders: int) -> list[Any]:
    made = [
        whole_order(f"o{n}", begin=n * 0.7, step=1 + n % 5, channel="b2b" if n % 3 else "shop") for n in range(orders)
    ]
    return [message for order in made for message in list(order)[: 2 + len(order) * orders % 5]]


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_comes_in_which_order_the_account_is_that_of_all_events(tmp_path: Path, seed: int) -> None:
    chance = live.mixer(seed)
    messages = _history(30)
    messages += chance.sample(messages, 20)
    chance.shuffle(messages)
    clock = Clock(START + 60 * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        for some in _batches(messages, 17):
            await collector.send(*some)
            if chance.random() < 0.3:
                await collector.service.signalling.turn()
        await collector.service.signalling.turn()
        kept = accounted(collector)
        assert len(collector.service.signalling.account.segments) == 2
        share = collector.service.signalling.account.recent.visits
        for one, other in zip(kept, await accounted_again(collector), strict=True):
            assert np.array_equal(one, other)
        again = collector.service.signalling.account.recent.visits
        assert kept[2].sum() > 0
        for name in ("order", "stage", "entered", "left", "then", "promised"):
            assert np.array_equal(getattr(share, name), getattr(again, name)), name


async def test_what_arrives_while_the_past_is_read_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "READ_AT_ONCE", 8)
    clock = Clock(START + 60 * HOUR)
    messages = _history(30)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await collector.send(*messages[: len(messages) // 2])
        signalling = collector.service.signalling
        await signalling.start()
        await collector.send(*messages[len(messages) // 3 :: 2])
        await collector.service.database.write(signalling.feed.read_past)
        signalling.feed.torn = False
        await collector.send(*messages[1 + len(messages) // 3 :: 2])
        await signalling.turn()
        kept = accounted(collector)
        for one, other in zip(kept, await accounted_again(collector), strict=True):
            assert np.array_equal(one, other)


async def test_an_order_whose_clock_runs_ahead_counts_when_its_time_has_come(tmp_path: Path) -> None:
    clock = Clock(START + HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await collector.send(event("now", "NEW", 0), event("far", "NEW", 7_000 * 8_766))
        await collector.send(event("soon", "NEW", 5))
        signalling = collector.service.signalling
        await signalling.turn()
        assert signalling.account.ledger.entries(0, 10**7).sum() == 1
        clock.now += 5 * HOUR
        await signalling.turn()
        hour = micros(START) // HOUR_US
        assert signalling.account.ledger.entries(hour, hour + 7)[:, 0].sum() == 2


async def test_an_order_whose_end_lies_in_the_future_is_inside_until_then(tmp_path: Path) -> None:
    """Neither before its end nor at it does it vanish; then the ledger is that of a clock which was never ahead."""
    clock = Clock(START + 3 * HOUR)
    first = micros(START) // HOUR_US
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await collector.send(event("a", "NEW", 1), event("a", "PAID", 5), event("a", "MADE", 5.5))
        await collector.send(event("b", "NEW", 1), event("b", "PAID", 2))
        signalling = collector.service.signalling
        for hours, inside in ((3, [1, 1, 0]), (4, [1, 1, 0]), (5.25, [0, 2, 0]), (9, [0, 1, 1]), (8, [0, 1, 1])):
            clock.now = START + hours * HOUR
            await signalling.turn()
            now = micros(clock.now) // HOUR_US + 1
            assert signalling.account.ledger.inside(now, now + 1)[[0, 1, 3], 0, 0].tolist() == inside, hours
        ledger = signalling.account.ledger
        assert ledger.entries(first, first + 9)[[0, 1, 3], 0].sum(axis=1).tolist() == [2, 2, 1]
        assert ledger.departures(first, first + 9)[:, 0].sum() == 3
        kept = accounted(collector)
        for one, other in zip(kept, await accounted_again(collector), strict=True):
            assert np.array_equal(one, other)


async def test_an_end_in_the_future_that_is_taken_back_leaves_no_trace(tmp_path: Path) -> None:
    clock = Clock(START + 3 * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await collector.send(event("a", "NEW", 1), event("a", "PAID", 20, source="/crm"))
        await collector.service.signalling.turn()
        clock.now += 2 * HOUR
        await collector.send(event("a", "PAID", 4, source="/mes"))
        await collector.service.signalling.turn()
        clock.now += 50 * HOUR
        await collector.service.signalling.turn()
        kept = accounted(collector)
        for one, other in zip(kept, await accounted_again(collector), strict=True):
            assert np.array_equal(one, other)


async def test_an_order_that_lacks_its_promise_moment_has_no_visits(tmp_path: Path) -> None:
    clock = Clock(START + HOUR)
    async with running(live.settings(tmp_path, promise=BY_PROMISE, signals_seconds=FAR), clock) as collector:
        await collector.send(event("a", "NEW", 0), event("b", "NEW", 0, promised_at="2026-03-05"))
        await collector.service.signalling.turn()
        assert len(collector.service.signalling.account.recent.visits) == 1


async def _simulated(collector: Live, days: int, slowdowns: tuple[Slowdown, ...] = ()) -> None:
    events = cloudevents(simulate(Scenario(days, 8, 3, slowdowns)))
    end = MONDAY + timedelta(days=days)
    known = (message for message in events if datetime.fromisoformat(message["time"]) < end)
    await collector.service.signalling.turn()  # its own first one is over then, too
    for some in _batches(known, 5_000):
        await collector.send(*some)
    collector.clock.now = end
    # The turn that hears of the first weeks does not freeze them yet: more of them may come.
    await collector.service.signalling.turn()
    assert not (await collector.get("/reference"))["in_force"]
    await collector.service.signalling.turn()


async def test_the_first_weeks_are_the_reference_until_somebody_decides_otherwise(tmp_path: Path) -> None:
    settings = live.settings(tmp_path, promise=DEFAULT_PROMISE.read_text(encoding="utf-8"), signals_seconds=FAR)
    async with running(settings) as collector:
        assert (await collector.get("/reference")) == {"in_force": False, "periods": []}
        await _simulated(collector, 118, (Slowdown("approval", 88, factor=4.0),))
        found = await collector.get("/reference")
        assert found["in_force"]
        assert [period["why"] for period in found["periods"]] == [FIRST_REASON]
        slow = await collector.metrics()
        name = 'touchstone_stage_{}{{segment="all",stage="approval"}}'
        assert slow[name.format("evidence_ratio")] > 1
        assert 1.3 < slow[name.format("slowdown_ratio")] < 4
        begun = (MONDAY + timedelta(days=88)).timestamp()
        assert abs(slow[name.format("slow_since_timestamp_seconds")] - begun) < 10 * 86_400
        assert slow[name.format("budget_ratio")] > 1
        assert slow['touchstone_promise_culprit{stage="approval"}'] == 1
        begin = MONDAY + timedelta(days=90)
        why = {"begin": begin.isoformat(), "end": (begin + timedelta(days=28)).isoformat(), "why": "so it is now"}
        answer = await collector.client.post("/reference", json=why)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        assert [period["why"] for period in answer.json()["periods"]] == ["so it is now", FIRST_REASON]
        await collector.service.signalling.turn()
        usual = await collector.metrics()
        assert usual.get(name.format("evidence_ratio"), 0) < 1
        assert name.format("slow_since_timestamp_seconds") not in usual
        assert usual["touchstone_reference_timestamp_seconds"] == (begin + timedelta(days=28)).timestamp()
    # A new process goes on with what was decided; a stage that takes others over judges the same weeks anew.
    async with running(settings, collector.clock) as collector:
        await collector.service.signalling.turn()
        assert len((await collector.get("/reference"))["periods"]) == 2
    text = DEFAULT_PROMISE.read_text(encoding="utf-8").replace("name: approval,", "name: consent,")
    text = text.replace("in: [PACKAGING],", "in: [PACKAGING, SHIPPED],").replace("to: SHIPPED", "to: CLOSED")
    async with running(live.settings(tmp_path, promise=text, signals_seconds=FAR), collector.clock) as collector:
        collector.clock.now += 2 * HOUR
        await collector.service.signalling.turn()
        assert (await collector.get("/reference"))["periods"][0]["why"] == CHANGED_REASON
        assert 'touchstone_stage_evidence_ratio{segment="all",stage="consent"}' in await collector.metrics()


@pytest.mark.parametrize(
    ("begin", "end", "says"),
    [
        (START, START + 900 * HOUR, "name a period within it"),
        (START, START + 100 * HOUR, "name a longer period"),
        (START - 20_000 * HOUR, START + 100 * HOUR, "name a period within it"),
    ],
)
async def test_a_period_that_cannot_serve_is_refused(tmp_path: Path, begin: datetime, end: datetime, says: str) -> None:
    clock = Clock(START + 800 * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await collector.send(*_history(5))
        period = {"begin": begin.isoformat(), "end": end.isoformat(), "why": "a try"}
        answer = await collector.client.post("/reference", json=period)
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert says in answer.json()["detail"]
        assert (await collector.get("/reference"))["periods"] == []
        backwards = await collector.client.post("/reference", json={**period, "end": period["begin"]})
        assert backwards.status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize(("hour", "works"), [(9, 1), (16, 1), (8, 0), (17, 0)])
async def test_business_hours_are_those_of_the_calendar(tmp_path: Path, hour: int, works: int) -> None:
    promise = PROMISE + "calendar: {hours: '09:00-17:00'}\n"
    clock = Clock(datetime(2026, 3, 2, hour, tzinfo=UTC))
    async with running(live.settings(tmp_path, promise=promise, signals_seconds=FAR), clock) as collector:
        assert (await collector.metrics())["touchstone_business_hours"] == works
        clock.now = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday
        assert (await collector.metrics())["touchstone_business_hours"] == 0


async def test_each_source_tells_when_it_was_last_heard(tmp_path: Path) -> None:
    settings = live.settings(tmp_path, signals_seconds=FAR)
    clock = Clock(START + 9 * HOUR)
    name = 'touchstone_last_event_timestamp_seconds{source="/crm"}'
    async with running(settings, clock) as collector:
        await collector.send(event("a", "PAID", 2, source="/crm"), event("a", "NEW", 1, source="/crm"))
        assert (await collector.metrics())[name] == (START + 2 * HOUR).timestamp()
        await collector.send(event("b", "NEW", 70, source="/crm"))
        assert (await collector.metrics())[name] == clock.now.timestamp()
        await collector.send(*(event(f"x{n}", "NEW", 1, source=f"/{n}") for n in range(60)))
        told = [sample for sample in await collector.metrics() if "last_event" in sample]
        assert len(told) == 20


async def test_a_new_process_knows_when_sources_were_last_heard(tmp_path: Path) -> None:
    settings = live.settings(tmp_path, signals_seconds=FAR)
    async with running(settings) as collector:
        await collector.send(event("a", "NEW", -2, source="/crm"))
    async with running(settings) as collector:
        told = await collector.metrics()
    assert told['touchstone_last_event_timestamp_seconds{source="/crm"}'] == (START - 2 * HOUR).timestamp()


async def test_orders_over_budget_are_counted_by_stage(tmp_path: Path) -> None:
    clock = Clock(START + 4 * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await collector.send(event("a", "NEW", 2), event("b", "NEW", 3.5), event("d", "NEW", 3), event("d", "MADE", 3))
        await collector.send(event("c", "NEW", 0), event("c", "PAID", 0.5))
        told = await collector.metrics()
        name = 'touchstone_stage_over_budget_orders{{stage="{}"}}'
        over = [told[name.format(stage)] for stage in ("payment", "making", "packing")]
        assert over == [1, 1, 0]
        assert 'touchstone_stage_over_budget_orders{stage="customer"}' not in told


def test_the_commonest_segments_have_signals() -> None:
    texts = ['{"channel":"b2b","product":"ring"}'] * 3 + ['{"channel":"shop"}'] * 2 + ["{}"]
    assert most_frequent(("channel",), texts) == ("channel=b2b", "channel=shop")
    many = [f'{{"channel":"{n}"}}' for n in range(30) for _ in range(n)]
    assert most_frequent(("channel",), many) == tuple(sorted(f"channel={n}" for n in range(22, 30)))


def test_there_is_no_first_period_before_its_weeks_are_over() -> None:
    assert first_period(Ledger(1), HOUR_US, 10**15, Scope.of(Codebook(load_promise(DEFAULT_PROMISE)))) is None


async def test_a_reference_of_another_version_counts_as_none(tmp_path: Path) -> None:
    settings = live.settings(tmp_path, signals_seconds=FAR)
    row = {"decided_at": 1, "begin": 0, "end": 1, "why": "long ago", "document": '{"version": 0}'}
    async with running(settings) as collector:
        await collector.service.database.write(lambda to: to.execute(insert(reference_decisions), row))
    async with running(settings) as collector:
        told = await collector.get("/reference")
        assert (told["in_force"], told["periods"][0]["why"]) == (False, "long ago")
