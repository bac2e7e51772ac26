"""What is kept of a model, when the store loses parts of it, or does not answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pricing.messages import PRICE_CALCULATED, PRICE_REFUSED
from pricing.refusals import RefusalCode
from pricing.sandbox import Crashed, OverLimit, TaskKind
from pricing.storage import Area, StoreUnavailable, create_store
from pricing.workers.model import STANDS_US
from pricing.workers.settings import Settings
from pricing.workers.shelf import Shelf
from tests.workers import Clock, InProcess, ball, plate, running, until, worked

if TYPE_CHECKING:
    from pathlib import Path

    from pricing.storage import ModelStore
    from tests.workers import Room

MODEL = ball(12)


class Failing:
    """A store of which some calls fail the next so many times."""

    def __init__(self, store: ModelStore, **failures: int) -> None:
        self._store, self.failures = store, failures

    def __getattr__(self, name: str) -> Any:
        """Return a call of the store, or one that fails."""
        if self.failures.get(name, 0):
            self.failures[name] -= 1
            return self._fail
        return getattr(self._store, name)

    async def _fail(self, *_: object, **__: object) -> None:
        raise StoreUnavailable("the store is down")


def half(whole: bytes) -> bytes:
    """Return half of an STL's triangles: a surface that is open."""
    count = np.frombuffer(whole[80:84], np.uint32)[0] // 2
    return whole[:80] + int(count).to_bytes(4, "little") + whole[84 : 84 + 50 * int(count)]


async def area_is(room: Room, model: str, wanted: Area) -> None:
    """Wait until a model lies somewhere."""
    end = time.monotonic() + 20
    while await room.models.area(model) is not wanted:
        assert time.monotonic() < end


async def test_a_model_that_was_uploaded_again_leaves_quarantine_when_it_is_priced_from_what_is_kept(
    tmp_path: Path,
) -> None:
    child = InProcess()
    async with running(tmp_path, child=lambda: child) as room:
        model = await room.put(MODEL)
        await room.answer(await room.ask(model))
        await room.models.delete(model)
        await room.put(MODEL)
        assert await room.models.area(model) is Area.QUARANTINE
        await room.answer(await room.ask(model))
        await area_is(room, model, Area.HOT)
        assert len(child.tasks) == 1


async def test_a_store_that_fails_when_a_model_is_admitted_costs_no_answer_and_is_asked_again(tmp_path: Path) -> None:
    store = create_store(str(tmp_path / "m"))
    async with running(tmp_path, child=InProcess, models_store=Failing(store, admit=3)) as room:
        room.service.tools.desk.shelf._pauses_s = (0.1, 0.1, 0.1)  # noqa: SLF001 - minutes are too long for a test
        model = await room.put(MODEL)
        first = await room.answer(await room.ask(model))
        assert first.type == PRICE_CALCULATED
        assert (await room.answer(await room.ask(model))).type == PRICE_CALCULATED
        await area_is(room, model, Area.HOT)
        value = room.service.telemetry.registry.get_sample_value
        labels = {"class": "shop", "size": "small"}
        assert value("touchstone_pricing_calculation_seconds_count", labels) == 1
        (kept,) = await room.measurings()
        assert (kept["stage"], kept["losses"]) == ("done", 0)


async def test_a_picture_that_was_deleted_is_drawn_again(tmp_path: Path) -> None:
    child = InProcess()
    async with running(tmp_path, child=lambda: child) as room:
        model = await room.put(MODEL)
        first = await room.answer(await room.ask(model))
        await room.models.delete(first.data["picture"])
        second = await room.answer(await room.ask(model))
        assert second.data["picture"] == first.data["picture"]
        assert await room.models.exists(second.data["picture"])
        assert [task.kind for task in child.tasks] == [TaskKind.MEASURE, TaskKind.PICTURE]
        assert second.data["amount"] == first.data["amount"]


