"""What goes wrong around the live signals leaves the account whole and the reference where it was decided."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
import pytest
from sqlalchemy import insert

from collectors.live.signalling import feeding, figures
from collectors.live.tables import maintenance
from collectors.signals.monitor import signals as judged
from collectors.sources.engine import EARLIEST_US, LATEST_US
from instrumentation.errors import TouchstoneError
from tests import live
from tests.live import START, Clock, accounted, accounted_again, event, running, whole_order

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from collectors.live import reports

HOUR: Final = timedelta(hours=1)
FAR: Final = 1e9
ALWAYS: Final = {"decided_at": 1, "begin": EARLIEST_US, "end": LATEST_US, "why": "forgotten"}


def history(orders: int, gap: float = 7) -> list[Any]:
    made = [
        whole_order(f"o{n}", begin=n * gap, step=1 + n % 5, channel="b2b" if n % 3 else "shop") for n in range(orders)
    ]
    return [message for order in made for message in order]


def period(begin: datetime, end: datetime) -> dict[str, str]:
    return {"begin": begin.isoformat(), "end": end.isoformat(), "why": "a try"}


async def test_the_same_period_may_be_decided_twice(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path, signals_seconds=FAR), Clock(START + 900 * HOUR)) as collector:
        await collector.send(*history(100))
        for _ in range(2):
            answer = await collector.client.post("/reference", json=period(START, START + 700 * HOUR))
            assert answer.status_code == httpx.codes.CREATED, answer.text
            await collector.service.signalling.turn()


@pytest.mark.parametrize(("begin", "end"), [(START, START + 700 * HOUR), (START - 2_000 * HOUR, START - 1_000 * HOUR)])
async def test_a_period_in_which_nothing_happened_is_refused(tmp_path: Path, begin: datetime, end: datetime) -> None:
    async with running(live.settings(tmp_path, signals_seconds=FAR), Clock(START + 900 * HOUR)) as collector:
        answer = await collector.client.post("/reference", json=period(begin, end))
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert (await collector.get("/reference"))["periods"] == []


async def test_risks_are_told_though_maintenance_leaves_no_reference(tmp_path: Path) -> None:
    settings, clock = live.settings(tmp_path, signals_seconds=FAR), Clock(START + 4_000 * HOUR)
    async with running(settings, clock) as collector:
        await collector.send(*history(300, gap=12))
        # A database of earlier versions may hold it.
        await collector.service.database.write(lambda to: to.execute(insert(maintenance), ALWAYS))
    async with running(settings, clock) as collector:
        await collector.service.signalling.turn()
        assert "touchstone_promise_expected_breaks" in await collector.metrics()
        answer = await collector.client.post("/reference", json=period(START, START + 700 * HOUR))
        assert answer.status_code == httpx.codes.BAD_REQUEST


async def test_an_intake_that_is_cancelled_once_it_is_stored_counts(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path, signals_seconds=FAR), Clock(START + 10 * HOUR)) as collector:
        await collector.service.signalling.turn()
        taking = collector.service.collector
        intake = taking.reader.read_all([event("a", "NEW", 1)])

        async def broken_off(_connection: object) -> None:
            task.cancel()

        task = asyncio.create_task(taking.take_in(intake, broken_off))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await collector.send(event("a", "NEW", 1)))["duplicates"] == 1
        await collector.service.signalling.turn()
        kept = accounted(collector)
        assert kept[2].sum() > 0
        assert np.array_equal(kept[2], (await accounted_again(collector))[2])


async def test_a_period_is_decided_on_all_of_the_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, clock = live.settings(tmp_path, signals_seconds=FAR), Clock(START + 900 * HOUR)
    async with running(settings, clock) as collector:
        await collector.send(*history(100))
    monkeypatch.setattr(feeding, "READ_AT_ONCE", 10)
    async with running(settings, clock) as collector:
        await collector.service.signalling.start()
        answer = await collector.client.post("/reference", json=period(START, START + 700 * HOUR))
        assert answer.status_code == httpx.codes.CREATED
        reference = collector.service.signalling.reference
        assert reference is not None
        assert reference.departures[:, 0].sum() > 300


async def test_what_a_failed_turn_had_taken_is_read_anew_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it had booked a part of it; until then the figures of before stand, with their time."""
    async with running(live.settings(tmp_path, signals_seconds=FAR), Clock(START + 10 * HOUR)) as collector:
        signalling = collector.service.signalling
        await signalling.turn()
        await collector.send(event("a", "NEW", 1), event("b", "NEW", 1))
        before = signalling.figures

        def no_memory(*_: object, **__: object) -> None:
            raise MemoryError

        with monkeypatch.context() as broken:
            broken.setattr(signalling.account.recent, "update", no_memory)
            with pytest.raises(MemoryError):
                await signalling.turn()
        assert signalling.figures is before
        await collector.send(event("a", "PAID", 2))
        await signalling.turn()
        assert signalling.figures is not before
        kept = accounted(collector)
        assert kept[2].sum() == 3  # two entered payment, one of them making
        for one, other in zip(kept, await accounted_again(collector), strict=True):
            assert np.array_equal(one, other)


