"""Queues made up of known rates, so many orders that chance says nothing: whatever they were made of is found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from collectors.signals.ledger import AGES, WEEK_H
from collectors.signals.rates import (
    AHEAD,
    Flow,
    _by_day,
    _capacity,
    _edges,
    _falling,
    _full,
    _of_ages,
    _worthy,
    fit_rates,
)

HOURS = 10 * WEEK_H
SLOT = np.arange(HOURS) % WEEK_H
MANY = 1e6
YOUNG, AGED = [0, 1], [0, 1, 5, 8]  # those of less than an hour leave as their time says, of more each once


class Made(NamedTuple):
    """A queue: its rates by age, its hours, and how many orders of those ages are there."""

    age: np.ndarray
    pace: np.ndarray
    inside: np.ndarray

    def left(self) -> np.ndarray:
        """Return how many leave, by age and hour."""
        rate = self.age[:, np.newaxis] * self.pace
        leaves = 1 - np.exp(-rate)
        leaves[YOUNG] = rate[YOUNG]
        return np.asarray(np.rint(self.inside * leaves), dtype=np.int64)


def by_age(values: dict[int, float]) -> np.ndarray:
    return np.array([values.get(age, 0.0) for age in range(AGES)])


def crowds(seed: int) -> np.ndarray:
    """Return who is inside [AGES, n]: other crowds each day, of four ages, whose shares differ each hour."""
    rng = np.random.default_rng(seed)
    daily = np.repeat(rng.uniform(0.05, 2.0, HOURS // 24), 24)
    found = np.zeros((AGES, HOURS))
    found[AGED] = MANY * daily * rng.uniform(0.5, 1.5, (4, HOURS))
    return found


def throttled(load: np.ndarray, capacity: float) -> np.ndarray:
    return np.asarray(1 / np.hypot(1, load / capacity))


def flow(*made: Made, ahead: np.ndarray | int = 0) -> Flow:
    """Return the flow of one stage: of all orders, and of segments."""
    exposed = np.stack([one.inside for one in made])[np.newaxis]
    left = np.stack([one.left() for one in made])[np.newaxis]
    spent = exposed.sum(axis=2)
    queue = np.broadcast_to(np.asarray(ahead), (1, HOURS))
    return Flow(exposed, exposed[:, 0], left, spent, queue, SLOT, np.ceil(spent).astype(np.int64))


@pytest.mark.parametrize("times", [0.5, 2.0, np.inf])
def test_ages_hours_crowds_work_ahead_and_a_segment_are_told_apart(times: float) -> None:
    """Old ones leave slower; nights and Sundays are slow; the more work lies ahead the fewer leave; a segment differs.

    To a thousandth; a segment's own hours and ages, which are drawn towards those of all, to a hundredth.
    """
    age, own = by_age({0: 0.08, 1: 0.05, 5: 0.03, 8: 0.02}), by_age({0: 0.02, 1: 0.03, 5: 0.04, 8: 0.05})
    hours = np.where(SLOT % 24 < 8, 0.4, 1.0) * np.where(SLOT >= 6 * 24, 0.5, 1.0)
    mornings = np.where(SLOT % 24 < 12, 1.5, 0.5)
    ahead, held = np.random.default_rng(3).integers(0, AHEAD, HOURS), np.array([1.0, 0.8, 0.7, 0.5, 0.3])
    inside = crowds(4)
    load = age @ inside
    pace = hours * held[ahead] * throttled(load, times * load.mean())
    one = flow(Made(age, pace, inside), Made(own, mornings * pace, inside / 3), ahead=ahead)
    rates = fit_rates(one)
    assert rates.capacity[0] / (rates.age[0, 0] @ inside).mean() == pytest.approx(times)
    assert rates.age[0, 0, AGED] / rates.age[0, 0, 0] == pytest.approx(age[AGED] / age[0], rel=1e-3)
    assert rates.age[0, 1, AGED] / rates.age[0, 1, 0] == pytest.approx(own[AGED] / own[0], rel=1e-2)
    assert rates.edges[0].tolist() == [0, 1, 2, 3]
    assert rates.ahead[0] / rates.ahead[0, 0] == pytest.approx(held, rel=1e-3)
    assert rates.slot[0, 0] / rates.slot[0, 0, 12] == pytest.approx(hours[:WEEK_H], rel=1e-3)
    found, left = rates.expected(one)[0], one.departures[0].sum(axis=1)
    assert found[0] == pytest.approx(left[0], rel=1e-3)
    assert found[1] == pytest.approx(left[1], rel=1e-2)


def bursts() -> np.ndarray:
    """Return a load that is a hundred times as high every 169 hours, at another hour of each week: 62 mean loads."""
    return np.where(np.arange(HOURS) % (WEEK_H + 1) == 7, 100.0, 1.0)


@pytest.mark.parametrize(
    ("load", "times", "found"),
    [
        # From a quarter of the mean load on, each the root of two times the one before.
        (None, 2**-2.5, 2**-2.0),
        (None, 2**-2.0, 2**-2.0),
        (None, 2**-1.5, 2**-1.5),
        (None, 2**0.5, 2**0.5),
        # To 64 of it: one of 128 would cut off a tenth of the highest load there ever is, and nobody would see it.
        (bursts(), 2**4.0, 2**4.0),
        (bursts(), 2**5.5, 2**5.5),
        (bursts(), 2**6.0, 2**6.0),
        (bursts(), 2**7.0, np.inf),
    ],
)
def test_capacities_are_looked_for_from_a_quarter_of_the_mean_load_to_64_times_that(
    load: np.ndarray | None, times: float, found: float
) -> None:
    load = np.random.default_rng(2).uniform(0.02, 2, HOURS) if load is None else load
    inside = np.zeros((AGES, HOURS))
    inside[1] = MANY * load
    rates = fit_rates(flow(Made(by_age({1: 0.1}), throttled(load, times * load.mean()), inside)))
    assert rates.capacity[0] / (rates.age[0, 0] @ inside).mean() == pytest.approx(found)


def capacity(load: list[float], left: list[int]) -> tuple[float, float]:
    """Return the level and the capacity of stretches of twelve hours of such a load, in whose first so many leave."""
    hours = np.repeat(load, 12)
    total = np.zeros(len(hours), dtype=np.int64)
    total[::12] = left
    inside = np.zeros((AGES, len(hours)))
    inside[1] = hours
    return _capacity(by_age({1: 1.0}), inside, hours, np.ones(len(hours)), total, (1.0, np.inf))


def test_a_capacity_must_make_what_was_seen_in_the_hours_of_a_day_e_4_times_as_likely() -> None:
    """Of a load of 1 and of 3 the mean, 2, lets 2 / 5^0.5 and 6 / 13^0.5 through: 0.3496 and 0.6504 of all that leave.

    Not a quarter and three: so each of the 20 that leave in slack hours speaks for it by ln(0.3496 / 0.25) = 0.3353,
    and each of those in busy ones against by ln(0.75 / 0.6504) = 0.1425: 18 leave 4.14, and 19 leave 3.998.
    """
    through = 12 * (2 / 5**0.5 + 6 / 13**0.5)
    assert capacity([1, 3], [20, 18]) == pytest.approx((38 / through, 2 * 38 / through))
    assert capacity([1, 3], [20, 19]) == pytest.approx((39 / 48, np.inf))


def test_or_what_was_seen_in_whole_days_e_12_times_as_likely_though_hours_hide_it() -> None:
    """Days of 0.5 and 1.5 and of 1.5 and 4.5; the mean, 2, lets 0.4851, twice 1.2 and 1.8275 through.

    0.3576 of it on the first day, not a quarter: each of 60 that leave then is for it by ln(0.3576 / 0.25) = 0.3579,
    and each on the second against by ln(0.75 / 0.6424) = 0.1548: 61 leave 12.03, and 62 leave 11.88. But by the hour,
    all in the busy halves of the days, 60 speak for it by ln(0.2546 / 0.1875) = 0.306 and 61 against by 0.372.
    """
    through = 12 * (1 / 4.25**0.5 + 2 * 1.2 + 9 / 24.25**0.5)
    assert capacity([0.5, 1.5, 1.5, 4.5], [0, 60, 0, 61]) == pytest.approx((121 / through, 2 * 121 / through))
    assert capacity([0.5, 1.5, 1.5, 4.5], [0, 60, 0, 62]) == pytest.approx((122 / 96, np.inf))


def test_what_is_worth_as_much_as_is_asked_for_is_worth_it() -> None:
    """Nine is four more than the five of none, and 8.9 is not."""
    assert _worthy([7.0, 9.0, 5.0], 4.0) == 1
    assert _worthy([7.0, 8.9, 5.0], 4.0) == 2


def test_a_day_is_twenty_four_hours_and_the_last_what_is_left() -> None:
    assert _by_day(np.arange(50)).tolist() == [276, 852, 97]


def test_an_age_is_known_from_ten_departures_on_to_the_last_digit() -> None:
    """Of two ages: 16 left in 16 order hours, so the mean is one an hour; 6 and 10 of them, or a bit less than 10."""
    seen, weight = np.array([10, 6]), np.array([6.0, 10.0])
    assert _of_ages(seen, weight).tolist() == [11 / 7, 7 / 11]
    assert _of_ages(seen, weight - [0, 0.01])[1] == _of_ages(seen, weight - [0, 0.01])[0]


def test_strata_of_the_work_ahead_are_taken_together_until_none_lets_more_through_than_the_one_before() -> None:
    """Drawn by ten: 60 of 20, 30 of 20, 90 of 30, 10 of 10, 70 of 20: the last four are 200 of 80."""
    seen, expected = np.array([50.0, 20.0, 80.0, 0.0, 60.0]), np.array([10.0, 10.0, 20.0, 0.0, 10.0])
    assert _falling(seen, expected).tolist() == [3.0, 2.5, 2.5, 2.5, 2.5]
    assert _falling(seen[1:4], expected[1:4]).tolist() == [2.4, 2.4, 1.0]
    assert _falling(seen[[0, 1, 3]], expected[[0, 1, 3]]).tolist() == [3.0, 1.5, 1.0]


def test_strata_part_all_departures_those_of_the_last_hour_too() -> None:
    """Of 1,340 that left, a fifth is 268: the first stratum ends where 268 had left, all others with the last hour."""
    left, ahead = np.ones(341, dtype=np.int64), np.arange(341)
    left[-1] = 1_000
    assert _edges(ahead, left).tolist() == [267, 340, 340, 340]


@pytest.mark.parametrize(("often", "full"), [(168, 3.0), (167, np.inf)])
def test_a_tenth_of_the_hours_with_the_most_ahead_is_enough(often: int, full: float) -> None:
    assert _full(np.where(np.arange(10 * WEEK_H) < often, 3, 1)) == full


def test_rates_of_other_segments_are_refused() -> None:
    """Nothing is made up for a segment that they were not fitted to."""
    inside = crowds(5)
    made = Made(by_age({0: 0.1}), np.ones(HOURS), inside)
    with pytest.raises(ValueError, match="longer"):
        fit_rates(flow(made)).expected(flow(made, made))
