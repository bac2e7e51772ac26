"""The reference of a live collector stays in force for what it knows, and is fitted anew where that is needed."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
import orjson
import pytest
from sqlalchemy import select, update

from collectors.live.signalling.running import CHANGED_REASON
from collectors.live.tables import reference_decisions
from tests import live
from tests.live import PROMISE, START, Clock, Live, accounted, event, running, whole_order

if TYPE_CHECKING:
    from pathlib import Path

HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(weeks=1)
FAR: Final = 1e9
PERIOD_H: Final = 5 * 168
# Same names: packing takes the orders' next status over, which was nobody's.
RECUT: Final = PROMISE.replace("in: [MADE]", "in: [MADE, PACKED]")
SLOWDOWN: Final = 'touchstone_stage_slowdown_ratio{{segment="all",stage="{}"}}'
EVIDENCE: Final = 'touchstone_stage_evidence_ratio{{segment="all",stage="{}"}}'
DEPARTURES: Final = 'touchstone_stage_reference_departures{{segment="all",stage="{}"}}'


def orders(begin: int, count: int, name: str = "o") -> list[Any]:
    """Return orders of two channels, one each third hour, that stay in each stage for one to five hours."""
    made = [
        whole_order(f"{name}{n}", begin=begin + n * 3, step=1 + n % 5, channel="b2b" if n % 3 else "shop")
        for n in range(count)
    ]
    return [message for order in made for message in order]


def old() -> timedelta:
    """Return after how long nothing of the period is counted any more."""
    return 63 * WEEK


async def decided(collector: Live) -> None:
    """Let a reference hold for the first weeks."""
    await collector.send(*orders(0, PERIOD_H // 3))
    period = {"begin": START.isoformat(), "end": (START + PERIOD_H * HOUR).isoformat(), "why": "so it was"}
    answer = await collector.client.post("/reference", json=period)
    assert answer.status_code == httpx.codes.CREATED, answer.text


async def reasons(collector: Live) -> list[str]:
    return [period["why"] for period in (await collector.get("/reference"))["periods"]]


async def recent(collector: Live) -> None:
    """Send four weeks of orders as they ever were, which end now."""
    begin = round((collector.clock.now - START) / HOUR) - 4 * 168
    await collector.send(*orders(begin, 4 * 56, name=f"at{begin}-"))


async def test_an_order_of_a_new_channel_takes_no_reference_away(tmp_path: Path) -> None:
    """Also once the reference is too old to be fitted anew, and in the next process; the others' figures stay."""
    settings, clock = live.settings(tmp_path, signals_seconds=FAR), Clock(START + (PERIOD_H + 24) * HOUR)
    async with running(settings, clock) as collector:
        await decided(collector)
        clock.now = START + old()
        await recent(collector)
        signalling = collector.service.signalling
        await signalling.turn()
        assert signalling.reference is not None
        assert signalling.account.counted_from > signalling.reference.begin
        before = {name: value for name, value in (await collector.metrics()).items() if "_stage_slowdown" in name}
        assert len(before) > 6
        hour = round((clock.now - START) / HOUR) - 1
        await collector.send(event("new", "SENT", hour + 0.5), event("new", "NEW", hour, channel="marketplace"))
        await signalling.turn()
        assert "channel=marketplace" in signalling.account.segments
        # But for the new order itself, which is one of "all".
        after = {name: value for name, value in (await collector.metrics()).items() if "_stage_slowdown" in name}
        assert after == pytest.approx(before, rel=0.02)
    async with running(settings, clock) as collector:
        await collector.service.signalling.turn()
        told = await collector.metrics()
        assert [name for name in before if name not in told] == []
        assert await reasons(collector) == ["so it was"]


async def test_a_new_segment_needs_no_new_fit(tmp_path: Path) -> None:
    """Nor does another name of a stage: the period decided stands, as it was frozen."""
    settings, clock = live.settings(tmp_path, signals_seconds=FAR), Clock(START + (PERIOD_H + 24) * HOUR)
    async with running(settings, clock) as collector:
        await decided(collector)
        frozen = collector.service.signalling.reference
        await collector.send(event("new", "NEW", PERIOD_H + 1, channel="marketplace"))
        await collector.service.signalling.turn()
        now = collector.service.signalling.reference
        assert frozen is not None
        assert now is not None
        assert now.segments == (*frozen.segments, "channel=marketplace")
        assert now.limits[:, :, :-1].tolist() == frozen.limits.tolist()
        assert await reasons(collector) == ["so it was"]
    renamed = live.settings(tmp_path, promise=PROMISE.replace("name: making", "name: crafting"), signals_seconds=FAR)
    async with running(renamed, clock) as collector:
        await collector.service.signalling.turn()
        told = await collector.metrics()
        assert told[DEPARTURES.format("crafting")] == frozen.departures[1, 0]
        assert EVIDENCE.format("crafting") in told
        assert await reasons(collector) == ["so it was"]


