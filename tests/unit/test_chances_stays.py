"""Duty hours and laws of stays, held against counting hour by hour and against cases computed by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.signals.stays import EVEN_WEEK, HOUR_US, WEEK_H, StayLaw, Week, exponential, learn_law, learn_week
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

START_H = 2_000 * WEEK_H


def at(*hours: float) -> Ints:
    """Return moments so many hours after a Thursday's 00:00 UTC."""
    return np.asarray(np.rint((START_H + np.array(hours)) * HOUR_US).astype(np.int64))


def test_an_hour_is_an_hour() -> None:
    assert timedelta(microseconds=HOUR_US) == timedelta(hours=1)


def test_duty_hours_add_up_hour_by_hour() -> None:
    weights = np.random.default_rng(1).uniform(0.1, 1.9, WEEK_H)
    week = Week(weights / weights.mean())
    for begin, end in ((0.0, 1.0), (0.25, 0.75), (3.5, 170.25), (100.0, 1_000.5), (167.5, 168.5)):
        quarters = np.arange(begin * 4, end * 4).astype(np.int64)
        counted = float(week.weights[quarters // 4 % WEEK_H].sum()) / 4
        assert week.between(at(begin), at(end))[0] == pytest.approx(counted)
        assert week.between(at(end), at(begin))[0] == 0.0
    assert week.elapsed(np.zeros(1, dtype=np.int64))[0] == 0.0


def counted_week(entered_h: Floats, left_h: Floats, weight: Floats, gone: NDArray[np.bool_]) -> Floats:
    """Return the weights of the hours by counting quarters of an hour, as the docstrings have it.

    Each hour counts four departures more at the pace of its weekday and hour of the day, and these four more at 1.
    """
    departures, inside = np.zeros(WEEK_H), np.zeros(WEEK_H)
    for begin, end, one, left in zip(entered_h, left_h, weight, gone, strict=True):
        if left:
            departures[int(end) % WEEK_H] += one
        for quarter in range(round(begin * 4), round(end * 4)):
            inside[quarter // 4 % WEEK_H] += one / 4
    expected = inside * (departures.sum() / inside.sum())
    hour = np.arange(WEEK_H)
    weights = np.zeros(WEEK_H)
    for place in range(WEEK_H):
        same_day, same_hour = hour // 24 == place // 24, hour % 24 == place % 24
        usual = 1.0
        for alike in (same_day, same_hour):
            usual *= (departures[alike].sum() + 4) / (expected[alike].sum() + 4)
        weights[place] = (departures[place] + 4 * usual) / (expected[place] + 4)
    return np.asarray(weights / weights.mean())


def test_the_weights_of_a_week_are_departures_over_orders_inside() -> None:
    """Stays of minutes, of days, of more than a week and beyond the end of a week; some have not ended."""
    rng = np.random.default_rng(2)
    entered = np.round(rng.uniform(0, 400, 250) * 4) / 4
    left = entered + np.round(rng.choice([1.0, 20.0, 200.0], 250) * rng.uniform(0, 1, 250) * 4) / 4
    weight, gone = rng.uniform(0.2, 1.0, 250), left < 420
    ends = np.where(gone, at(*left), NEVER)
    found = learn_week(at(*entered), ends, weight, int(at(420.0)[0]))
    assert found.weights == pytest.approx(counted_week(entered, np.minimum(left, 420.0), weight, gone), rel=1e-6)


def test_who_has_lain_for_longer_than_ten_years_counts_for_ten() -> None:
    """One order inside since 600 weeks counts 520 in each hour; three hundred were inside in one hour of the week."""
    entered = np.append(at(*[5.0] * 300), at(-600.0 * WEEK_H))
    left = np.append(at(*[6.0] * 300), at(0.0))
    found = learn_week(entered, left, np.ones(301), int(at(10.0)[0]))
    inside = 520.0 + 300 * (np.arange(WEEK_H) == 5)
    expected = inside * 301 / inside.sum()
    seen = np.zeros(WEEK_H)
    seen[6], seen[0] = 300, 1
    days = [(seen[24 * d : 24 * d + 24].sum() + 4) / (expected[24 * d : 24 * d + 24].sum() + 4) for d in range(7)]
    hours = [(seen[h::24].sum() + 4) / (expected[h::24].sum() + 4) for h in range(24)]
    weights = (seen + 4 * np.outer(days, hours).ravel()) / (expected + 4)
    assert found.weights == pytest.approx(weights / weights.mean(), rel=1e-6)


@pytest.mark.parametrize(("departures", "learnt"), [(3, False), (4, True)])
def test_fewer_than_four_departures_teach_nothing_of_the_week(departures: int, learnt: bool) -> None:  # noqa: FBT001 - a case
    entered = at(*np.arange(departures, dtype=np.float64))
    found = learn_week(entered, entered + HOUR_US, np.ones(departures), int(at(20.0)[0]))
    assert (found is not EVEN_WEEK) == learnt


def test_stays_of_minutes_teach_of_the_week_as_those_of_days_do() -> None:
    """Ten stays of three minutes: five within the first hour, five from the end of one into another."""
    entered = at(*[0.25] * 5, *[29.975] * 5)
    found = learn_week(entered, entered + HOUR_US // 20, np.ones(10), int(at(40.0)[0]))
    expected = np.zeros(WEEK_H)
    expected[[0, 29, 30]] = 5.0, 2.5, 2.5
    seen = np.zeros(WEEK_H)
    seen[[0, 30]] = 5.0
    hours = np.ones(24)
    hours[[5, 6]] = 4 / 6.5, 9 / 6.5
    weights = (seen + 4 * np.tile(hours, 7)) / (expected + 4)
    assert found.weights == pytest.approx(weights / weights.mean())


def test_stays_of_no_time_teach_nothing_of_the_week() -> None:
    entered = at(*np.arange(9.0))
    assert learn_week(entered, entered, np.ones(9), int(at(20.0)[0])) is EVEN_WEEK


def test_who_entered_after_he_left_was_never_inside() -> None:
    """Clocks differ: such a stay takes no time, and no negative one."""
    entered, left = at(*np.arange(9.0), 50.0), at(*np.arange(1.0, 10.0), 40.0)
    with_it = learn_week(entered, left, np.ones(10), int(at(60.0)[0]))
    entered[-1] = left[-1]
    without = learn_week(entered, left, np.ones(10), int(at(60.0)[0]))
    assert with_it.weights == pytest.approx(without.weights)


def test_beyond_the_last_departure_the_hazard_goes_on_and_halves_as_the_age_doubles() -> None:
    law = StayLaw(np.array([0.0, 4.0, 10.0]), np.array([0.0, 2.0, 2.6]))
    for age, hazard in ((2.0, 0.5), (9.0, 0.1), (10.001, 0.1), (20.0, 0.05), (40.0, 0.025)):
        rise = np.diff(law.cumulative(np.array([age - 1e-4, age + 1e-4])))[0] / 2e-4
        assert rise == pytest.approx(hazard, rel=1e-3)
    assert law.staying(np.array([0.0, 4.0, 10.0])) == pytest.approx(np.exp([0.0, -2.0, -2.6]))


def ages(count: int) -> Floats:
    return np.arange(1.0, count + 1)


PRIOR = exponential(5.0)


def test_twelve_departures_make_a_law_and_each_dozen_a_piece_of_it() -> None:
    """Up to sixty, beside the piece before the first departure."""
    for count, pieces in ((11, 0), (12, 2), (23, 2), (24, 3), (719, 60), (9_999, 61)):
        law = learn_law(ages(count), np.ones(count, dtype=np.bool_), np.ones(count), PRIOR)
        assert (0 if law is PRIOR else len(law.age) - 1) == pieces
    half = learn_law(ages(24), np.ones(24, dtype=np.bool_), np.full(24, 0.5), PRIOR)
    assert half.age.tolist() == [0.0, 1.0, 24.0]


def test_one_stay_among_many_of_no_time_teaches_a_law() -> None:
    """Nineteen left at once, one after five hours: one more than that by the law before, over its five hours."""
    law = learn_law(np.append(np.zeros(19), 5.0), np.ones(20, dtype=np.bool_), np.ones(20), PRIOR)
    assert law.age.tolist() == [0.0, 5.0]
    assert law.hazard == pytest.approx([0.0, 5 * (20 + 1) / (5 + 5)])


def test_departures_without_any_stay_teach_no_law() -> None:
    assert learn_law(np.zeros(20), np.ones(20, dtype=np.bool_), np.ones(20), PRIOR) is PRIOR


def test_the_hazard_of_a_piece_is_departures_over_time_inside_and_one_more_by_the_law_before() -> None:
    """Twelve leave after 1 to 12 hours and one waits since 30: 90 hours up to the last, 13 of them before the first.

    The law before awaits one departure in five hours.
    """
    law = learn_law(np.append(ages(12), 30.0), np.arange(13) < 12, np.ones(13), PRIOR)
    assert law.age.tolist() == [0.0, 1.0, 12.0]
    first, rest = (0 + 1) / (13 + 5), (12 + 1) / (77 + 5)
    assert law.hazard == pytest.approx([0.0, first, first + 11 * rest])


def test_weights_count_in_departures_and_in_time_inside() -> None:
    """Every order as if it were two: as many departures and hours again, the one more stays one."""
    law = learn_law(np.append(ages(12), 30.0), np.arange(13) < 12, np.full(13, 2.0), PRIOR)
    once = learn_law(np.repeat(np.append(ages(12), 30.0), 2), np.repeat(np.arange(13) < 12, 2), np.ones(26), PRIOR)
    assert law.age[-1] == once.age[-1] == 12.0
    assert law.staying(law.age[-1:]) == pytest.approx(once.staying(once.age[-1:]), rel=0.05)