async def test_the_picture_of_a_refusal_is_drawn_again_with_its_marks(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        model = await room.put(half(ball(24)))
        first = await room.answer(await room.ask(model))
        assert (first.type, first.data["code"]) == (PRICE_REFUSED, RefusalCode.OPEN)
        await room.models.delete(first.data["picture"])
        second = await room.answer(await room.ask(model))
        assert {name: second.data[name] for name in ("code", "detail", "picture")} == {
            name: first.data[name] for name in ("code", "detail", "picture")
        }
        assert await room.models.exists(second.data["picture"])


async def test_a_model_that_is_gone_with_its_picture_is_answered_without_one(tmp_path: Path) -> None:
    """What is known of it is told; once it is there again, so is its picture."""
    child = InProcess()
    async with running(tmp_path, child=lambda: child) as room:
        model = await room.put(MODEL)
        first = await room.answer(await room.ask(model))
        for name in (model, first.data["picture"]):
            await room.models.delete(name)
        without = await room.answer(await room.ask(model))
        assert without.data["amount"] == first.data["amount"]
        assert "picture" not in without.data
        await room.put(MODEL)
        again = await room.answer(await room.ask(model))
        assert await room.models.exists(again.data["picture"])


async def test_a_model_that_goes_before_another_picture_is_drawn_is_priced_without_it_for_now(tmp_path: Path) -> None:
    async with running(tmp_path, child=InProcess) as room:
        model = await room.put(plate(0.9))
        await room.answer(await room.ask(model))
        await room.models.delete(model)
        without = await room.answer(await room.ask(model, alloy="platinum-950"))
        assert without.type == PRICE_CALCULATED
        assert "picture" not in without.data
        await room.put(plate(0.9))
        assert "picture" in (await room.answer(await room.ask(model, alloy="platinum-950"))).data


async def test_a_store_that_does_not_answer_is_believed_to_have_the_picture(tmp_path: Path) -> None:
    """One look at it, then none for a while: many requests do not wait for it one after the other."""
    store = Failing(create_store(str(tmp_path / "m")), exists=10)
    now = [100.0]
    shelf = Shelf(store, lambda: now[0])
    assert [await shelf.gone("ab" * 32) for _ in range(5)] == [False] * 5
    assert store.failures["exists"] == 9
    store.failures.clear()
    now[0] += 31
    assert await shelf.gone("ab" * 32)


async def test_a_picture_that_the_store_would_not_have_does_not_cost_another_measuring(tmp_path: Path) -> None:
    child = InProcess()
    async with running(tmp_path, child=lambda: child, workers=0, models_store=Failing(create_store(str(tmp_path)))) as (
        room
    ):
        model = await room.put(MODEL)
        request = await room.ask(model)
        await until(lambda: room.service.bus.received.applied == 1)
        room.models.failures["put"] = 1  # type: ignore[attr-defined] # Failing
        assert await room.worker("one", child).turn()
        answer = await room.answer(request)
        assert await room.models.exists(answer.data["picture"])
        assert [task.kind for task in child.tasks] == [TaskKind.MEASURE, TaskKind.PICTURE]


async def test_a_measured_model_has_its_price_even_if_its_picture_loses_twenty_workers(tmp_path: Path) -> None:
    clock, child = Clock(), InProcess()
    async with running(tmp_path, workers=0, clock=clock) as room:
        model = await room.put(plate(0.9))
        first = await room.ask(model)
        await until(lambda: room.service.bus.received.applied == 1)
        await worked(room, clock, child, first)
        child.acts += [Crashed(9, "") for _ in range(30)]
        second = await room.ask(model, alloy="platinum-950")
        await until(lambda: room.service.bus.received.applied == 2)
        answer = await worked(room, clock, child, second)
        assert answer.type == PRICE_CALCULATED
        assert "picture" not in answer.data
        assert [one["stage"] for one in await room.measurings()] == ["done"]


@pytest.mark.parametrize("what", ["time", "memory", "output"])
async def test_a_model_that_used_up_its_allowance_is_not_tried_again_for_a_day(tmp_path: Path, what: Any) -> None:
    """Each try costs the whole allowance; and a machine that was busy may have been wrong."""
    clock, child = Clock(), InProcess([OverLimit(what), OverLimit(what)])
    async with running(tmp_path, workers=0, clock=clock) as room:
        model = await room.put(MODEL)
        first = await room.ask(model)
        await until(lambda: room.service.bus.received.applied == 1)
        refused = await worked(room, clock, child, first)
        clock.advance(STANDS_US / 1e6 - 60)
        same = await room.answer(await room.ask(model))
        assert (same.data["code"], same.data["detail"]) == (RefusalCode.TOO_COMPLEX, refused.data["detail"])
        assert len(child.tasks) == 1
        clock.advance(120)
        child.acts.clear()
        again = await room.ask(model)
        await until(lambda: room.service.bus.received.applied == 3)
        assert (await worked(room, clock, child, again)).type == PRICE_CALCULATED


def test_no_terms_for_partners_can_be_said_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTONE_PRICING_PARTNER_TERMS", "")
    assert Settings().partner_terms is None
    monkeypatch.delenv("TOUCHSTONE_PRICING_PARTNER_TERMS")
    assert Settings().partner_terms == "standard"
