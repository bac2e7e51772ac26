"""What a stage would rescue, held against orders played out one by one; and who is named among equals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.signals.culprit_now import culprit_now
from collectors.signals.stays import HOUR_US, StayLaw, exponential
from tests.unit.test_chances import END, flow, orders

if TYPE_CHECKING:
    from collectors.signals.flights import InFlight
    from collectors.signals.learning import Flow

BUDGET_H = 20.0  # of every stage in `flow`
PLAYS = 200_000
FALLING = StayLaw(np.array([0.0, 4.0, 30.0, 60.0]), np.array([0.0, 1.2, 2.4, 12.0]))
HEAVY = StayLaw(np.array([0.0, 10.0, 18.0, 40.0, 80.0]), np.array([0.0, 0.1, 1.0, 2.0, 20.0]))


@dataclass(frozen=True)
class Order:
    """An order in a stage for so long, with so much time left, and time in stages behind it."""

    stage: int
    age_h: float
    slack_h: float
    behind_h: tuple[float, ...] = ()


def in_flight(order: Order, stages: int) -> InFlight:
    flight = orders(order.stage, order.slack_h, age_h=order.age_h, stages=stages)
    for stage, hours in enumerate(order.behind_h):
        flight.inside_us[:, stage] += round(hours * HOUR_US)
    return flight


def played(model: Flow, order: Order, kept: int | None) -> float:
    """Return how often the order is late, played out; ``kept``: the stage whose time over budget is undone."""
    rng = np.random.default_rng(11)
    spent = np.zeros(PLAYS)
    for stage in range(order.stage, model.stages):
        age = order.age_h if stage == order.stage else 0.0
        law = model.laws[2 * stage]
        end = np.interp(law.cumulative(np.array([age])) + rng.exponential(size=PLAYS), law.hazard, law.age)
        stay = end - age
        if stage == kept:
            before = order.behind_h[stage] if stage < len(order.behind_h) else 0.0
            stay -= np.maximum(before + end - BUDGET_H, 0.0)
        if not model.pauses[stage]:
            spent += stay
    if kept is not None and kept < order.stage:
        spent -= max(order.behind_h[kept] - BUDGET_H, 0.0)
    return float(np.mean(spent > order.slack_h))


THREE = (HEAVY, FALLING, exponential(6.0))
CASES = {
    "at the beginning": (THREE, (), Order(0, 0.0, 45.0)),
    "under way": (THREE, (), Order(0, 12.0, 30.0)),
    "over its budget already": (THREE, (), Order(0, 26.0, 9.0)),
    "behind it": (THREE, (), Order(1, 3.0, 6.0, (31.0,))),
    "nearly over": (THREE, (), Order(2, 1.0, 4.0, (24.0, 29.0))),
    "a budget behind it kept": (THREE, (), Order(2, 0.0, 4.0, (12.0, 24.0))),
    "in a pause": ((FALLING, HEAVY, exponential(6.0)), (0,), Order(0, 5.0, 26.0)),
    "before a pause": ((HEAVY, FALLING, exponential(6.0)), (1,), Order(0, 5.0, 24.0)),
}


@pytest.mark.parametrize(("laws", "pauses", "order"), CASES.values(), ids=CASES)
def test_breaks_and_rescues_are_those_of_orders_played_out(
    laws: tuple[StayLaw, ...], pauses: tuple[int, ...], order: Order
) -> None:
    model = flow(*laws, pauses=pauses)
    found = culprit_now(model, in_flight(order, len(laws)))
    actual = played(model, order, None)
    assert found.expected == pytest.approx(actual, abs=0.012)
    for stage in range(len(laws)):
        rescued = 0.0 if stage in pauses else actual - played(model, order, stage)
        assert found.rescued[stage] == pytest.approx(rescued, abs=0.015), stage
    assert found.rescued.min() >= 0.0
    assert found.stage == int(np.argmax(found.rescued))
    assert found.ratio == pytest.approx(found.rescued.max() / actual, abs=0.03)


def test_time_that_a_stage_returns_after_rework_counts_with_what_it_took_before() -> None:
    """Fifteen hours in the stage before, and ten now: over budget by five already, which the deadline gets back."""
    model, order = flow(HEAVY, exponential(3.0)), Order(0, 10.0, 8.0, (15.0,))
    found = culprit_now(model, in_flight(order, 2))
    assert found.rescued[0] == pytest.approx(played(model, order, None) - played(model, order, 0), abs=0.015)


def quick(*times_h: float) -> Flow:
    """Return stages that take exactly so long."""
    return flow(*(StayLaw(np.array([0.0, h, h + 0.01]), np.array([0.0, 1e-12, 700.0])) for h in times_h))


def late_by(overs: list[tuple[float, float]]) -> InFlight:
    """Return orders in the third stage, four hours late by now, after so much time in the first two."""
    flight = orders(2, *[1.0] * len(overs), stages=3)
    flight.inside_us[:, :2] = (np.array(overs) * HOUR_US).astype(np.int64)
    return flight


@pytest.mark.parametrize(
    ("overs", "named"),
    [
        ([(30.0, 40.0)], 1),  # either rescues; the second took longer over its budget
        ([(30.0, 30.0)], 0),  # nothing tells them apart: the first one
        ([(35.0, 19.9), (0.0, 30.0)], 0),  # each rescues one; what is under a budget is no merit
    ],
)
def test_among_stages_that_rescue_as_many_the_one_longest_over_its_budget_is_named(
    overs: list[tuple[float, float]], named: int
) -> None:
    found = culprit_now(quick(1.0, 1.0, 5.0), late_by(overs))
    assert found.rescued[0] == found.rescued[1] == pytest.approx(1.0, abs=1e-6)
    assert found.stage == named


@pytest.mark.parametrize(("share", "named"), [(0.056, 1), (0.045, None)])
def test_a_twentieth_of_an_order_rescued_makes_a_culprit(share: float, named: int | None) -> None:
    rarely = quick(1.0, 30.0)
    rarely.leads[0, 2], rarely.leads[0, END] = share, 1 - share
    found = culprit_now(rarely, orders(0, 25.0))
    assert found.stage == named
    assert found.expected == pytest.approx(share, abs=1e-3)


def test_segments_do_not_change_who_is_to_blame() -> None:
    """All orders are played by the pace of orders without values."""
    model = flow(HEAVY, FALLING)
    paces = replace(model, segment_pace=(np.array([[0.3, 5.0, 1.0], [0.3, 5.0, 1.0]]),))
    some = orders(0, 30.0, 35.0)
    valued = replace(some, values=np.array([[0], [1]]))
    assert culprit_now(paces, valued).rescued == pytest.approx(culprit_now(model, some).rescued)


def test_a_stage_with_a_budget_of_nothing_is_no_culprit() -> None:
    free = replace(quick(1.0, 30.0), budget_us=np.array([20 * HOUR_US, 0]))
    assert culprit_now(free, orders(0, 25.0)).stage is None


def test_a_budget_of_a_microsecond_is_one() -> None:
    strict = replace(quick(1.0, 30.0), budget_us=np.array([20 * HOUR_US, 1]))
    assert culprit_now(strict, orders(0, 25.0)).stage == 1


def test_who_stays_beyond_all_that_the_tables_reach_breaks_his_promise() -> None:
    """No stage has a budget, so they reach little farther than the promise of ten hours; the stay is of years."""
    years = replace(flow(exponential(1e6)), budget_us=np.zeros(1, dtype=np.int64))
    assert culprit_now(years, orders(0, 10.0, stages=1)).expected == pytest.approx(1.0, abs=1e-3)


def test_a_year_lost_in_a_stage_behind_would_have_saved_whatever_comes() -> None:
    """One hour is left for what takes thirty; without the year over budget nothing would be late."""
    flight = orders(1, 1.0)
    flight.inside_us[:, 0] = 8_760 * HOUR_US
    found = culprit_now(flow(exponential(1.0), FALLING), flight)
    assert found.stage == 0
    assert found.rescued[0] == pytest.approx(found.expected, abs=1e-6)
    assert found.expected > 0.7


def broken_where(pattern: list[bool]) -> float:
    """Return the expected breaks of orders of which some are sure to break and the others sure not to."""
    return culprit_now(quick(1.0, 30.0), orders(0, *np.where(pattern, 2.0, 60.0))).expected


def test_up_to_four_thousand_orders_speak_for_themselves_and_of_more_every_second() -> None:
    assert broken_where([False, True] * 2_000) == pytest.approx(2_000, rel=1e-4)
    assert broken_where([True, False] * 2_000 + [True]) == pytest.approx(4_001, rel=1e-4)
    assert broken_where([True, False]) == pytest.approx(1.0, rel=1e-4)
    assert broken_where([False, True]) == pytest.approx(1.0, rel=1e-4)


def test_the_share_is_of_all_whether_all_were_played_or_some() -> None:
    """Twelve thousand orders, of which every third was played."""
    slow = culprit_now(quick(1.0, 30.0), orders(0, *[25.0] * 12_000))
    assert slow.ratio == pytest.approx(1.0, abs=1e-3)
    lost = culprit_now(quick(30.0, 30.0), orders(0, *[2.0] * 12_000))
    assert lost.stage is None
    assert lost.expected == pytest.approx(12_000, rel=1e-3)


def test_where_nothing_is_open_no_break_is_expected() -> None:
    assert culprit_now(quick(1.0, 1.0), orders(0)).expected == 0.0
