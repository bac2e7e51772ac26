"""How many open promises will break, and how sure that is."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from collectors.signals.promise_risk import (
    LEAST_ERROR,
    USUAL_ERROR,
    PastForecast,
    Z,
    interval,
    promise_risk,
    risk_by_segment,
    risk_by_stage,
    shared_error,
)
from collectors.timelines.judging import BROKEN, CANCELLED, OPEN
from tests.unit.test_chances import orders


def past(*pairs: tuple[float, int], variance: float = 0.0) -> list[PastForecast]:
    """Return checked forecasts of so many expected breaks and so many that came."""
    return [PastForecast(0, 100, expected, variance, broken) for expected, broken in pairs]


def test_the_expected_number_is_the_sum_of_the_chances_of_open_orders() -> None:
    flight = orders(0, 1.0, 2.0, 3.0, 4.0)
    flight.verdict[:] = [OPEN, OPEN, BROKEN, CANCELLED]
    risk = promise_risk(flight, np.array([0.5, 0.25, 1.0, 0.0]), 0.1)
    assert (risk.open, risk.expected, risk.share) == (2, 0.75, 0.375)
    assert risk.lower <= risk.expected <= risk.upper <= risk.open


def test_where_nothing_is_open_there_is_no_share() -> None:
    risk = promise_risk(orders(0), np.zeros(0), 0.3)
    assert (risk.open, risk.expected, risk.lower, risk.upper) == (0, 0.0, 0.0, 0.0)
    assert (risk.share, risk.lower_share, risk.upper_share) == (None, None, None)


def test_stages_and_segments_part_the_whole() -> None:
    flight = orders(0, *[5.0] * 6)
    flight.stage[:] = [0, 0, 0, 1, 1, 1]
    chance = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    stages = risk_by_stage(flight, chance, 0.1, 3)
    assert [stage.open for stage in stages] == [3, 3, 0]
    assert [stage.expected for stage in stages] == pytest.approx([0.6, 1.5, 0.0])
    members = {"all": np.ones(6, dtype=np.bool_), "channel=b2b": chance > 0.35}
    segments = risk_by_segment(flight, chance, 0.1, members)
    assert segments["all"].expected == pytest.approx(2.1)
    assert segments["channel=b2b"].share == pytest.approx(0.5)


def test_the_shared_error_is_what_independent_orders_do_not_explain() -> None:
    """Four forecasts of ten that are off by five: a quarter each, as many as the usual error counts for."""
    expected = math.sqrt((0.25 + USUAL_ERROR**2) / 2)
    assert shared_error(past((10, 15), (10, 5), (10, 15), (10, 5))) == pytest.approx(expected)


def test_errors_that_independent_orders_explain_leave_little_to_share() -> None:
    found = shared_error(past(*[(100.0, 110), (100.0, 90)] * 50, variance=100.0))
    assert found == pytest.approx(max(LEAST_ERROR, USUAL_ERROR * math.sqrt(4 / 104)), abs=1e-3)
    assert shared_error(past(*[(100.0, 100)] * 1_000, variance=100.0)) == LEAST_ERROR


@pytest.mark.parametrize("checked", [[], past((0.0, 0), (0.0, 0))])
def test_without_a_past_the_usual_error_is_believed(checked: list[PastForecast]) -> None:
    assert shared_error(checked) == USUAL_ERROR


def test_the_interval_widens_with_the_error_that_orders_share() -> None:
    narrow, wide = interval(40.0, 30.0, 0.05), interval(40.0, 30.0, 0.5)
    assert wide[0] < narrow[0] < 40 < narrow[1] < wide[1]
    assert interval(0.0, 0.0, 0.3) == (0.0, 0.0)


@pytest.mark.parametrize(("mean", "error"), [(3.0, 0.2), (40.0, 0.2), (400.0, 0.3)])
def test_nine_in_ten_counts_of_orders_that_share_an_error_fall_inside(mean: float, error: float) -> None:
    """Counts of a thousand orders whose chances all rise and fall by one gamma factor a time."""
    rng = np.random.default_rng(7)
    chance = mean / 10_000
    counts = rng.binomial(10_000, np.minimum(chance * rng.gamma(1 / error**2, error**2, 20_000), 1.0))
    lower, upper = interval(mean, 10_000 * chance * (1 - chance), error)
    inside = np.mean((counts >= lower) & (counts <= upper))
    assert 0.87 < inside < 0.97


def test_an_interval_that_knew_no_shared_error_would_miss_far_too_often() -> None:
    rng = np.random.default_rng(7)
    counts = rng.poisson(100 * rng.gamma(1 / 0.3**2, 0.3**2, 20_000))
    lower, upper = interval(100.0, 100.0, 0.0)
    assert np.mean((counts >= lower) & (counts <= upper)) < 0.6


def test_the_bounds_leave_one_case_in_twenty_on_either_side() -> None:
    assert NormalDist().inv_cdf(0.95) == pytest.approx(Z, abs=1e-4)


def test_thirty_percent_are_believed_unchecked_and_never_less_than_five() -> None:
    assert shared_error([]) == 0.3
    assert shared_error(past(*[(100.0, 100)] * 1_000)) == 0.05


def test_even_less_than_one_expected_break_teaches_something() -> None:
    """Half a break was expected and two came: nine times the square of it, and the usual error counted four times."""
    assert shared_error(past((0.5, 2))) == pytest.approx(math.sqrt((2.25 + 4 * 0.25 * 0.09) / (0.25 + 4 * 0.25)))


def test_bounds_are_the_quantiles_of_the_gamma_law_and_half_an_order() -> None:
    """Of mean and variance 4 and 100: 1.366 and 7.754, 84.14 and 117.0 (tables of chi-squared, 8 and 200 degrees)."""
    assert interval(4.0, 4.0, 0.0) == pytest.approx((1.366 - 0.5, 7.754 + 0.5), abs=0.02)
    assert interval(100.0, 100.0, 0.0) == pytest.approx((84.14 - 0.5, 117.0 + 0.5), abs=0.02)
    assert interval(4.0, 0.0, 0.5) == pytest.approx((1.366 - 0.5, 7.754 + 0.5), abs=0.02)


def test_of_very_few_and_very_unsure_breaks_the_bounds_are_none_and_half_an_order() -> None:
    assert interval(0.1, 10.0, 0.0) == (0.0, 0.5)


def test_the_risk_of_orders_spreads_as_independent_ones_and_what_they_share() -> None:
    """Ten chances of a half and ten of a tenth: the variance is 2.5 and 0.9."""
    chance = np.array([0.5] * 10 + [0.1] * 10)
    risk = promise_risk(orders(0, *[5.0] * 20), chance, 0.2)
    assert (risk.lower, risk.upper) == pytest.approx(interval(6.0, 3.4, 0.2))
