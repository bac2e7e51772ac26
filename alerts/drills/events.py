"""Faults of what the collector hears: clocks that run backwards, events that lack, cannot be used or do not come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from alerts.drills.flow import Flow, Watching, began, moved
from alerts.drills.model import Drill, Named

if TYPE_CHECKING:
    from alerts.drills.run import Run

PAST: Final = timedelta()  # since last midnight
BUSY: Final = 2000.0  # orders a day: much happens, and little is in flight
STEP: Final = timedelta(minutes=10)


async def _house(run: Run) -> Flow:
    return await Flow.open(run, await Watching.open(run), began(run, PAST, 1, BUSY))


async def _clock_skew(run: Run) -> None:
    flow = await _house(run)
    await run.steps(3)

    def wrong(event: dict[str, Any]) -> list[dict[str, Any]]:
        """Let one of the MES's two machines have a clock that is a day behind."""
        behind = event["source"] == "/mes" and crc32(event["id"].encode()) % 2
        return [moved(event, timedelta(days=-1)) if behind else event]

    async with run.broken():
        flow.fault = wrong
        await run.steps(8)
        await flow.mend()
    await run.steps(8)


async def _rubbish(run: Run) -> None:
    flow = await _house(run)
    await run.steps(3)

    def wrong(event: dict[str, Any]) -> list[dict[str, Any]]:
        """Let a new release of the MES call a status otherwise."""
        renamed = {**event, "data": {**event["data"], "status": f"{event['data']['status']}_V2"}}
        return [renamed if event["source"] == "/mes" else event]

    async with run.broken():
        flow.fault = wrong
        await run.steps(8)
        await flow.mend()
    await run.steps(8)


DRILLS: Final = (
    Drill(
        "clock-skew",
        "One of the MES's two machines has a clock that is a day behind: its events run backwards.",
        _clock_skew,
        (Named("ClockSkewed"),),
        step=STEP,
        quick=False,
    ),
    Drill(
        "statuses-unknown",
        "A release of the MES calls its statuses otherwise: nobody knows what they mean.",
        _rubbish,
        (Named("QuarantineGrowing"),),
        step=STEP,
        quick=False,
    ),
)
