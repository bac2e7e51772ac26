"""A house that has been slow since its first day is told so by its budgets, before there is any reference."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

import pytest

from collectors.promise.reading import DEFAULT_PROMISE
from collectors.simulation import Scenario, Slowdown, cloudevents, simulate
from collectors.simulation.scenario import MONDAY
from tests import live
from tests.live import running

if TYPE_CHECKING:
    from pathlib import Path

FAR: Final = 1e9
DAYS: Final = 60


@pytest.mark.parametrize(
    ("slowdowns", "over"),
    [((), set()), ((Slowdown("approval", 0, factor=8.0),), {"approval"})],
    ids=["healthy", "approval is slow"],
)
async def test_without_a_reference_the_budgets_say_which_stage_is_slow(
    tmp_path: Path, slowdowns: tuple[Slowdown, ...], over: set[str]
) -> None:
    promise = DEFAULT_PROMISE.read_text(encoding="utf-8")
    events = cloudevents(simulate(Scenario(DAYS, 8, 3, slowdowns)))
    end = MONDAY + timedelta(days=DAYS)
    known = [message for message in events if datetime.fromisoformat(message["time"]) < end]
    async with running(live.settings(tmp_path, promise=promise, signals_seconds=FAR)) as collector:
        name = 'touchstone_stage_budget_evidence_ratio{segment="all",stage="'
        assert not any(series.startswith(name) for series in await collector.metrics())
        rest = iter(known)
        while some := list(islice(rest, 5_000)):
            await collector.send(*some)
        collector.clock.now = end
        await collector.service.signalling.turn()
        told = await collector.metrics()
        evidence = {series[len(name) : -2]: value for series, value in told.items() if series.startswith(name)}
        assert {stage for stage, value in evidence.items() if value >= 1} == over
        assert evidence.keys() >= {"approval", "manufacturing", "packing"}
        times = 'touchstone_stage_budget_ratio{{segment="all",stage="{}"}}'
        assert all(told[times.format(stage)] >= 1.3 for stage in over)
        assert not any(series.startswith("touchstone_stage_slow_since_") for series in told)
        assert 'touchstone_stage_slowdown_ratio{segment="all",stage="approval"}' not in told
        assert 'touchstone_stage_evidence_ratio{segment="all",stage="approval"}' not in told
        assert told['touchstone_stage_reference_departures{segment="all",stage="approval"}'] == 0
        assert not (await collector.get("/reference"))["in_force"]
