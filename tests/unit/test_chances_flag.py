"""The measure of the flag measures right: precision by hand, the knower's hours and laws are the house's own."""

from __future__ import annotations

import numpy as np
import pytest

from collectors.simulation.calendars import HOUR, Calendar
from collectors.simulation.settings import HOUSE, Staff
from tests.drills.orders_flag_bound import MANUFACTURING, PACKING, PRICE_QUEUE, Duty, Knower
from tests.drills.orders_flag_judging import precision_at
from tests.drills.orders_flag_lives import Lives, Traits


def test_precision_is_that_of_the_threshold_which_flags_four_in_five_of_the_broken() -> None:
    chance = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    broken = np.array([True, False, True, True, True, False, True])
    assert precision_at(chance, broken, 0.8) == pytest.approx(4 / 5)
    assert precision_at(chance, broken, 1.0) == pytest.approx(5 / 7)
    assert precision_at(chance, np.zeros(7, dtype=np.bool_), 0.8) is None


def test_a_flag_that_tells_nothing_apart_has_the_precision_of_the_base_rate() -> None:
    assert precision_at(np.full(10, 0.3), np.arange(10) < 2, 0.8) == pytest.approx(0.2)


@pytest.mark.parametrize("staff", [HOUSE.workers, HOUSE.sales, HOUSE.workshop, HOUSE.packers])
def test_the_knower_keeps_the_duty_hours_of_the_house(staff: Staff) -> None:
    calendar, duty = Calendar(staff.shifts), Duty(staff)
    rng = np.random.default_rng(1)
    moments, work = rng.integers(0, 1_000 * HOUR, 500), rng.integers(1, 100 * HOUR, 500)
    assert duty.next_open(moments / HOUR) == pytest.approx([calendar.next_open(int(m)) / HOUR for m in moments])
    ends = [calendar.after(int(m), int(w)) / HOUR for m, w in zip(moments, work, strict=True)]
    assert duty.after(moments / HOUR, work / HOUR) == pytest.approx(ends, abs=1e-5)
    assert duty.mean_closure == pytest.approx(calendar.mean_closure / HOUR, abs=1e-6)


def test_the_knower_draws_the_rest_of_a_time_by_its_law() -> None:
    knower = Knower(np.random.default_rng(2), {})
    law = HOUSE.manufacturing
    whole = knower.draw(law, np.ones(200_000))
    assert whole.mean() == pytest.approx(law.mean_h, rel=0.01)
    assert whole.std() / whole.mean() == pytest.approx(law.cv, rel=0.02)
    rest = knower.draw(law, np.ones(200_000), np.full(200_000, 100.0))
    assert rest.min() > 100.0
    assert np.median(rest) == pytest.approx(np.median(whole[whole > 100.0]), rel=0.01)


def test_lives_drawn_from_the_beginning_take_as_long_as_the_house_says() -> None:
    """By the design the stages take 0.05 + 0.02 + 2 + 2 + 5 + 1.5 + 1 days in the mean, the customer's turn apart."""
    count = 40_000
    rng = np.random.default_rng(3)
    begun = rng.uniform(0, 168, count)
    times = np.zeros((count, PACKING + 1), dtype=np.int64)
    times[:, PRICE_QUEUE] = 1
    orders = Traits(np.ones(count), np.ones(count), times)
    ends, paused, gone = Lives(Knower(rng, {}), -1.0, PRICE_QUEUE, begun, orders).drawn()
    days = (ends - begun - paused)[~gone] / 24
    assert days.mean() == pytest.approx(11.57, abs=0.4)
    assert 0.03 < gone.mean() < 0.06
    assert 0.03 < np.mean(days > 21) < 0.07


def test_a_stage_slowed_from_an_hour_on_is_slow_for_those_who_enter_it_then() -> None:
    knower = Knower(np.random.default_rng(4), {MANUFACTURING: (100.0, 1.6)})
    assert knower.factor(MANUFACTURING, np.array([99.0, 100.0])).tolist() == [1.0, 1.6]
    assert knower.factor(PACKING, np.array([200.0])).tolist() == [1.0]
