"""The tables of chances, held against a walk through the grid moment by moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.signals.passages import Clock, Passage
from collectors.signals.stays import HOUR_US, StayLaw, Week, exponential
from tests.unit.test_chances import NOW, flow

if TYPE_CHECKING:
    from collectors.signals.learning import Flow

POINTS = 12
FAR = 32  # moments of the walk: whoever is not out by then comes late for all of the grid
CLOCK = Clock(NOW, HOUR_US, POINTS)
BUMPY = StayLaw(np.array([0.0, 1.2, 2.0, 5.3]), np.array([0.0, 0.2, 1.9, 2.6]))
EARLY = StayLaw(np.array([0.0, 0.4, 3.0]), np.array([0.0, 0.9, 1.4]))
LATE = StayLaw(np.array([0.0, 3.1, 4.0, 6.0]), np.array([0.0, 0.1, 2.0, 30.0]))


@dataclass(frozen=True, eq=False)
class Walk:
    """Stages one after the other, gone through moment by moment: who leaves half a step around one leaves at it."""

    flow: Flow
    pace: tuple[float, ...]
    capped: int | None = None


@cache
def staying(walk: Walk, stage: int, entered: int, border: float, age: float) -> float:
    """Return the chance to be inside still at a border between two moments."""
    moments = NOW + np.rint(np.array([entered, border]) * HOUR_US).astype(np.int64)
    hours = max(float(np.diff(walk.flow.weeks[stage].elapsed(moments))[0]), 0.0)
    if stage == walk.capped and border - entered >= walk.flow.budget_us[stage] / HOUR_US:
        return 0.0
    spent = walk.flow.laws[2 * stage].cumulative(np.array([age, age + hours]) / walk.pace[stage])
    return float(np.exp(spent[0] - spent[1]))


@cache
def late(walk: Walk, stage: int, entered: int, deadline: int, age: float = 0.0) -> float:
    """Return the chance to end after a deadline; at it counts half."""
    if stage == walk.flow.stages:
        return min(max(entered - deadline + 1, 0), 2) / 2
    if entered > deadline:
        return 1.0
    paused = bool(walk.flow.pauses[stage])
    chance, before = 0.0, 1.0
    for moment in range(entered, FAR + deadline if paused else FAR):
        after = staying(walk, stage, entered, moment + 0.5, age)
        chance += (before - after) * late(walk, stage + 1, moment, deadline + moment - entered if paused else deadline)
        before = after
    return chance + before


def tables(walk: Walk) -> Passage:
    return Passage(walk.flow, np.array(walk.pace), CLOCK, walk.capped)


SHIFTS = Week(np.where(np.arange(168) % 6 < 3, 1.6, 0.4))
WALKS = {
    "one": Walk(flow(BUMPY), (1.0,)),
    "three": Walk(flow(BUMPY, EARLY, LATE), (1.0, 1.7, 0.6)),
    "a pause between": Walk(flow(EARLY, LATE, BUMPY, pauses=(1,)), (1.0, 0.6, 1.3)),
    "a pause at the end": Walk(flow(BUMPY, LATE, pauses=(1,)), (1.2, 0.8)),
    "shifts": Walk(replace(flow(BUMPY, EARLY), weeks=(SHIFTS, SHIFTS)), (1.0, 0.8)),
    "a budget kept": Walk(replace(flow(EARLY, exponential(20.0)), budget_us=np.array([0, 3 * HOUR_US])), (1.0, 1.0), 1),
    "six tenths kept": Walk(
        replace(flow(exponential(9.0), EARLY), budget_us=np.array([13 * HOUR_US // 5, 0])), (1.0, 1.0), 0
    ),
    "one half kept": Walk(
        replace(flow(exponential(9.0), EARLY), budget_us=np.array([5 * HOUR_US // 2, 0])), (1.0, 1.0), 0
    ),
}


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_who_enters_a_stage_is_late_as_often_as_a_walk_through_the_grid_says(walk: Walk) -> None:
    """From every stage, at every moment, for every deadline."""
    found = tables(walk)
    for stage in range(walk.flow.stages):
        if stage == 0 or not walk.flow.pauses[:stage].any():
            said = [[late(walk, stage, k, d) for d in range(POINTS)] for k in range(POINTS)]
            state = found.late[2 * stage] if stage else entered_first(found)
            assert state == pytest.approx(np.array(said), abs=2e-5), stage


def entered_first(passage: Passage) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the table of the first stage, to which no visit leads: as of those who come back to it."""
    again = passage.flow.leads.copy()
    again[-1, :] = 0.0
    again[-1, 0] = 1.0
    looped = replace(passage.flow, leads=again)
    return np.asarray(Passage(looped, passage.pace, passage.clock, passage.capped).late[0])


