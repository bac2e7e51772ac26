"""What workers do with work: leases, failures, classes, slabs, and one answer whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

from instrumentation.capture import capturing
from pricing.messages import PRICE_CALCULATED, PRICE_REFUSED, PriceClass
from pricing.refusals import RefusalCode
from pricing.sandbox import Child, Crashed, OverLimit, TaskKind
from pricing.storage import Area
from pricing.workers import claims
from pricing.workers import running as running_module
from pricing.workers.model import HEAVY_TRIANGLES
from tests.workers import Clock, InProcess, ball, plate, running, until, worked

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.workers import Room

MODEL = ball(12)


async def heard(room: Room, number: int) -> None:
    """Wait until the service has taken in so many requests."""
    await until(lambda: room.service.bus.received.applied == number)


async def test_two_workers_finish_the_same_and_one_answer_goes_out(tmp_path: Path) -> None:
    """The lease of the first one runs out while it computes, a second one takes over, and both come to an end."""
    clock, gate = Clock(), asyncio.Event()
    first, second = InProcess([gate.wait]), InProcess([gate.wait])
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask(await room.put(MODEL))
        await heard(room, 1)
        turns = [asyncio.create_task(room.worker("first", first).turn())]
        await until(lambda: len(first.tasks) == 1)
        clock.advance(11)
        turns.append(asyncio.create_task(room.worker("second", second).turn()))
        await until(lambda: len(second.tasks) == 1)
        gate.set()
        await asyncio.gather(*turns)
        answer = await room.answer(request)
        await asyncio.sleep(0.3)
        assert room.answers() == [answer]
        (measuring,) = await room.measurings()
        assert (measuring["stage"], measuring["turn"]) == ("done", 2)


async def test_work_of_a_killed_worker_is_taken_up_when_its_lease_is_over(tmp_path: Path) -> None:
    clock, child = Clock(), InProcess()
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask(await room.put(MODEL))
        await heard(room, 1)
        claim = partial(claims.claim, price_class=PriceClass.SHOP, now=room.service.tools.now(), worker="dead")
        assert await room.service.database.write(claim) is not None
        worker = room.worker("alive", child)
        clock.advance(9)
        assert not await worker.turn()
        clock.advance(2)
        assert await worker.turn()
        assert (await room.answer(request)).type == PRICE_CALCULATED


async def test_a_lease_is_kept_for_as_long_as_the_work_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that computes for long renews its lease, so nobody else gets the work."""
    monkeypatch.setattr(running_module, "RENEW_S", 0.0)
    clock, gate = Clock(), asyncio.Event()
    child = InProcess([gate.wait])
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask(await room.put(MODEL))
        await heard(room, 1)
        turn = asyncio.create_task(room.worker("first", child).turn())
        await until(lambda: len(child.tasks) == 1)
        due = [(await room.measurings())[0]["due_at"]]
        for _ in range(3):
            clock.advance(4)
            await asyncio.sleep(0.7)
            due.append((await room.measurings())[0]["due_at"])
            assert not await room.worker("second", InProcess()).turn()
        assert due == sorted(set(due))
        gate.set()
        await turn
        assert (await room.answer(request)).type == PRICE_CALCULATED


async def test_a_model_that_crashes_its_child_three_times_is_given_up(tmp_path: Path) -> None:
    clock, child = Clock(), InProcess([Crashed(signal.SIGSEGV, ""), RuntimeError("a bug"), Crashed(None, "")])
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask(await room.put(MODEL))
        await heard(room, 1)
        answer = await worked(room, clock, child, request)
        assert (answer.type, answer.data["code"], len(child.tasks)) == (PRICE_REFUSED, "failed", 3)
        assert "not your fault" in answer.data["detail"]


async def test_children_killed_from_outside_are_not_the_models_fault(tmp_path: Path) -> None:
    """Ten kills and two crashes of its own leave a model its price."""
    clock = Clock()
    child = InProcess([*[Crashed(signal.SIGKILL, "")] * 10, *[Crashed(None, "")] * 2])
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask(await room.put(MODEL))
        await heard(room, 1)
        assert (await worked(room, clock, child, request)).type == PRICE_CALCULATED


async def test_what_loses_twenty_workers_is_given_up_in_the_end(tmp_path: Path) -> None:
    clock, child = Clock(), InProcess([Crashed(signal.SIGKILL, "") for _ in range(30)])
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask(await room.put(MODEL))
        await heard(room, 1)
        answer = await worked(room, clock, child, request)
        assert (answer.data["code"], len(child.tasks)) == ("failed", 20)


