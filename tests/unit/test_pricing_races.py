"""Workers that fail, stop and overtake each other at the worst moment, and clocks that jump."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from pricing.materials import load_materials
from pricing.messages import HEAVY_BYTES, PRICE_CALCULATED, PriceClass
from pricing.sandbox import OverLimit
from pricing.storage import create_store
from pricing.workers import claims, working
from pricing.workers.app import create_app
from pricing.workers.bench import Bench
from pricing.workers.model import HEAVY_TRIANGLES, Measuring, Stage
from tests.workers import Clock, InProcess, ball, running, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from pricing.sandbox import Child
    from pricing.workers.model import Claim

MODEL = ball(12)


async def test_a_failure_of_a_worker_whose_lease_was_lost_counts_for_nothing(tmp_path: Path) -> None:
    """It was stopped for so long that its child seemed to hang; by then another one has the model."""
    clock, over, done = Clock(), asyncio.Event(), asyncio.Event()

    async def hanging() -> None:
        await over.wait()
        raise OverLimit("time")

    first, second = InProcess([hanging]), InProcess([done.wait])
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask(await room.put(MODEL))
        await until(lambda: room.service.bus.received.applied == 1)
        late = asyncio.create_task(room.worker("first", first).turn())
        await until(lambda: len(first.tasks) == 1)
        clock.advance(11)
        turn = asyncio.create_task(room.worker("second", second).turn())
        await until(lambda: len(second.tasks) == 1)
        over.set()
        await late
        done.set()
        await turn
        assert (await room.answer(request)).type == PRICE_CALCULATED


async def test_a_request_for_a_model_that_is_said_to_be_large_is_heavy_from_the_start(tmp_path: Path) -> None:
    async with running(tmp_path, workers=0) as room:
        await room.ask(await room.put(MODEL), queue=PriceClass.HEAVY.queue, model_bytes=HEAVY_BYTES + 1)
        value = room.service.telemetry.registry.get_sample_value
        await until(lambda: value("touchstone_pricing_waiting_requests", {"class": "heavy"}) == 1)
        assert [one["class"] for one in await room.measurings()] == ["heavy"]


@pytest.mark.parametrize("hours", [-24, 24])
async def test_a_clock_that_jumps_holds_nothing_up(tmp_path: Path, hours: int) -> None:
    """One request waits when the clock jumps, and the lease of a worker that died runs."""
    clock, child = Clock(), InProcess()
    async with running(tmp_path, workers=0, clock=clock) as room:
        asked = [await room.ask(await room.put(model)) for model in (MODEL, ball(13))]
        await until(lambda: room.service.bus.received.applied == 2)
        claim = partial(claims.claim, price_class=PriceClass.SHOP, now=room.service.tools.now(), worker="dead")
        assert await room.service.database.write(claim) is not None
        clock.advance(3_600 * hours)
        worker = room.worker("alive", child)
        assert await worker.turn()
        assert await worker.turn()
        for request in asked:
            assert (await room.answer(request)).type == PRICE_CALCULATED


async def test_progress_is_told_after_the_clock_was_set_back(tmp_path: Path) -> None:
    """And never goes backwards."""
    clock = Clock()
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask(await room.put(MODEL))
        await until(lambda: room.service.bus.received.applied == 1)
        (measuring,) = await room.measurings()
        for progress, seconds in ((0.2, -3_600.0), (0.4, 10.0), (0.3, 10.0), (0.5, 10.0)):
            tell = partial(room.service.tools.desk.tell, key=measuring["key"], progress=progress)
            await room.service.database.write(tell)
            clock.advance(seconds)
        await until(lambda: len(room.progress(request)) == 3)
        assert room.progress(request) == [0.2, 0.4, 0.5]


async def test_a_worker_that_is_stopped_while_it_claims_gives_back_what_it_got(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, claim = asyncio.Event(), claims.claim

    async def slowly(connection: AsyncConnection, price_class: PriceClass, now: int, worker: str) -> Claim | None:
        found = await claim(connection, price_class, now, worker)
        taken.set()
        await asyncio.sleep(0.2)
        return found

    monkeypatch.setattr(claims, "claim", slowly)
    async with running(tmp_path, workers=0) as room:
        await room.ask(await room.put(MODEL))
        await until(lambda: room.service.bus.received.applied == 1)
        worker = room.worker("one", InProcess())
        worker.start()
        await taken.wait()
        await worker.stop()
        (left,) = await room.measurings()
        assert (left["turn"], left["worker"]) == (1, None)


async def test_a_worker_that_is_stopped_before_its_work_begins_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks who waits for the answer when it is told to stop."""
    looking = asyncio.Event()

    async def stuck(_connection: AsyncConnection, key: str) -> None:
        assert key
        looking.set()
        await asyncio.Event().wait()

    async with running(tmp_path, workers=0) as room:
        await room.ask(await room.put(MODEL))
        await until(lambda: room.service.bus.received.applied == 1)
        with monkeypatch.context() as patched:
            patched.setattr("pricing.workers.store.unanswered", stuck)
            worker = room.worker("one", InProcess())
            worker.start()
            await looking.wait()
            await worker.stop()
        (left,) = await room.measurings()
        assert (left["turn"], left["worker"]) == (1, None)