@pytest.mark.parametrize(
    "promise", [RECUT, PROMISE.replace("to: SENT", "to: PACKED"), PROMISE + "calendar: {timezone: Asia/Tokyo}\n"]
)
async def test_stages_that_are_measured_otherwise_are_held_against_the_same_weeks_fitted_anew(
    tmp_path: Path, promise: str
) -> None:
    """Though their names are the same. Without it, packing would look several times slower at once."""
    clock = Clock(START + (PERIOD_H + 24) * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await decided(collector)
    clock.now += 8 * WEEK
    async with running(live.settings(tmp_path, promise=promise, signals_seconds=FAR), clock) as collector:
        await recent(collector)
        for _ in range(2):
            await collector.service.signalling.turn()
            assert await reasons(collector) == [CHANGED_REASON, "so it was"]
        told = await collector.metrics()
        assert told[SLOWDOWN.format("packing")] == pytest.approx(1, rel=0.2)
        assert told[EVIDENCE.format("packing")] < 1


async def test_where_no_new_fit_can_be_had_only_what_was_recut_is_judged_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And the queue that waits for it. It is said, once; what the alert of blind stages looks at is zero there."""
    clock = Clock(START + (PERIOD_H + 24) * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await decided(collector)
        known = collector.service.signalling.reference
    assert known is not None
    clock.now = START + old()
    async with running(live.settings(tmp_path, promise=RECUT, signals_seconds=FAR), clock) as collector:
        await recent(collector)
        with caplog.at_level(logging.WARNING, "touchstone.signals"):
            await collector.service.signalling.turn()
            await collector.service.signalling.turn()
        said = [line for line in caplog.messages if "judged as before" in line]
        assert said == [
            "stages that are judged as before: payment, making; without a reference: customer, packing, elsewhere"
        ]
        assert sum("is not counted any more; decide anew" in line for line in caplog.messages) == 1
        told = await collector.metrics()
        for stage, number in (("payment", 0), ("making", 1)):
            assert told[DEPARTURES.format(stage)] == known.departures[number, 0]
            assert told[SLOWDOWN.format(stage)] == pytest.approx(1, rel=0.2)
        assert told[DEPARTURES.format("packing")] == 0
        assert SLOWDOWN.format("packing") not in told
        assert told[EVIDENCE.format("packing")] == 0
        assert (await collector.get("/reference"))["in_force"]


async def test_where_the_promise_has_other_ends_nothing_old_is_judged_by(tmp_path: Path) -> None:
    """Which visits there are hangs on the ends: rates of before say nothing of those of now. A decision helps."""
    clock = Clock(START + (PERIOD_H + 24) * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await decided(collector)
    clock.now = START + old()
    other = live.settings(tmp_path, promise=PROMISE.replace("to: SENT", "to: PACKED"), signals_seconds=FAR)
    async with running(other, clock) as collector:
        await recent(collector)
        await collector.service.signalling.turn()
        assert not (await collector.get("/reference"))["in_force"]
        assert SLOWDOWN.format("payment") not in await collector.metrics()
        period = {"begin": (clock.now - 4 * WEEK).isoformat(), "end": clock.now.isoformat(), "why": "other ends"}
        answer = await collector.client.post("/reference", json=period)
        assert answer.status_code == httpx.codes.CREATED, answer.text


@pytest.mark.parametrize("late", [False, True])
async def test_a_reference_of_before_it_said_what_it_rests_on_goes_on(
    tmp_path: Path,
    late: bool,  # noqa: FBT001 - a case
) -> None:
    """It is fitted anew where that can be had, and is taken by the stages' names where it cannot."""
    settings, clock = live.settings(tmp_path, signals_seconds=FAR), Clock(START + (PERIOD_H + 24) * HOUR)
    async with running(settings, clock) as collector:
        await decided(collector)
        database = collector.service.database
        async with database.reading() as connection:
            document = orjson.loads(await connection.scalar(select(reference_decisions.c.document)) or "")
        assert document.pop("basis")
        text = orjson.dumps(document).decode()
        await database.write(lambda to: to.execute(update(reference_decisions).values(document=text)))
    clock.now += old() if late else 2 * WEEK
    async with running(settings, clock) as collector:
        await recent(collector)
        await collector.service.signalling.turn()
        assert await reasons(collector) == (["so it was"] if late else [CHANGED_REASON, "so it was"])
        assert (await collector.metrics())[SLOWDOWN.format("making")] == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize(("days", "anew"), [(7, False), (8, True), (450, True)])
async def test_a_clock_that_was_far_ahead_for_a_turn_leaves_no_trace(
    tmp_path: Path,
    days: int,
    anew: bool,  # noqa: FBT001 - a case
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was forgotten meanwhile is read again: the stages are judged as if the clock had never been wrong."""
    clock = Clock(START + (PERIOD_H + 24) * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await decided(collector)
        clock.now += 4 * WEEK
        await recent(collector)
        signalling = collector.service.signalling
        await signalling.turn()
        right, kept, told = clock.now, accounted(collector), await collector.metrics()
        clock.now = right + timedelta(days=days)
        await signalling.turn()
        clock.now = right
        with caplog.at_level(logging.WARNING, "touchstone.signals"):
            await signalling.turn()
            await signalling.turn()
        assert sum("has been set right" in line for line in caplog.messages) == anew
        if anew:
            for one, other in zip(accounted(collector), kept, strict=True):
                assert np.array_equal(one, other)
        now = await collector.metrics()
        for stage in ("payment", "making", "packing"):
            assert now[SLOWDOWN.format(stage)] == told[SLOWDOWN.format(stage)]
            assert now[EVIDENCE.format(stage)] == told[EVIDENCE.format(stage)]
