"""What the flow learns of where orders go and how fast: by hand where that is possible, else by drawn histories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.signals.flights import ENDED, WITHDRAWN, Visits
from collectors.signals.learning import Flow, learn_flow
from collectors.signals.stays import WEEK_US
from collectors.timelines.measuring import NEVER
from tests.unit.test_chances import flow
from tests.unit.test_chances_learning import BOOK, CUSTOMER, DAY_US, MAKING, PACKING, PAYMENT, T0, many_visits

if TYPE_CHECKING:
    from collectors.signals.stays import StayLaw

NOW = T0 + 60 * WEEK_US
STATES = 2 * len(BOOK.stages)
END, GONE = STATES, STATES + 1


def visits(*rows: tuple[int, int, bool, int, int]) -> Visits:
    """Return visits of (order, stage, again, then, days ago that it was left), each of a day."""
    order, stage, again, then, ago = (np.array(column) for column in zip(*rows, strict=True))
    left = NOW - ago * DAY_US
    return Visits(
        order=order,
        stage=stage,
        again=again.astype(np.bool_),
        entered=left - DAY_US,
        left=left,
        then=then,
        promised=left,
        values=np.full((len(order), 1), -1),
    )


def leads(*rows: tuple[int, int, bool, int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return learn_flow(visits(*rows), BOOK, NOW).leads


def test_what_happened_eight_weeks_ago_counts_half() -> None:
    found = leads((0, PAYMENT, False, WITHDRAWN, 56), (1, PAYMENT, False, ENDED, 0))
    assert found[0, [GONE, END]] == pytest.approx([1 / 3, 2 / 3])


def test_the_first_stage_may_come_second() -> None:
    found = leads((0, MAKING, False, PAYMENT, 0), (0, PAYMENT, False, ENDED, 0), (1, MAKING, False, ENDED, 0))
    assert found[2 * MAKING, [2 * PAYMENT, END]] == pytest.approx([0.5, 0.5])


def test_a_visit_whose_next_one_is_unknown_leads_nowhere_and_least_of_all_to_another_order() -> None:
    """Order 0 went on, but its next visit is not at hand; the row after it is another order's."""
    found = leads((0, PAYMENT, False, MAKING, 0), (1, CUSTOMER, False, ENDED, 0), (2, MAKING, False, PACKING, 0))
    assert found[2 * PAYMENT, 2 * MAKING] == 1.0  # by the promise file
    assert found[2 * MAKING, 2 * PACKING] == 1.0


def test_later_visits_go_their_own_way_once_one_was_seen_and_else_that_of_first_visits_too() -> None:
    first = [(order, PAYMENT, False, WITHDRAWN, 0) for order in range(3)]
    assert leads(*first, (9, PAYMENT, True, ENDED, 0))[1, [END, GONE]] == pytest.approx([1.0, 0.0])
    half = leads(*first, (9, PAYMENT, True, ENDED, 56))
    assert half[1, [END, GONE]] == pytest.approx([0.5 / 3.5, 3 / 3.5])
    assert half[0, GONE] == 1.0
    assert leads(*first)[1, GONE] == 1.0
    two = leads(*first, (8, PAYMENT, True, ENDED, 0), (9, PAYMENT, True, ENDED, 0))
    assert two[1, END] == 1.0


def mean_h(law: StayLaw) -> float:
    """Return the age at which the cumulative hazard of an exponential law is 1."""
    return float(np.interp(1.0, law.hazard, law.age))


def test_without_any_past_a_stay_takes_half_of_its_budget_or_an_hour() -> None:
    """Payment has a budget of one hour, making of three; the customer's turn has none."""
    laws = learn_flow(Visits.none(1), BOOK, NOW).laws
    for stage, hours in ((PAYMENT, 0.5), (MAKING, 1.5), (CUSTOMER, 1.0)):
        assert [mean_h(law) for law in laws[2 * stage : 2 * stage + 2]] == pytest.approx([hours, hours])


def test_a_table_of_paces_has_a_column_for_each_value_and_one_for_none() -> None:
    some = replace(many_visits(np.full(30, 2.0)), values=(np.arange(30) % 4)[:, np.newaxis])
    assert learn_flow(some, BOOK, int(some.entered[-1])).segment_pace[0].shape == (len(BOOK.stages), 5)
    assert learn_flow(Visits.none(1), BOOK, NOW).segment_pace[0].shape == (len(BOOK.stages), 1)


