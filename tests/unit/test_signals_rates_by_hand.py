"""The rates where they can be worked out by hand: hours that are all alike, so that nothing but the evidence draws.

Of orders inside for less than an hour (bins 0 and 1) as many leave as their time says; of older ones each leaves once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collectors.signals.ledger import AGES, WEEK_H
from collectors.signals.rates import AHEAD, Flow, Rates, _shrunk, fit_rates, free, held, leaving

DRAWN = 10.0  # departures by which a factor is drawn towards what is expected without it


def alike(inside: list[dict[int, float]], left: list[dict[int, int]], hours: int = 2 * WEEK_H, ahead: int = 0) -> Flow:
    """Return the flow of a stage whose hours are all alike: per segment, order hours and departures by age's bin."""
    shape = (1, len(inside), AGES, hours)
    exposed, departures = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    for segment, (there, gone) in enumerate(zip(inside, left, strict=True)):
        for age, value in there.items():
            exposed[0, segment, age] = value
        for age, count in gone.items():
            departures[0, segment, age] = count
    spent, slot = exposed.sum(axis=2), np.arange(hours) % WEEK_H
    there = np.ceil(spent).astype(np.int64)
    return Flow(exposed, exposed[:, 0], departures, spent, np.full((1, hours), ahead), slot, there)


def test_where_all_hours_are_alike_the_rate_is_departures_over_order_hours() -> None:
    rates = fit_rates(alike([{1: 50.0}], [{1: 3}]))
    assert rates.age[0, 0, 1] == pytest.approx(3 / 50)
    assert rates.slot[0, 0] == pytest.approx(np.ones(WEEK_H))
    assert rates.ahead[0] == pytest.approx(np.ones(AHEAD))
    assert np.isinf(rates.capacity[0])
    assert np.isinf(rates.full[0])


def test_of_those_there_when_an_hour_begins_each_leaves_once() -> None:
    """At a rate r, 1 - exp(-r) of them: where thirty of fifty leave, the rate is -ln 0.4 and not 0.6."""
    one = alike([{5: 50.0}], [{5: 30}])
    rates = fit_rates(one)
    assert rates.age[0, 0, 5] == pytest.approx(-np.log(0.4), rel=1e-3)
    assert rates.expected(one)[0, 0] == pytest.approx(np.full(2 * WEEK_H, 30.0), rel=1e-3)


def test_the_departures_of_the_young_follow_time_and_those_of_the_old_never_exceed_who_is_there() -> None:
    age, inside = np.full(AGES, 2.0), np.full((AGES, 2), 3.0)
    found = leaving(age, inside, np.array([0.5, 10.0]))
    assert found[:2] == pytest.approx(np.array([[3.0, 60.0]] * 2))
    assert found[2:] == pytest.approx(np.array([[3 * (1 - np.exp(-1)), 3.0]] * (AGES - 2)))


def test_ages_are_drawn_towards_the_mean_by_a_departure() -> None:
    """Of two ages in 336 hours: 336 and 672 departures of 10 and 5 orders; the mean is three of fifteen."""
    rates = fit_rates(alike([{0: 10.0, 1: 5.0}], [{0: 1, 1: 2}]))
    mean = 3 / 15
    drawn = np.array([(336 + 1) / (3_360 + 1 / mean), (672 + 1) / (1_680 + 1 / mean)])
    level = 3 / (10 * drawn[0] + 5 * drawn[1])  # so that as many are expected as were seen
    assert rates.age[0, 0, :2] == pytest.approx(level * drawn, rel=1e-6)


@pytest.mark.parametrize(("there", "known"), [(3.06, False), (3.08, True)])
def test_an_age_is_known_from_ten_departures_on_that_the_mean_would_have(there: float, known: bool) -> None:  # noqa: FBT001 - a case
    """Of 336 in all; of 103.067 orders, 3.067 would have ten. Nobody of it left; unknown, it is like the one before."""
    age = fit_rates(alike([{0: 100.0, 1: there}], [{0: 1}], hours=336)).age[0, 0]
    assert (age[1] == age[0]) != known
    assert (age[2:] == age[1]).all()


def test_a_segment_is_drawn_towards_all_in_its_level_and_then_in_each_age() -> None:
    """All leave at 0.1 an hour; a segment of two orders at half of that in one age, and not at all in the other."""
    hours = 2 * WEEK_H
    exposed, departures = np.zeros((1, 2, AGES, hours)), np.zeros((1, 2, AGES, hours), dtype=np.int64)
    exposed[0, 0, [0, 1]], departures[0, 0, [0, 1]] = 20.0, 2
    exposed[0, 1, [0, 1]] = 1.0
    departures[0, 1, 0, ::20] = 1
    flow = Flow(
        exposed,
        exposed[:, 0],
        departures,
        exposed.sum(axis=2),
        np.zeros((1, hours), dtype=np.int64),
        np.arange(hours) % WEEK_H,
        np.full((1, 2, hours), 40),
    )
    rates = fit_rates(flow)
    assert rates.age[0, 0, :2] == pytest.approx([0.1, 0.1])
    seen = np.array([17.0, 0.0])
    level = (17 + DRAWN) / (67.2 + DRAWN)
    own = 0.1 * level * (seen + DRAWN) / (33.6 * level + DRAWN)
    assert rates.age[0, 1, :2] == pytest.approx(own, rel=1e-6)