async def test_a_worker_that_cannot_give_its_work_back_ends_its_children_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is gone when it is told to stop."""
    child, closed = InProcess([asyncio.Event().wait]), []

    async def close() -> None:
        closed.append(True)

    async def gone(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("the database is gone")

    async with running(tmp_path, workers=0) as room:
        await room.ask(await room.put(MODEL))
        await until(lambda: room.service.bus.received.applied == 1)
        worker = room.worker("one", child)
        worker.start()
        await until(lambda: len(child.tasks) == 1)
        with monkeypatch.context() as patched:
            patched.setattr(child, "close", close)
            patched.setattr(claims, "put_back", gone)
            await worker.stop()
        assert closed


async def test_heavy_work_has_its_share_while_shop_requests_wait_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both get on: shop's customers are served in between, and the heavy model does not wait for the last of them."""
    monkeypatch.setattr(working, "SLICE_S", 0.1)
    steps = [0]

    async def stepping() -> None:
        while steps[0] < 4:
            await asyncio.sleep(0.1)
            steps[0] += not slow.paused

    async def lasting() -> None:
        await asyncio.sleep(0.1)

    slow, quick = InProcess([stepping], told=HEAVY_TRIANGLES + 1), InProcess([lasting] * 80)
    children = [slow, quick]
    async with running(tmp_path, child=partial(children.pop, 0)) as room:
        heavy = await room.ask(await room.put(MODEL))
        await until(lambda: bool(slow.tasks))
        flood = [await room.ask(await room.put(ball(8, 4 + number / 100)), str(number)) for number in range(80)]
        await room.answer(heavy)
        assert len(quick.tasks) < len(flood)
        for request in flood:
            await room.answer(request)


async def test_metrics_lead_to_traces(tmp_path: Path) -> None:
    """Who asks for OpenMetrics gets the trace of a calculation as an exemplar."""
    async with running(tmp_path, workers=0) as room:
        room.service.tools.metrics.calculated(PriceClass.SHOP, 1_000, 0.3, "0af7651916cd43dd8448eb211c80319c")
        wire = httpx.ASGITransport(create_app(room.service.settings, room.service))
        async with httpx.AsyncClient(transport=wire, base_url="http://pricing") as client:
            said = await client.get("/metrics", headers={"accept": "application/openmetrics-text"})
        lines = [line for line in said.text.splitlines() if "# {" in line and "calculation_seconds" in line]
        assert any("0af7651916cd43dd8448eb211c80319c" in line for line in lines), said.text


async def test_what_a_killed_process_left_in_its_folder_is_removed_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    old, new, other = (home / name for name in ("touchstone-pricing-old", "touchstone-pricing-new", "another"))
    for folder in (old, new, other):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"x")
    long_ago = time.time() - 2 * 86_400
    for folder in (old, other):
        os.utime(folder, (long_ago, long_ago))
    monkeypatch.setenv("TOUCHSTONE_PRICING_FOLDER", str(home))
    async with running(tmp_path, child=InProcess):
        await until(lambda: not old.exists())
        assert new.exists()
        assert other.exists()


@pytest.mark.parametrize("times", [1, 3])
async def test_a_worker_that_is_stopped_while_its_folder_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Nobody would remove it before the process ends."""
    making, go_on, made = threading.Event(), threading.Event(), []

    def mkdtemp(*given: Any) -> str:
        making.set()
        go_on.wait()
        made.append(real(*given))
        return made[0]

    real: Callable[..., str] = tempfile.mkdtemp
    bench = Bench(cast("Child", InProcess()), create_store(str(tmp_path / "models")), load_materials(), tmp_path)
    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    one = Measuring("1", "a" * 64, None, PriceClass.SHOP, Stage.PICTURE, asked_at=0)
    stopped = asyncio.create_task(bench.picture(one, (), lambda _: None))
    await asyncio.to_thread(making.wait)
    for _ in range(times):
        stopped.cancel()
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert len(made) == 1
    assert made[0].rpartition("/")[2] not in await asyncio.to_thread(os.listdir, tmp_path)
