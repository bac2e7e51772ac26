"""Maintenance windows: alerts are mute while they last, and nobody is left without alerts by a slip of the pen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from collectors.replay import micros
from tests import live
from tests.live import START, Clock, running, whole_order

if TYPE_CHECKING:
    from pathlib import Path

HOUR: Final = timedelta(hours=1)
FAR: Final = 1e9


async def test_maintenance_is_told_while_it_lasts_and_is_kept(tmp_path: Path) -> None:
    clock = Clock(START)
    settings = live.settings(tmp_path, signals_seconds=FAR)
    async with running(settings, clock) as collector:
        window = {"begin": START.isoformat(), "end": (START + HOUR).isoformat(), "why": "the MES moves"}
        answer = await collector.client.post("/maintenance", json=window)
        assert answer.json()["now"]
        assert (await collector.metrics())["touchstone_maintenance"] == 1
    clock.now += HOUR
    async with running(settings, clock) as collector:
        told = await collector.get("/maintenance")
        assert not told["now"]
        assert [period["why"] for period in told["windows"]] == ["the MES moves"]
        assert (await collector.metrics())["touchstone_maintenance"] == 0
        assert collector.service.signalling.muted == ((micros(START), micros(START + HOUR)),)


@pytest.mark.parametrize(
    ("begin", "end"), [("2026-11-22", "2036-11-22"), ("2126-01-01", "2126-01-09"), ("0002", "0003")]
)
async def test_a_window_that_would_mute_alerts_for_longer_than_a_week_is_refused(
    tmp_path: Path, begin: str, end: str
) -> None:
    """One sentence says what is wrong, where, and what to do; nothing is declared."""
    async with running(live.settings(tmp_path, signals_seconds=FAR)) as collector:
        moments = [f"{day if '-' in day else day + '-01-01'}T10:00:00Z" for day in (begin, end)]
        window = {"begin": moments[0], "end": moments[1], "why": "the MES moves"}
        answer = await collector.client.post("/maintenance", json=window)
        assert answer.status_code == httpx.codes.BAD_REQUEST
        days = {"2026-11-22": "3,653.0", "2126-01-01": "8.0", "0002": "365.0"}[begin]
        assert answer.json()["detail"] == (
            "a maintenance window mutes the alerts, so it may last 7 days at most, and `end` lies "
            f"{days} days after `begin`; check both, or declare several windows, one after the other"
        )
        assert (await collector.get("/maintenance"))["windows"] == []
        week = {**window, "past": True, "end": f"{moments[0][:8]}{int(moments[0][8:10]) + 7:02}T10:00:00Z"}
        answer = await collector.client.post("/maintenance", json=week)
        assert answer.status_code == httpx.codes.CREATED, answer.text


async def test_a_window_in_the_past_must_be_meant(tmp_path: Path) -> None:
    """A month mistyped would take the evidence away; a window that was forgotten yesterday is no mistake."""
    clock = Clock(START + 31 * 24 * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        post = collector.client.post
        window = {"begin": START.isoformat(), "end": (START + HOUR).isoformat(), "why": "the MES moves"}
        answer = await post("/maintenance", json=window)
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert answer.json()["detail"] == (
            "`begin` lies 31.0 days back, and what happens in a window is no evidence of a slow stage; check it, or "
            'send `"past": true` with it if that is meant'
        )
        assert (await collector.get("/maintenance"))["windows"] == []
        assert (await post("/maintenance", json={**window, "past": True})).status_code == httpx.codes.CREATED
        yesterday = {**window, "begin": (clock.now - 24 * HOUR).isoformat(), "end": clock.now.isoformat()}
        assert (await post("/maintenance", json=yesterday)).status_code == httpx.codes.CREATED
        before = {**yesterday, "begin": (clock.now - 24 * HOUR - timedelta(seconds=1)).isoformat()}
        assert (await post("/maintenance", json=before)).status_code == httpx.codes.BAD_REQUEST


async def test_a_window_that_was_declared_by_mistake_is_withdrawn_and_its_hours_count_again(tmp_path: Path) -> None:
    settings, clock = live.settings(tmp_path, signals_seconds=FAR), Clock(START + 898 * HOUR)
    name = 'touchstone_stage_slowdown_ratio{segment="all",stage="payment"}'
    reason = {"why": "declared for the wrong month"}
    async with running(settings, clock) as collector:
        made = [whole_order(f"o{n}", begin=n * 7, step=1 + n % 5) for n in range(124)]
        await collector.send(*(message for order in made for message in order))
        signalling = collector.service.signalling
        await signalling.decide_reference(micros(START), micros(START + 730 * HOUR), "a try")
        await signalling.turn()
        told = (await collector.metrics())[name]
        window = {"begin": (START + 730 * HOUR).isoformat(), "end": (START + 899 * HOUR).isoformat(), "why": "a move"}
        answer = await collector.client.post("/maintenance", json={**window, "past": True})
        assert answer.status_code == httpx.codes.BAD_REQUEST  # an hour too long
        answer = await collector.client.post(
            "/maintenance", json={**window, "begin": (START + 731 * HOUR).isoformat(), "past": True}
        )
        assert answer.json()["now"]
        await signalling.turn()
        muted = await collector.metrics()
        assert muted.get(name) != told
        assert muted["touchstone_maintenance_until_timestamp_seconds"] == (START + 899 * HOUR).timestamp()
        clock.now += 2 * HOUR
        assert (await collector.client.post("/maintenance/1/end")).status_code == httpx.codes.NOT_FOUND
        clock.now -= 2 * HOUR
        answer = await collector.client.post("/maintenance/1/withdraw", json=reason)
        assert answer.status_code == httpx.codes.OK, answer.text
        assert not answer.json()["now"]
        await signalling.turn()
        after = await collector.metrics()
        assert after[name] == told
        assert after["touchstone_maintenance"] == after["touchstone_maintenance_until_timestamp_seconds"] == 0
        for path in ("/maintenance/1/withdraw", "/maintenance/2/withdraw"):
            answer = await collector.client.post(path, json=reason)
            assert answer.status_code == httpx.codes.NOT_FOUND
            assert "not withdrawn yet" in answer.json()["detail"]
        assert (await collector.client.post("/maintenance/1/end")).status_code == httpx.codes.NOT_FOUND
        assert (await collector.client.post("/maintenance/1/withdraw", json={})).status_code == httpx.codes.BAD_REQUEST
    async with running(settings, clock) as collector:
        (kept,) = (await collector.get("/maintenance"))["windows"]
        assert (kept["why"], kept["withdrawn_why"]) == ("a move", "declared for the wrong month")
        assert datetime.fromisoformat(kept["withdrawn_at"]) == clock.now
        assert collector.service.signalling.muted == ()


async def test_until_when_maintenance_lasts_is_told_for_as_long_as_nobody_can_ask(tmp_path: Path) -> None:
    """Prometheus keeps the moment while the collector is down in the window, and it holds beyond the window's end."""
    clock = Clock(START)
    name = "touchstone_maintenance_until_timestamp_seconds"

    async def declare(begin: float, end: float) -> int:
        window = {"begin": (START + begin * HOUR).isoformat(), "end": (START + end * HOUR).isoformat(), "why": "a move"}
        told = (await collector.client.post("/maintenance", json=window)).json()["windows"]
        return max(int(window["number"]) for window in told)

    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        dropped = await declare(50, 60)
        await collector.client.post(f"/maintenance/{dropped}/end")
        assert (await collector.metrics())[name] == 0  # it never was
        await declare(1, 4)
        assert (await collector.metrics())[name] == 0  # it is still to come
        for hours, until in ((1, 4), (3.9, 4), (4, 4), (30, 4)):
            clock.now = START + hours * HOUR
            assert (await collector.metrics())[name] == (START + until * HOUR).timestamp(), hours
        await declare(29, 40)
        within = await declare(30, 35)
        assert (await collector.metrics())[name] == (START + 40 * HOUR).timestamp()
        await collector.client.post(f"/maintenance/{within}/end")
        await collector.client.post(f"/maintenance/{within - 1}/end")
        clock.now = START + 31 * HOUR
        assert (await collector.metrics())[name] == (START + 30 * HOUR).timestamp()


async def test_a_forgotten_window_can_be_ended(tmp_path: Path) -> None:
    clock = Clock(START)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        window = {"begin": START.isoformat(), "end": (START + 90 * HOUR).isoformat(), "why": "the MES moves"}
        told = (await collector.client.post("/maintenance", json=window)).json()
        path = f"/maintenance/{told['windows'][0]['number']}/end"
        clock.now += 2 * HOUR
        assert not (await collector.client.post(path)).json()["now"]
        assert collector.service.signalling.muted == ((micros(START), micros(START + 2 * HOUR)),)
        assert (await collector.client.post(path)).status_code == httpx.codes.NOT_FOUND
        assert (await collector.client.post("/maintenance/99/end")).status_code == httpx.codes.NOT_FOUND