def test_what_chance_explains_is_drawn_to_1_and_what_it_does_not_is_believed() -> None:
    """Scatter beyond chance, over the square of what was expected, is the variance; by one over it is drawn, by hand.

    Four hundred expected twice, three and five hundred seen: 20,000 less 800 less a root of 640,000 of 320,000.
    """
    found = _shrunk(np.array([300.0, 500.0]), np.array([400.0, 400.0]))
    drawn = 320_000 / (20_000 - 800 - 800)
    assert found == pytest.approx([(300 + drawn) / (400 + drawn), (500 + drawn) / (400 + drawn)])
    even = _shrunk(np.array([90.0, 110.0]), np.array([100.0, 100.0]))
    assert even == pytest.approx([(90 + 1e4) / (100 + 1e4), (110 + 1e4) / (100 + 1e4)])
    assert _shrunk(np.array([10.0]), np.array([1.0])) == pytest.approx([10.5 / 1.5])
    assert _shrunk(np.zeros(2), np.zeros(2)).tolist() == [1.0, 1.0]


def test_an_hour_in_which_nobody_leaves_is_told_from_the_others() -> None:
    """Ten weeks of a hundred departures an hour, but in one hour of Wednesday nobody ever left; others are as ever."""
    flow = alike([{1: 1_000.0}], [{1: 100}], 10 * WEEK_H)
    quiet = 2 * 24 + 14
    flow.departures[0, 0, 1, flow.slot == quiet] = 0
    rates = fit_rates(flow)
    expected = rates.expected(flow)[0, 0]
    assert (expected[flow.slot == quiet] < 25).all()
    assert expected[flow.slot != quiet] == pytest.approx(np.full(10 * WEEK_H - 10, 100.0), rel=0.03)


def test_a_closed_day_and_a_closed_hour_of_all_days_are_told_apart() -> None:
    """Nobody leaves on Sundays, nor at noon: each is as closed where they meet, and all else is as open."""
    flow = alike([{1: 1_000.0}], [{1: 100}], 4 * WEEK_H)
    shut = (flow.slot >= 6 * 24) | (flow.slot % 24 == 12)
    flow.departures[0, 0, 1, shut] = 0
    expected = fit_rates(flow).expected(flow)[0, 0]
    assert (expected[shut] < 1).all()
    assert expected[~shut] == pytest.approx(np.full(np.count_nonzero(~shut), 100.0), rel=0.01)


def test_a_load_gets_through_but_for_what_a_capacity_cuts_off() -> None:
    """A root of a half of it at the capacity itself; far beyond, the capacity; and all of it where there is none."""
    load = np.array([0.0, 1e-3, 3.0, 3e6])
    assert free(load, 3.0) == pytest.approx([1.0, 1.0, 0.5**0.5, 1e-6], rel=1e-6)
    assert free(np.array([4.0]), 3.0) * 4 == pytest.approx([12 / 5])
    assert free(load, np.inf).tolist() == [1.0] * 4


def test_a_segment_of_half_of_the_orders_leaves_as_they_all_do_whoever_is_ahead() -> None:
    """Twenty an hour leave with nobody ahead, ten with one; of the segment half as many."""
    hours = 2 * WEEK_H
    flow = alike([{1: 20.0}, {1: 10.0}], [{1: 20}, {1: 10}], hours)
    half = np.arange(hours) // 24 % 2 == 0
    flow.ahead[0, ~half] = 1
    flow.departures[0, :, 1] = np.where(half, [[20], [10]], [[10], [5]])
    age = fit_rates(flow).age[0, :, 1]
    assert age[1] == pytest.approx(age[0], rel=2e-3)


def test_a_queue_is_held_by_all_of_the_work_after_it_not_by_that_on_a_segment() -> None:
    """All hands are busy with 2.0 an hour: of ten that would leave the queue, and of its segment's four, 24 % do."""
    age = np.zeros((2, 2, AGES))
    age[0, :, 1], age[1, :, 1] = 1.0, 1.0
    exposed = np.zeros((2, 2, AGES, 2))
    exposed[0, 0, 1], exposed[0, 1, 1], exposed[1, 0, 1], exposed[1, 1, 1] = 10.0, 4.0, 2.0, 1.5
    plain = np.ones((2, AHEAD)), np.full((2, AHEAD - 1), np.inf)
    rates = Rates(age, np.ones((2, 2, WEEK_H)), *plain, np.array([3.0, np.inf]), np.full(2, np.inf))
    ahead = np.array([[2, 3], [0, 0]])
    spent, there = exposed.sum(axis=2), np.full((2, 2, 2), 10)
    flow = Flow(exposed, exposed[:, 0], exposed.astype(np.int64), spent, ahead, np.array([0, 1]), there, ((0, 1),))
    found = rates.expected(flow)
    assert found[0] == pytest.approx(np.array([[10.0, 2.4], [4.0, 0.96]]))
    assert found[1] == pytest.approx(np.array([[2.0, 2.0], [1.5, 1.5]]))