def test_an_order_goes_at_the_pace_of_its_stage_times_those_of_its_values() -> None:
    tables = (np.array([[2.0, 3.0, 1.0], [0.5, 0.25, 1.0]]), np.array([[7.0, 1.0], [11.0, 1.0]]))
    stages = flow(*[many_law()] * 2)
    model: Flow = replace(stages, pace=np.array([1.5, 0.8]), segment_pace=tables)
    found = model.paces(np.array([[0, 0], [1, -1], [-1, 0], [9, 4]]))
    said = [[2 * 7, 0.5 * 11], [3, 0.25], [7, 11], [1, 1]]
    assert found == pytest.approx(np.array(said) * np.array([1.5, 0.8]))
    assert replace(model, segment_pace=()).paces(np.zeros((3, 0), dtype=np.int64)).tolist() == [[1.5, 0.8]] * 3


def many_law() -> StayLaw:
    return learn_flow(Visits.none(1), BOOK, NOW).laws[0]


def drawn(scale: np.ndarray[tuple[int], np.dtype[np.float64]], every_h: float = 1.0, mean_h: float = 10.0) -> Visits:
    """Return a history of exponential stays, each as many times longer as ``scale`` says."""
    return many_visits(np.random.default_rng(7).exponential(mean_h, len(scale)) * scale, every_h)


def learnt(history: Visits) -> Flow:
    return learn_flow(history, BOOK, int(history.entered[-1]))


def test_two_attributes_slow_an_order_each_by_its_own_share() -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2, (8_000, 2))
    history = replace(drawn(2.0 ** values[:, 0] * 3.0 ** values[:, 1], 0.3), values=values)
    tables = learnt(history).segment_pace
    assert tables[0][0, 1] / tables[0][0, 0] == pytest.approx(2.0, rel=0.08)
    assert tables[1][0, 1] / tables[1][0, 0] == pytest.approx(3.0, rel=0.08)


def test_the_present_pace_is_that_of_the_last_three_weeks() -> None:
    """Slow until 22 days ago, and since then as ever; or slow for nineteen days, and for four days as ever."""
    ago_d = (4_000 - np.arange(4_000)) / 24
    past = learnt(drawn(np.where((ago_d < 60) & (ago_d > 22), 3.0, 1.0)))
    recent = learnt(drawn(np.where((ago_d < 23) & (ago_d > 4), 3.0, 1.0)))
    never = learnt(drawn(np.ones(4_000)))
    assert past.pace[0] < 1.05 * never.pace[0]
    assert recent.pace[0] > 1.8 * never.pace[0]


def test_no_stage_is_taken_to_be_more_than_eight_times_slower() -> None:
    """Nobody has left for nineteen days: eight times, believed by the departures of three weeks and sixteen."""
    history = drawn(np.where(np.arange(4_000) < 4_000 - 19 * 24, 1.0, 1e6), mean_h=2.0)
    now = int(history.entered[-1])
    lately = np.count_nonzero((history.left > now - 21 * DAY_US) & (history.left != NEVER))
    assert 40 < lately < 60
    assert learnt(history).pace[0] == pytest.approx(8.0 ** (lately / (lately + 16)), rel=1e-3)


def test_a_month_of_slow_segments_is_no_slower_stage() -> None:
    """For a month only the slow half of the orders comes: each takes as long as such orders always did."""
    rng = np.random.default_rng(9)
    values = np.where(np.arange(6_000) < 5_400, rng.integers(0, 2, 6_000), 1)
    history = replace(drawn(3.0**values), values=values[:, np.newaxis])
    assert learnt(history).pace[0] == pytest.approx(1.0, abs=0.12)


def test_later_visits_have_a_law_of_their_own() -> None:
    again = np.arange(4_000) % 2 == 1
    history = replace(drawn(np.where(again, 0.25, 1.0)), again=again)
    found = learnt(history)
    first, later = (law.staying(np.array([5.0]))[0] for law in found.laws[:2])
    assert first == pytest.approx(np.exp(-0.5), abs=0.04)
    assert later == pytest.approx(np.exp(-2.0), abs=0.04)
    assert found.pace[0] == pytest.approx(1.0, abs=0.1)
