"""Faults of silence: nothing is heard of any order, or of one system; and a collector that says nothing new."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from alerts.drills.flow import HEALTHY, Flow, Watching, began
from alerts.drills.model import Drill, Named
from collectors.promise.reading import DEFAULT_PROMISE

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.drills.run import Run

BUSY: Final = 150.0  # orders a day: three hours without any are no chance
PAST: Final = timedelta(days=3)
QUARTER: Final = timedelta(minutes=15)
HALF_AN_HOUR: Final = timedelta(minutes=30)
_SOURCES: Final = ("shop", "crm", "mes")
_HOURS: Final = {"weekdays": ["mon", "tue", "wed", "thu", "fri"], "hours": "08:00-18:00"}
NIGHTS: Final = 30.0  # orders a day, of a house so old that it has its reference


async def _in_business_hours(run: Run) -> None:
    flow = await Flow.open(run, await Watching.open(run), began(run, PAST, 4, BUSY))
    await run.steps(3)
    async with run.broken():
        flow.fault = flow.hold
        await run.steps(14)
        await flow.mend()
    await run.steps(3)


def _listening(folder: Path) -> Path:
    """Write a file of systems that are expected to speak."""
    systems = [{"name": name, "source": f"/{name}"} for name in _SOURCES]
    silence = {"after": "2h", "hours": _HOURS}
    path = folder / "systems.yaml"
    path.write_text(json.dumps({"touchstone": 1, "systems": systems, "silence": silence}), encoding="utf-8")
    return path


async def _of_a_source(run: Run) -> None:
    watching = await Watching.open(run, systems=_listening(run.folder))
    flow = await Flow.open(run, watching, began(run, PAST, 4, BUSY))
    await run.steps(3)

    def silent(event: dict[str, Any]) -> list[dict[str, Any]]:
        """Hold back what the MES says."""
        return flow.hold(event) if event["source"] == "/mes" else [event]

    async with run.broken():
        flow.fault = silent
        await run.steps(11)
        await flow.mend()
    await run.steps(3)


def _with_hours(folder: Path) -> Path:
    """Write the house's promise with the hours in which people work: without any, they work day and night."""
    path = folder / "promise.yaml"
    path.write_text(
        f"{DEFAULT_PROMISE.read_text(encoding='utf-8')}\ncalendar: {json.dumps(_HOURS)}\n", encoding="utf-8"
    )
    return path


async def _at_night(run: Run) -> None:
    """Let nothing be heard from when people go home until they come: longer than any silence may be by day."""
    run.clock.now = run.clock.now.replace(hour=15)
    watching = await Watching.open(run, _with_hours(run.folder), systems=_listening(run.folder))
    flow = await Flow.open(run, watching, began(run, timedelta(days=HEALTHY), HEALTHY + 3, NIGHTS))
    await run.last(timedelta(hours=3))
    async with run.broken():
        flow.fault = flow.hold
        await run.last(timedelta(hours=13, minutes=30))
        await flow.mend()
    await run.last(timedelta(hours=2))


async def _stuck(run: Run) -> None:
    watching = await Watching.open(run)
    flow = await Flow.open(run, watching, began(run, timedelta(), 1, 100.0))
    await run.steps(3)
    with closing(sqlite3.connect(run.folder / "collector.db", isolation_level=None)) as other:
        async with run.broken():
            other.execute("BEGIN IMMEDIATE")
            watching.patience_s = 0.05
            run.before.remove(flow.hurry)  # what is told to it waits with its sender
            await run.steps(18)
            other.execute("ROLLBACK")
            watching.patience_s = None
            run.before.insert(0, flow.hurry)
    await run.steps(3)


DRILLS: Final = (
    Drill(
        "silence-in-business-hours",
        "Nothing is heard of any order, though people work.",
        _in_business_hours,
        (Named("NoEvents"),),
        step=QUARTER,
        within=timedelta(hours=4),
        quick=False,
    ),
    Drill(
        "silence-of-a-source",
        "The MES says nothing for hours, though others do.",
        _of_a_source,
        (Named("SourceSilent"),),
        step=QUARTER,
        within=timedelta(hours=3),
        quick=False,
    ),
    Drill(
        "silence-at-night",
        "Nothing is heard of any order from the evening until the morning, when nobody works: nobody is woken.",
        _at_night,
        (),
        also=("ErrorBudgetSpent",),  # this house just keeps its promise: in the end its budget is spent
        silent=("NoEvents", "SourceSilent"),
        calm=True,
        step=HALF_AN_HOUR,
        quick=False,
    ),
    Drill(
        "collector-stuck",
        "Somebody holds the collector's database locked: its loop hangs, and its pages answer.",
        _stuck,
        (Named("SignalsStale"),),
    ),
)
