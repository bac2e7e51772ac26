"""The limits where they can be worked out: Gumbel's law, levels, weeks foretold by other weeks, chance that is even."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from collectors.signals.calibration import (
    LEAST,
    TARGET,
    TARGET_IN_QUEUES,
    _blocks,
    _chances,
    _gathered,
    _limits,
    _reduced,
    _top,
    calibrate,
    crossed,
)
from collectors.signals.ledger import AGES, WEEK_H
from collectors.signals.rates import Flow

WEEKS = 8
HOURS = WEEKS * WEEK_H
WEEK = np.arange(HOURS) // WEEK_H
GAIN, LOSS = 1 - 1 / 1.6, log(1.6)
ALWAYS = np.zeros(1, dtype=np.int64)


class Even:
    """Chance without chance: weeks are drawn in turn, and as many come as are expected."""

    def integers(self, low: int, high: int, count: int) -> np.ndarray:
        """Return each number in turn."""
        return low + np.arange(count) % (high - low)

    def poisson(self, mean: np.ndarray) -> np.ndarray:
        """Return the mean."""
        return mean


def flow(*departures: np.ndarray) -> Flow:
    """Return the flow of stages of all orders, 50 of one age always inside, of which so many leave in each hour."""
    shape = len(departures), 1, AGES, HOURS
    exposed, left = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    exposed[:, :, 1] = 50
    left[:, 0, 1] = departures
    ahead = np.zeros((len(departures), HOURS), dtype=np.int64)
    spent = exposed.sum(axis=2)
    slot, there = np.arange(HOURS) % WEEK_H, spent.astype(np.int64)
    return Flow(exposed, 0 * exposed[:, 0], left, spent, ahead, slot, there)


@pytest.mark.parametrize("chance", [0.5, 0.1, 0.03, 1e-6])
def test_gumbel_s_law_exceeds_its_value_with_the_chance_asked_for(chance: float) -> None:
    assert 1 - exp(-exp(-_reduced(chance))) == pytest.approx(chance)


@pytest.mark.parametrize(("middle", "scale"), [(20.0, 3.0), (5.0, 0.5)])
def test_a_limit_is_what_gumbel_s_law_exceeds_with_the_chance_of_its_sum(middle: float, scale: float) -> None:
    """Four sums whose largest values follow it, each with a chance of its own."""
    chances = (np.arange(4_001) + 0.5) / 4_001
    drawn = middle - scale * np.log(-np.log(chances))
    chance = np.array([[0.05, 0.01], [0.02, 0.001]])
    found = _limits(np.broadcast_to(drawn[:, np.newaxis, np.newaxis], (4_001, 2, 2)), chance)
    assert found == pytest.approx(middle - scale * np.log(-np.log(1 - chance)), rel=2e-3)


def test_no_limit_is_below_twenty_to_one() -> None:
    assert exp(LEAST) == pytest.approx(20, rel=0.01)
    assert _limits(np.zeros((60, 2, 1)), np.full((2, 1), 0.05)).tolist() == [[3.0], [3.0]]


def test_the_share_of_half_years_with_a_page_is_parted_ten_to_one_for_what_tells_most() -> None:
    """All orders against the reference 10, a segment 1; against the budget 1 and 0.3. One segment is too thin."""
    enough = np.array([[True, True, True], [True, False, True]])
    found = _chances(enough, 0.25)
    parts = np.array([[10, 1, 1, 10, 1], [1, 0.3, 0.3, 1, 0.3]])
    assert found == pytest.approx(0.25 * parts / parts.sum())
    assert (TARGET, TARGET_IN_QUEUES) == (0.15, 0.1)


def test_no_limit_is_below_what_a_slow_down_gathers_while_it_must_last() -> None:
    """Forty an hour for a day: each expected departure gains 0.375, each of the 25 seen loses ln 1.6."""
    assert _gathered(np.full((WEEKS, 2, WEEK_H), [[[40.0], [1.0]]]), np.array([24, 168])) == pytest.approx(
        [24 * (40 * GAIN - 25 * LOSS), 168 * (GAIN - LOSS / 1.6)]
    )
    found = limits(np.full(HOURS, 40))
    assert found == pytest.approx(np.full((2, 1), 24 * (40 * GAIN - 25 * LOSS)), rel=1e-6)


def test_hours_that_do_not_count_are_missing_at_the_end_of_their_week() -> None:
    hours = np.delete(np.arange(3 * WEEK_H), [WEEK_H + 5, WEEK_H + 6])
    place = np.repeat([0, 1, 2], [WEEK_H, WEEK_H - 2, WEEK_H])
    found = _blocks(np.stack([hours, 2 * hours]).astype(float), place, 3)
    assert found.shape == (3, 2, WEEK_H)
    assert found[0, 0].tolist() == list(range(WEEK_H))
    assert found[1, 0].tolist() == [*hours[WEEK_H : 2 * WEEK_H - 2].tolist(), 0, 0]
    assert found[2, 1].tolist() == (2 * np.arange(2 * WEEK_H, 3 * WEEK_H)).tolist()


def test_of_a_week_with_hours_left_over_the_first_are_kept() -> None:
    assert _blocks(np.arange(170.0)[np.newaxis], np.zeros(170, dtype=np.int64), 1)[0, 0].tolist() == list(range(168))


def test_each_week_is_foretold_by_weeks_without_it() -> None:
    """One departure an hour, but two in the fourth week: it and the week that is left out with it expect one."""
    found = crossed(flow(np.where(WEEK == 3, 2, 1)), WEEK)[0, 0]
    assert found[np.isin(WEEK, (3, 7))] == pytest.approx(np.ones(2 * WEEK_H))
    assert found[~np.isin(WEEK, (3, 7))] == pytest.approx(np.full(6 * WEEK_H, 7 / 6), rel=1e-6)


def test_the_largest_sum_is_that_of_the_weeks_lived_at_the_level_of_the_weeks_known() -> None:
    """Two weeks of one departure an hour; in the second, 100 hours of none. Foretold were two an hour in both."""
    seen = np.ones((2, 1, WEEK_H))
    seen[1, 0, 20:120] = 0
    expected = np.full((2, 1, WEEK_H), 2.0)
    calm, wild = np.array([0]), np.array([1])
    level = {0: (168 + 0.5) / (336 + 0.5), 1: (68 + 0.5) / (336 + 0.5)}
    assert _top(expected, seen, calm, np.array([0, 1]), ALWAYS) == pytest.approx([100 * 2 * level[0] * GAIN])
    assert _top(expected, seen, wild, np.array([0, 1]), ALWAYS) == pytest.approx([100 * 2 * level[1] * GAIN])
    assert _top(expected, seen, calm, np.array([0, 0]), ALWAYS).tolist() == [0.0]
    after = 101 * 2 * level[0] * GAIN - LOSS  # where a hundred hours must have passed, the hour after counts first
    assert _top(expected, seen, calm, np.array([1, 0]), ALWAYS + 100) == pytest.approx([after])
    assert _top(expected, seen, calm, np.array([1, 0]), ALWAYS + 99) == pytest.approx([100 * 2 * level[0] * GAIN])


def limits(*departures: np.ndarray) -> np.ndarray:
    """Return the limits [2, S] of stages where chance is even."""
    share = np.ones((len(departures), HOURS))
    return np.asarray(calibrate(flow(*departures), WEEK, share, Even(), queues=False))[..., 0]  # type: ignore[arg-type]


def test_where_all_weeks_are_alike_the_limit_is_the_least_there_is() -> None:
    assert limits(np.ones(HOURS, dtype=np.int64)) == pytest.approx(np.full((2, 1), LEAST))


def test_chance_s_limit_is_widened_by_how_much_higher_the_weeks_went_than_chance_would() -> None:
    """One standstill of thirty hours in eight weeks; of sums at chance's height, one pseudo-week: 30 x 0.375 + 1."""
    seen = np.ones(HOURS, dtype=np.int64)
    seen[2 * WEEK_H + 50 : 2 * WEEK_H + 80] = 0
    assert limits(seen) == pytest.approx(np.full((2, 1), (30 * GAIN + 1) * LEAST), rel=1e-6)


