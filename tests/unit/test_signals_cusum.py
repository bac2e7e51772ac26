"""The running sums and their limits, against counts made by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from collectors.signals.cusum import HELD_AT, highest, lasting, ratios, run

GAIN, LOSS = 1 - 1 / 1.6, log(1.6)


def test_an_hour_without_departures_speaks_for_a_slow_down_and_a_departure_against() -> None:
    """E (1 - 1/r) - O ln r, by hand."""
    found = ratios(np.array([2.0, 0.0, 1.0]), np.array([0, 1, 1]), 1.6)
    assert found == pytest.approx([2 * GAIN, -LOSS, GAIN - LOSS])


def test_the_sum_never_falls_below_zero_and_knows_when_it_began() -> None:
    """Three hours without departures, then a busy one, then one more without."""
    expected, seen = np.array([1.0, 1, 1, 1, 1]), np.array([0, 0, 0, 5, 0])
    sums = run(expected, seen, 1.6, np.array(10.0))
    assert sums.score == pytest.approx([GAIN, 2 * GAIN, 3 * GAIN, 0, GAIN])
    assert sums.since.tolist() == [0, 0, 0, 5, 4]
    assert sums.expected.tolist() == [1, 2, 3, 0, 1]
    assert sums.seen.tolist() == [0, 0, 0, 0, 0]


def test_it_is_held_so_that_an_alarm_clears() -> None:
    """After a long standstill it is at twice its limit, and as many departures as brought it there take it down."""
    sums = run(np.full(200, 1.0), np.array([0] * 100 + [5] * 100), 1.6, np.array(3.0))
    assert sums.score.max() == HELD_AT * 3
    assert np.flatnonzero(sums.score[100:] < 3)[0] <= 3


def test_each_stage_and_segment_has_its_own_sum() -> None:
    """Two rows, two limits."""
    sums = run(np.ones((2, 1, 4)), np.array([[[0, 0, 0, 0]], [[1, 1, 1, 1]]]), 1.6, np.array([[0.5], [9.0]]))
    assert sums.score[0, 0].tolist() == pytest.approx([GAIN, 2 * GAIN, 1.0, 1.0])
    assert sums.score[1, 0].tolist() == [0, 0, 0, 0]


def test_the_highest_value_is_that_of_the_sum() -> None:
    """On random counts, the short form equals the hour-by-hour one."""
    rng = np.random.default_rng(3)
    expected = rng.exponential(1, (4, 300))
    seen = rng.poisson(expected / 1.2)
    sums = run(expected, seen, 1.6, np.full(4, 1e9))
    assert highest(expected, seen, 1.6) == pytest.approx(sums.score.max(axis=-1))


def test_an_hour_counts_only_once_the_slow_down_has_lasted() -> None:
    """A standstill of five hours is at its highest in the fifth; where four must have passed, the first counts not."""
    expected, seen = np.ones(8), np.array([9, 0, 0, 0, 0, 0, 9, 9])
    assert highest(expected, seen, 1.6, 1.3) == pytest.approx(5 * GAIN)
    assert highest(expected, seen, 1.6, 1.3, 4) == pytest.approx(5 * GAIN)
    assert highest(expected, seen, 1.6, 1.3, 5) == 0


def test_a_standstill_of_an_hour_counts_unless_more_is_asked_for() -> None:
    for hours, counts in (({}, 1), ({"hours": 0}, 1), ({"hours": 1}, 0)):
        assert highest(np.array([4.0]), np.array([0]), 1.6, 1.3, **hours) == pytest.approx(4 * GAIN * counts)


def test_where_more_leave_than_expected_the_highest_is_nought() -> None:
    """And never less."""
    assert highest(np.zeros((2, 5)), np.ones((2, 5)), 1.6).tolist() == [0, 0]


def test_a_small_effect_never_counts() -> None:
    """A tenth too slow for long is no 1.3."""
    assert highest(np.full(500, 1.1), np.ones(500), 1.05, 1.3) == 0
    assert highest(np.full(500, 1.1), np.ones(500), 1.05) > 1


def test_a_segment_must_last_longer_than_all() -> None:
    """A day for all orders, a week for a segment: in hours."""
    assert lasting(3).tolist() == [24, 168, 168]