async def test_what_changed_before_a_turn_that_failed_is_judged_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages are judged once an hour, and again where an earlier hour has changed: that must not be forgotten."""
    clock = Clock(START + 900 * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await collector.send(*history(100))
        answer = await collector.client.post("/reference", json=period(START, START + 700 * HOUR))
        assert answer.status_code == httpx.codes.CREATED, answer.text
        signalling = collector.service.signalling
        await signalling.turn()
        await collector.send(*(event(f"late{n}", "NEW", 890, channel="shop") for n in range(40)))

        def failing(*_: object) -> None:
            raise ArithmeticError

        for place in ("signals", "promise_risk"):
            with monkeypatch.context() as broken:
                broken.setattr(figures, place, failing)
                with pytest.raises(ArithmeticError):
                    await signalling.turn()
        await signalling.turn()
        told = signalling.figures
        assert told is not None
        assert signalling.reference is not None
        account = signalling.account
        assert repr(told.stages) == repr(judged(account.ledger, signalling.reference, account.scope, clock(), ()))


async def test_a_past_whose_reading_was_perhaps_not_stored_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, clock = live.settings(tmp_path, signals_seconds=FAR), Clock(START + 900 * HOUR)
    async with running(settings, clock) as collector:
        await collector.send(*history(20))
    async with running(settings, clock) as collector:
        signalling = collector.service.signalling
        await signalling.start()
        database = collector.service.database
        write = database.write

        async def lost(work: Any) -> Any:
            await write(work)
            if work == signalling.feed.read_past:
                raise ConnectionError

        with monkeypatch.context() as broken:
            broken.setattr(database, "write", lost)
            with pytest.raises(ConnectionError):
                await signalling.turn()
        await signalling.turn()
        kept = accounted(collector)
        assert kept[2].sum() > 0
        for one, other in zip(kept, await accounted_again(collector), strict=True):
            assert np.array_equal(one, other)


async def test_an_intake_whose_commit_was_not_acknowledged_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stored, nobody knows, and it comes again as duplicates: the account is begun anew from what is stored."""
    settings = live.settings(tmp_path, signals_seconds=FAR)
    async with running(settings, live.Clock(START + timedelta(days=3))) as collector:
        signalling, database = collector.service.signalling, collector.service.database
        await signalling.turn()
        await collector.send(*whole_order("a"))
        write = database.write

        async def unheard(work: Any) -> None:
            await write(work)
            raise ConnectionError("the commit was not acknowledged")

        with monkeypatch.context() as patched:
            patched.setattr(database, "write", unheard)
            with pytest.raises(ConnectionError):
                await collector.send(*whole_order("b"))
        await collector.send(*whole_order("b"))
        await signalling.turn()
        assert accounted(collector)[2].sum() == 2 * 4
        kept, anew = accounted(collector), await accounted_again(collector)
        assert all((one == other).all() for one, other in zip(kept, anew, strict=True))


async def test_a_far_future_event_costs_nothing_turn_after_turn(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path, signals_seconds=FAR), Clock(START + HOUR)) as collector:
        signalling = collector.service.signalling
        await collector.send(event("far", "NEW", 7_000 * 8_766))
        for step in range(20):
            await collector.send(event("far", "PAID", step / 100))
            await signalling.turn()
        assert sum(len(visits) for visits in signalling.account._ahead.values()) < 10  # noqa: SLF001 - what waits


async def test_a_value_as_long_as_a_book_is_no_label(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path, signals_seconds=FAR), Clock(START + HOUR)) as collector:
        await collector.send(event("a", "NEW", 0, channel="x" * 200_000))
        await collector.service.signalling.turn()
        assert len((await collector.client.get("/metrics")).content) < 100_000


async def test_a_clock_ahead_does_not_hide_silence_from_a_new_process(tmp_path: Path) -> None:
    settings, clock = live.settings(tmp_path, signals_seconds=FAR), Clock(START + HOUR)
    for _ in range(2):
        async with running(settings, clock) as collector:
            await collector.send(event("a", "NEW", 9_000))
            told = await collector.metrics()
            assert told['touchstone_last_event_timestamp_seconds{source="/shop"}'] == clock.now.timestamp()


async def test_a_scrape_shows_the_last_count_where_a_new_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(live.settings(tmp_path, signals_seconds=FAR), Clock(START + HOUR)) as collector:
        await collector.send(event("a", "NEW", 0))
        await collector.metrics()

        async def failing() -> reports.Picture:
            raise TouchstoneError("the database has gone")

        monkeypatch.setattr(collector.service.reports, "picture", failing)
        assert (await collector.metrics())["touchstone_promise_open_orders"] == 1