def test_sixty_half_years_are_put_together_of_the_weeks_there_are() -> None:
    """Each of 26 weeks, against the level of as many as there are; of eight, any."""
    drawn: list[tuple[int, int, int]] = []

    class Noting(Even):
        """Notes what is drawn."""

        def integers(self, low: int, high: int, count: int) -> np.ndarray:
            """Return each number in turn."""
            drawn.append((low, high, count))
            return super().integers(low, high, count)

    calibrate(flow(np.ones(HOURS, dtype=np.int64)), WEEK, np.ones((1, HOURS)), Noting(), queues=False)  # type: ignore[arg-type]
    assert sorted(drawn) == [(0, 8, 8)] * 60 + [(0, 8, 26)] * 60


def test_no_stage_is_held_calmer_than_the_middle_one() -> None:
    """Of three stages two had a standstill: the calm one has the limit of the middle one."""
    calm = np.ones(HOURS, dtype=np.int64)
    wild = calm.copy()
    wild[2 * WEEK_H + 50 : 2 * WEEK_H + 80] = 0
    wide = (30 * GAIN + 1) * LEAST
    assert limits(wild, calm, wild) == pytest.approx(np.full((2, 3), wide), rel=1e-6)


def test_hours_that_do_not_count_for_the_budget_allow_nobody_to_leave() -> None:
    """Half of each day: the twelve hours that count are no slow-down that lasts, and the limits are the least."""
    share = (np.arange(HOURS) % 24 < 12).astype(float)[np.newaxis]
    found = calibrate(flow(np.ones(HOURS, dtype=np.int64)), WEEK, share, Even(), queues=False)  # type: ignore[arg-type]
    assert found[..., 0] == pytest.approx(np.full((2, 1), LEAST))