def test_while_all_hands_are_busy_a_fifth_more_leave_a_queue_than_work_is_done() -> None:
    expected, served = np.array([10.0, 10.0, 10.0, 2.4, 2.5]), np.full(5, 2.0)
    blocked = np.array([True, False, True, True, True])
    assert held(expected, served, blocked) * expected == pytest.approx([2.4, 10.0, 2.4, 2.4, 2.4])
    assert held(np.array([1.0]), np.array([2.0]), np.array([True])).tolist() == [1.0]


def test_everybody_ahead_is_busy_at_the_most_there_is_if_a_tenth_of_the_hours_have_it() -> None:
    for often, full in ((34, 3.0), (33, np.inf)):
        flow = alike([{1: 10.0}], [{1: 1}])
        flow.ahead[0] = 1
        flow.ahead[0, :often] = 3
        assert fit_rates(flow).full.tolist() == [full]
    assert fit_rates(alike([{1: 10.0}], [{1: 1}], ahead=0)).full.tolist() == [np.inf]
    assert fit_rates(alike([{1: 10.0}], [{1: 1}], ahead=1)).full.tolist() == [1.0]


def test_strata_of_the_work_ahead_part_the_departures_into_fifths() -> None:
    """Ten numbers ahead, equally often and as many departures with each: edges between each two of them."""
    flow = alike([{1: 10.0}], [{1: 1}], hours=10 * WEEK_H)
    flow.ahead[0] = np.arange(10 * WEEK_H) % 10
    assert fit_rates(flow).edges[0].tolist() == [1, 3, 5, 7]


def test_strata_are_told_apart_by_departures_drawn_by_ten_and_never_rise() -> None:
    """Twenty an hour leave with nobody ahead, ten with one: of 168 hours each, against fifteen in the mean."""
    hours = 2 * WEEK_H
    flow = alike([{1: 10.0}], [{1: 10}], hours)
    half = np.arange(hours) // 24 % 2 == 0
    flow.ahead[0, ~half] = 1
    for many, falls in ((half, True), (~half, False)):
        flow.departures[0, 0, 1] = np.where(many, 20, 10)
        rates = fit_rates(flow)
        steps = rates.ahead[0][np.searchsorted(rates.edges[0], [0, 1])]
        assert (steps[1] / steps[0] == pytest.approx(0.5, rel=0.02)) == falls
        assert (steps[1] / steps[0] == pytest.approx(1.0, rel=1e-9)) != falls


def test_departures_expected_are_rates_times_who_is_inside_times_the_hour_s_factors() -> None:
    """By hand: two ages, two segments, an hour of a factor of three, a stratum of a half, a capacity."""
    age = np.zeros((1, 2, AGES))
    age[0, 0, [0, 1]], age[0, 1, [0, 1]] = (0.1, 0.2), (0.3, 0.4)
    slot = np.ones((1, 2, WEEK_H))
    slot[0, 0, 5], slot[0, 1, 5] = 3.0, 7.0
    ahead, edges = np.array([[1.0, 0.5, 0.5, 0.5, 0.25]]), np.array([[0.0, 1.0, 1.0, 4.0]])
    rates = Rates(age, slot, ahead, edges, np.array([np.inf]), np.array([3.0]))
    exposed = np.zeros((1, 2, AGES, 3))
    exposed[0, 0, 0], exposed[0, 0, 1], exposed[0, 1, 1] = 20.0, 10.0, 5.0
    began = np.zeros((1, AGES, 3))
    began[0, 0], began[0, 1] = 30.0, 5.0
    spent, ahead, slots = exposed.sum(axis=2), np.array([[0, 1, 9]]), np.array([4, 5, 5])
    flow = Flow(exposed, began, exposed.astype(np.int64), spent, ahead, slots, np.full((1, 2, 3), 30))
    load, through = 4.0, 3 / 5  # a load of four, of 30 and 5 orders at the hour's begin, passes a capacity of three
    assert rates.crowded
    assert not replace(rates, capacity=np.array([np.inf])).crowded
    assert rates.expected(flow)[0, 0] == pytest.approx(load * through * np.array([1, 3 * 0.5, 3 * 0.25]))
    assert rates.expected(flow)[0, 1] == pytest.approx(2.0 * through * np.array([1, 7 * 0.5, 7 * 0.25]))
