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


def highest_by_hand(expected: list[float], seen: list[int], effect: float, hours: int) -> float:
    """Return the largest sum of an hour that counts, from the hours since it last was nought, one after the other."""
    score, since, top = 0.0, 0, 0.0
    for hour, (foreseen, left) in enumerate(zip(expected, seen, strict=True)):
        score += foreseen * GAIN - left * LOSS
        if score <= 0:
            score, since = 0.0, hour + 1
            continue
        run_of = slice(since, hour + 1)
        if sum(expected[run_of]) >= effect * sum(seen[run_of]) and hour - since >= hours:
            top = max(top, score)
    return top


def test_every_stage_and_segment_has_a_highest_value_of_its_own_and_hours_of_its_own() -> None:
    """Three stages, two segments, five draws of forty hours: each as it is where it is counted alone."""
    rng = np.random.default_rng(5)
    expected, seen = rng.exponential(1, (5, 3, 2, 40)), rng.poisson(0.8, (5, 3, 2, 40))
    hours = np.array([[0, 3], [1, 2], [4, 0]])
    found = highest(expected, seen, 1.6, 1.3, hours)
    alone = [
        highest_by_hand(expected[place].tolist(), seen[place].tolist(), 1.3, int(hours[place[1:]]))
        for place in np.ndindex(5, 3, 2)
    ]
    assert np.count_nonzero(alone) > 20
    assert found.ravel() == pytest.approx(alone)


def test_a_slow_down_from_the_first_hour_on_has_lasted_since_then() -> None:
    """Of eight expected in four hours one left, in the first: the effect is 8. In the others alone none left."""
    expected, seen = np.full(4, 2.0), np.array([1, 0, 0, 0])
    assert highest(expected, seen, 1.6, 8.0, 3) == pytest.approx(8 * GAIN - LOSS)
    assert highest(expected, seen, 1.6, 8.1, 3) == 0
    assert highest(expected, seen, 1.6, 8.0, 4) == 0


def test_an_effect_counts_from_what_is_asked_for_on() -> None:
    """Thirteen expected and ten seen are 1.3 times too few."""
    assert highest(np.array([13.0]), np.array([10]), 1.6, 1.3) == pytest.approx(13 * GAIN - 10 * LOSS)
    assert highest(np.array([12.999]), np.array([10]), 1.6, 1.3) == 0


def test_what_was_expected_and_seen_is_counted_for_each_stage_and_segment_from_its_own_begin() -> None:
    """Three stages by two segments: a standstill of two hours, at another hour everywhere."""
    expected, seen = np.ones((3, 2, 9)), np.full((3, 2, 9), 3)
    for place, (stage, segment) in enumerate(np.ndindex(3, 2)):
        seen[stage, segment, [place, place + 1]] = 0
        expected[stage, segment, place] = 2 + place
    sums = run(expected, seen, 1.6, np.full((3, 2), 100.0))
    for place, (stage, segment) in enumerate(np.ndindex(3, 2)):
        here = stage, segment, slice(place, place + 2)
        assert sums.expected[here].tolist() == [2 + place, 3 + place]
        assert sums.since[here].tolist() == [place, place]
        assert sums.score[here] == pytest.approx([(2 + place) * GAIN, (3 + place) * GAIN])
        assert sums.seen[here].tolist() == [0, 0]
    assert np.count_nonzero(sums.since < 9) == np.count_nonzero(sums.score > 0)


def test_without_a_run_nothing_was_expected_in_it() -> None:
    sums = run(np.array([1.0, 1.0]), np.array([4, 4]), 1.6, np.array(9.0))
    assert sums.expected.tolist() == sums.seen.tolist() == sums.score.tolist() == [0, 0]
    assert sums.since.tolist() == [2, 2]