def test_no_limit_against_the_reference_is_wider_because_the_one_against_the_budget_is() -> None:
    """One leaves every hour, but all of the budget is of the first half of each week: there two are expected."""
    share = (np.arange(HOURS) % WEEK_H < WEEK_H // 2).astype(float)[np.newaxis]
    found = calibrate(flow(np.ones(HOURS, dtype=np.int64)), WEEK, share, Even(), queues=False)  # type: ignore[arg-type]
    assert found[0] == pytest.approx(LEAST)
    assert found[1] == pytest.approx(WEEK_H // 2 * (2 * GAIN - LOSS), rel=0.01)


def test_weeks_that_were_calmer_than_chance_make_no_limit_narrower_than_chance_s() -> None:
    """One left every hour. By chance nobody does in thirty hours of a week: that is against a level of 138 in 168."""

    class Wild(Even):
        """A standstill in every week that is drawn."""

        def poisson(self, mean: np.ndarray) -> np.ndarray:
            """Return the mean, but for thirty hours of each week."""
            return np.where(np.arange(mean.shape[-1]) % WEEK_H // 30 == 2, 0, mean)

    share = np.ones((1, HOURS))
    found = calibrate(flow(np.ones(HOURS, dtype=np.int64)), WEEK, share, Wild(), queues=False)  # type: ignore[arg-type]
    assert found == pytest.approx(np.full((2, 1, 1), 30 * GAIN * 138 / 168), rel=1e-3)


def test_all_orders_of_a_stage_are_watched_once_one_has_left() -> None:
    """Though none of the segment did; and a stage that nobody left is not."""
    one = flow(np.eye(1, HOURS, 700, dtype=np.int64)[0], np.zeros(HOURS, dtype=np.int64))
    both = Flow(
        np.concatenate([one.exposed] * 2, axis=1),
        one.began,
        np.concatenate([one.departures, np.zeros_like(one.departures)], axis=1),
        np.concatenate([one.spent] * 2, axis=1),
        one.ahead,
        one.slot,
        np.concatenate([one.there] * 2, axis=1),
    )
    found = calibrate(both, WEEK, np.ones((2, HOURS)), Even(), queues=False)  # type: ignore[arg-type]
    assert np.isfinite(found[0]).tolist() == np.isfinite(found[1]).tolist() == [[True, False], [False, False]]


def test_a_segment_is_watched_from_a_hundred_departures_on() -> None:
    for count, watched in ((99, False), (100, True)):
        one = flow(np.ones(HOURS, dtype=np.int64))
        own = np.zeros_like(one.departures)
        own[..., 1, :count] = 1
        both = Flow(
            np.concatenate([one.exposed] * 2, axis=1),
            one.began,
            np.concatenate([one.departures, own], axis=1),
            np.concatenate([one.spent] * 2, axis=1),
            one.ahead,
            one.slot,
            np.concatenate([one.there] * 2, axis=1),
        )
        found = calibrate(both, WEEK, np.ones((1, HOURS)), Even(), queues=False)  # type: ignore[arg-type]
        assert np.isfinite(found[:, 0, 1]).tolist() == [watched] * 2
        assert np.isfinite(found[:, 0, 0]).all()