@pytest.mark.parametrize("name", ["one", "three", "a pause between", "shifts"])
@pytest.mark.parametrize("age", [0.0, 1.7, 4.4])
def test_who_is_inside_is_late_as_often_as_a_walk_through_the_grid_says(name: str, age: float) -> None:
    """At any age, and in the stage that stops the clock too."""
    walk = WALKS[name]
    for stage in range(min(walk.flow.stages, 2)):
        said = [late(walk, stage, 0, deadline, age) for deadline in range(POINTS)]
        assert tables(walk).from_inside(2 * stage, np.array([age]))[0] == pytest.approx(said, abs=2e-5), stage


def test_a_pause_in_shifts_leads_to_the_shift_in_which_it_ends() -> None:
    """A pause of at most four hours: for deadlines of up to seven, all that matters lies on the grid of twelve."""
    brief = StayLaw(np.array([0.0, 1.2, 2.4]), np.array([0.0, 0.5, 60.0]))
    walk = Walk(replace(flow(brief, BUMPY, pauses=(0,)), weeks=(SHIFTS, SHIFTS)), (1.0, 1.0))
    entered = [[late(walk, 0, k, d) for d in range(8)] for k in range(8)]
    assert entered_first(tables(walk))[:8, :8] == pytest.approx(np.array(entered), abs=2e-5)
    inside = [late(walk, 0, 0, deadline, 1.7) for deadline in range(8)]
    assert tables(walk).from_inside(0, np.array([1.7]))[0, :8] == pytest.approx(inside, abs=2e-5)


def test_a_moment_s_departures_are_those_of_half_a_step_before_and_after() -> None:
    """All leave between 2.2 and 2.4 hours: at moment 2. Between 2.6 and 2.8: at moment 3."""
    for begin, moment in ((2.2, 2), (2.6, 3)):
        law = StayLaw(np.array([0.0, begin, begin + 0.2]), np.array([0.0, 1e-9, 40.0]))
        leaving, beyond = Passage(flow(law), np.ones(1), CLOCK).leaving_at(0, np.zeros(1))
        assert leaving[0] == pytest.approx(np.eye(POINTS)[moment], abs=1e-6)
        assert beyond[0, 0] == pytest.approx(0.0, abs=1e-6)


def test_whoever_stays_in_a_pause_for_all_of_the_grid_has_what_was_left_of_the_promise() -> None:
    """The clock stands: four hours are left once the pause ends, and the last stage takes longer in e^-0.4 of cases."""
    paused = flow(exponential(1e7), exponential(10.0), pauses=(0,))
    found = Passage(paused, np.ones(2), CLOCK).from_inside(0, np.array([2.0]))[0]
    assert found[4] == pytest.approx(np.exp(-0.4), abs=2e-3)


def test_whoever_stays_in_a_pause_beyond_the_grid_is_read_where_the_grid_ends() -> None:
    """In shifts it matters when work begins: it does at the last moment, earlier by what the deadline lies beyond."""
    hourly = Week(np.where(np.arange(168) % 2 == 0, 1.6, 0.4))
    walk = Walk(replace(flow(exponential(1e7), LATE, pauses=(0,)), weeks=(hourly, hourly)), (1.0, 1.0))
    said = [late(walk, 1, POINTS - 1 - slack, POINTS - 1) for slack in range(POINTS)]
    assert tables(walk).from_inside(0, np.array([2.0]))[0] == pytest.approx(said, abs=2e-5)
    assert entered_first(tables(walk))[0] == pytest.approx(said, abs=2e-5)


@pytest.mark.parametrize("place", [1, 2])
def test_work_that_comes_back_is_gone_through_until_nothing_moves(place: int) -> None:
    """Three stages, of which the second or last leads back to the first in one case of three: within a thousandth."""
    back = flow(EARLY, BUMPY, EARLY)
    back.leads[2 * place : 2 * place + 2] *= 2 / 3
    back.leads[2 * place : 2 * place + 2, 1] = 1 / 3
    found = Passage(back, np.ones(3), CLOCK)
    over = np.triu(np.ones((POINTS, POINTS)), 1).T + 0.5 * np.eye(POINTS)
    walks = [[left_at(law, k) for k in range(POINTS)] for law in (EARLY, BUMPY, EARLY)]
    stages = [over] * 3
    for _ in range(60):
        onward = [*stages[1:], over]
        onward[place] = onward[place] * 2 / 3 + stages[0] / 3
        stages = [np.array([row @ np.vstack([onward[s], np.ones(POINTS)]) for row in walks[s]]) for s in range(3)]
    for stage, state in enumerate((1, 2, 4)):
        assert found.late[state] == pytest.approx(stages[stage], abs=1.5e-3), stage


def left_at(law: StayLaw, entered: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the chance of leaving at each moment, and last of all of staying beyond the grid."""
    borders = np.maximum(np.arange(POINTS + 1) - 0.5 - entered, 0.0)
    staying = np.exp(-law.cumulative(borders))
    return np.append(staying[:-1] - staying[1:], staying[-1])
