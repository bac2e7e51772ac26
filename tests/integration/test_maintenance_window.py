"""Maintenance takes the very collector down that knows of it, and the window holds all the same."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from alerts.drills.drilling import drilled
from alerts.drills.flow import ADDRESS, Watching
from alerts.drills.house import HOST
from alerts.drills.model import Drill, Named
from alerts.drills.run import BEGIN, Page
from tests.parts import promtool
from touchstone import drill_parts

if TYPE_CHECKING:
    from alerts.drills.run import Run

DECLARED: Final = 3  # minutes from the beginning
LASTS: Final = 30
AWAY: Final = 20  # of these, the collector
LATE: Final = 40  # how much later than the window's end it is back, where it is late


async def declared(watching: Watching) -> None:
    """Open a window by the collector's own HTTP interface."""
    now = watching.run.clock.now
    window = {"begin": now.isoformat(), "end": (now + timedelta(minutes=LASTS)).isoformat(), "why": "an upgrade"}
    answer = await watching.client.post("/maintenance", json=window)
    assert answer.status_code == 201, answer.text


async def upgraded(run: Run, away: int) -> None:
    """Declare a window, end the collector in it, and start another one on the same database."""
    async with contextlib.AsyncExitStack() as first:
        watching = await Watching.open(replace(run, stack=first))
        await run.steps(DECLARED)
        run.begun = run.clock.now
        await declared(watching)
        await run.steps(5)
        run.before.remove(watching.hurry)
    run.targets["collector", ADDRESS] = Page(await run.client(), f"http://{HOST}:{run.parts.free_port()}/metrics")
    await run.steps(away)
    await Watching.open(run)
    run.mended = run.clock.now
    await run.steps(LASTS)


def minutes_of(episodes: Any) -> list[tuple[float, float | None]]:
    """Return when an alert began and ended to fire, in minutes since the window was declared."""
    begun = BEGIN + timedelta(minutes=DECLARED - 1)

    def minute(moment: Any) -> float | None:
        return None if moment is None else (moment - begun).total_seconds() / 60

    return [(minute(one.firing) or 0.0, minute(one.until)) for one in episodes if one.firing is not None]


def played(away: int) -> Any:
    """Return the episodes of every alert of a house whose collector is away for so many minutes."""
    promtool()

    async def play(run: Run) -> None:
        await upgraded(run, away)

    outcome = drilled(Drill("upgrade", "A new collector.", play, (Named("Maintenance"),)), drill_parts())
    assert outcome.failure is None, outcome.failure
    return outcome.episodes


def test_a_collector_that_is_upgraded_within_the_window_ends_it_for_nobody() -> None:
    """While it is down the alert that mutes others fires on, so that nobody is paged for what is announced."""
    found = played(AWAY)
    assert minutes_of(found["Maintenance"]) == [(1, LASTS)]
    [(begins, ends)] = minutes_of(found["ServiceDown"])
    assert ends is not None
    assert 1 < begins < ends < LASTS


def test_a_collector_that_does_not_come_back_in_time_is_told_of_once_the_window_is_over() -> None:
    """The end that it showed last holds, and nothing beyond it."""
    found = played(LATE)
    assert minutes_of(found["Maintenance"]) == [(1, LASTS)]
    [(_, ends)] = minutes_of(found["ServiceDown"])
    assert ends is not None
    assert ends > LASTS