async def test_a_model_over_its_limit_is_refused_in_a_customers_words(tmp_path: Path) -> None:
    child = InProcess([OverLimit("memory")])
    async with running(tmp_path, child=lambda: child) as room:
        model = await room.put(MODEL)
        answer = await room.answer(await room.ask(model))
        assert answer.data["code"] == RefusalCode.TOO_COMPLEX
        assert "fewer triangles" in answer.data["detail"]
        assert await room.models.area(model) is Area.QUARANTINE


async def test_a_model_leaves_quarantine_when_it_is_measured(tmp_path: Path) -> None:
    async with running(tmp_path, child=InProcess) as room:
        model = await room.put(MODEL)
        assert await room.models.area(model) is Area.QUARANTINE
        answer = await room.answer(await room.ask(model))
        assert await room.models.area(model) is Area.HOT
        assert await room.models.area(answer.data["picture"]) is Area.HOT


async def test_a_model_that_is_nowhere_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    clock, child = Clock(), InProcess()
    async with running(tmp_path, workers=0, clock=clock) as room:
        request = await room.ask("ab" * 32)
        await heard(room, 1)
        began = clock.now
        answer = await worked(room, clock, child, request)
        assert answer.data["code"] == "failed"
        assert "cannot find" in answer.data["detail"]
        assert 30 <= (clock.now - began).total_seconds() < 60


async def test_a_model_that_turns_out_heavy_stands_back_while_others_are_served(tmp_path: Path) -> None:
    """It goes on in its child, which is stopped while the shop's next customer is served by the other one."""
    gate = asyncio.Event()
    slow, quick = InProcess([gate.wait], told=HEAVY_TRIANGLES + 1), InProcess()
    stopped: list[bool] = []

    async def look() -> None:
        stopped.append(slow.paused)

    quick.acts.append(look)
    children = [slow, quick]
    async with running(tmp_path, child=partial(children.pop, 0)) as room:
        large = await room.ask(await room.put(MODEL))
        await until(lambda: bool(slow.tasks))
        await class_is(room, PriceClass.HEAVY)
        small = await room.answer(await room.ask(await room.put(ball(13)), "quick"))
        assert small.type == PRICE_CALCULATED
        assert stopped == [True]
        assert room.answers(large) == []
        gate.set()
        assert (await room.answer(large)).type == PRICE_CALCULATED
        assert not slow.paused


async def test_a_second_model_that_turns_out_heavy_waits_for_the_first(tmp_path: Path) -> None:
    """The place of heavy work is taken: it is put back, as heavy, and done after the other one."""
    gate = asyncio.Event()
    both = InProcess([gate.wait, gate.wait], told=HEAVY_TRIANGLES + 1)
    async with running(tmp_path, child=lambda: both) as room:
        asked = []
        for number, model in enumerate((MODEL, ball(13)), 1):
            asked.append(await room.ask(await room.put(model), str(number)))
            await class_is(room, *[PriceClass.HEAVY] * number)
        assert len(both.tasks) == 2
        gate.set()
        assert [(await room.answer(request)).type for request in asked] == [PRICE_CALCULATED] * 2
        assert len(both.tasks) == 3


async def class_is(room: Room, *wanted: PriceClass) -> None:
    """Wait until the measurings are of these classes."""
    for _ in range(500):
        if [one["class"] for one in await room.measurings()] == list(wanted):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await room.measurings())


async def test_other_problems_are_drawn_anew_and_measured_once(tmp_path: Path) -> None:
    """A wall that is thick enough for silver and thin for platinum: the second picture has a mark."""
    child = InProcess()
    async with running(tmp_path, child=lambda: child) as room:
        model = await room.put(plate(0.9))
        silver = await room.answer(await room.ask(model))
        platinum = await room.answer(await room.ask(model, alloy="platinum-950"))
        again = await room.answer(await room.ask(model, alloy="platinum-950", quantity=2))
        assert [task.kind for task in child.tasks] == [TaskKind.MEASURE, TaskKind.PICTURE]
        assert len(child.tasks[1].marks) == 1
        assert (len(silver.data["problems"]), len(platinum.data["problems"])) == (0, 1)
        assert silver.data["picture"] != platinum.data["picture"] == again.data["picture"]


async def test_what_cannot_be_drawn_is_priced_without_a_picture(tmp_path: Path) -> None:
    child = InProcess()
    async with running(tmp_path, child=lambda: child) as room:
        model = await room.put(plate(0.9))
        await room.answer(await room.ask(model))
        child.acts.append(Crashed(None, ""))
        answer = await room.answer(await room.ask(model, alloy="platinum-950"))
        assert answer.type == PRICE_CALCULATED
        assert "picture" not in answer.data
        assert answer.data["problems"]


async def test_progress_is_told_when_work_lasts(tmp_path: Path) -> None:
    async def lasting() -> None:
        await asyncio.sleep(1.7)

    child = InProcess([lasting])
    async with running(tmp_path, child=lambda: child) as room:
        request = await room.ask(await room.put(MODEL))
        await room.answer(request)
        assert len(room.progress(request)) == 1
        quick = await room.ask(await room.put(ball(14)))
        await room.answer(quick)
        assert room.progress(quick) == []


async def test_a_child_that_is_killed_costs_a_second_try_and_changes_no_price(tmp_path: Path) -> None:
    """With real children: the light one is killed while it computes."""
    model = ball(150)
    children: list[Child] = []

    def made() -> Child:
        children.append(Child())
        return children[-1]

    (tmp_path / "calm").mkdir()
    async with running(tmp_path / "calm") as calm:
        expected = await calm.answer(await calm.ask(await calm.put(model)))
    async with running(tmp_path, child=made) as room:
        request = await room.ask(await room.put(model))
        await until(lambda: any(run.measuring.triangles for run in _runs(room)))
        light = room.service.workers[0]._light.child  # noqa: SLF001 - to kill it
        assert light.pid is not None
        os.kill(light.pid, signal.SIGKILL)
        answer = await room.answer(request)
        assert answer.data["amount"] == expected.data["amount"]
        assert answer.data["picture"] == expected.data["picture"]
        (measuring,) = await room.measurings()
        assert measuring["turn"] == 2


def _runs(room: Room) -> list[running_module.Run]:
    return [run for worker in room.service.workers for run in worker._runs]  # noqa: SLF001 - a look inside


async def test_slabs_give_the_price_of_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of five chunks, measured at once and in slabs of two: the same document, and nothing is left over."""
    model = ball(290)  # 335,240 triangles
    (tmp_path / "whole").mkdir()
    async with running(tmp_path / "whole") as whole:
        expected = await whole.answer(await whole.ask(await whole.put(model)))
        (kept,) = await whole.measurings()
    monkeypatch.setattr("pricing.workers.model.SLAB_CHUNKS", 2)
    monkeypatch.setattr(running_module, "SLABBED_TRIANGLES", 131_072)
    async with running(tmp_path, workers=2) as room:
        request = await room.ask(await room.put(model))
        answer = await room.answer(request)
        (measuring,) = await room.measurings()
        assert measuring["result"] == kept["result"]
        assert answer.data["amount"] == expected.data["amount"]
        assert room.progress(request) == sorted(room.progress(request))
        assert room.service.telemetry.registry.get_sample_value("touchstone_pricing_slabs_total") == 3
        # Either of the two may have had the last part, and tidies up once it has answered.
        await until(lambda: all(worker._slow is None for worker in room.service.workers))  # noqa: SLF001 - a look inside
        assert [one async for one in room.models.kept(Area.WORK)] == []


async def test_a_calculation_is_one_trace_with_its_steps_and_one_log_line(tmp_path: Path) -> None:
    """The asker's trace goes on in the span of the calculation; who joined has one that links to it."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    with capturing("pricing") as captured:
        async with running(tmp_path, workers=0) as room:
            room.asker.traceparent = lambda: f"00-{trace}-b7ad6b7169203331-01"
            model = await room.put(ball(24))
            first = await room.ask(model, "first")
            await heard(room, 1)
            room.asker.traceparent = lambda: f"00-{'1' * 32}-b7ad6b7169203331-01"
            second = await room.ask(model, "second")
            await heard(room, 2)
            async with Child() as child:
                assert await room.worker("one", child).turn()  # type: ignore[arg-type] # a real one
            for request in (first, second):
                await room.answer(request)
        calculations = {
            str((span.attributes or {})["order.id"]): span for span in captured.spans if span.name == "price"
        }
        serving, joined = calculations["first"], calculations["second"]
        assert f"{serving.context.trace_id:032x}" == trace
        assert [link.context.span_id for link in joined.links] == [serving.context.span_id]
        steps = [span for span in captured.spans if span.parent and span.parent.span_id == serving.context.span_id]
        assert {"load", "mend", "measure", "picture"} <= {span.name for span in steps}
        assert all(span.start_time and span.end_time and span.start_time <= span.end_time for span in steps)
        (load,) = [span for span in steps if span.name == "load"]
        assert (load.attributes or {})["touchstone.pricing.triangles"] == 4 * 24 * 23
        assert (serving.attributes or {})["touchstone.pricing.triangles"] == 4 * 24 * 23
        (line,) = [line for line in captured.lines_of("first") if line["message"] == "calculated: priced"]
        assert (line["class"], line["triangles"], line["outcome"]) == ("shop", 4 * 24 * 23, "priced")
