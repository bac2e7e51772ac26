"""What follows from expected and seen departures, by hand: evidence, slow-down and its bounds, since when, whose."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt

import numpy as np
import pytest

from collectors.signals.ledger import HOUR_US, WEEK_H
from collectors.signals.monitor import History, Observed, StageSignal, judge
from collectors.signals.scope import Scope
from tests.unit.test_signals_flow import reference

GAIN, LOSS = 1 - 1 / 1.6, log(1.6)  # of an hour's expected departure, and of one seen
FIRST = 500_000
SCOPE = Scope(("queue", "work"), ("all", "b2b"), np.array([-1, HOUR_US]), np.zeros(2, dtype=np.bool_))
DAY = 24


def told(expected: list[float], seen: list[int], *, limit: float = 5.0, stage: int = 0, segment: int = 0) -> History:
    """Return what is told of one stage and segment, of which so much was expected and seen in each hour.

    The limit of the other test, against the budget, is another one.
    """
    shape = 2, 2, len(expected)
    awaited, came = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    awaited[stage, segment], came[stage, segment] = expected, seen
    observed = Observed(FIRST, awaited, np.zeros(shape), np.zeros((2, 1, 1), dtype=np.bool_), came)
    limits = np.stack([np.full((2, 2), limit), np.full((2, 2), 7 * limit)])
    return judge(observed, replace(reference(5), limits=limits), SCOPE)


def test_evidence_is_the_sum_over_its_limit_and_below_1_for_a_day() -> None:
    """A standstill of thirty hours against one departure an hour: 0.375 an hour, of a limit of five."""
    found = told([1.0] * 30, [0] * 30).evidence[0, 0]
    hours = np.arange(1, 31)
    assert found[:13] == pytest.approx(hours[:13] * GAIN / 5)
    assert found[13:DAY] == pytest.approx([0.99] * (DAY - 13))
    assert found[DAY:] == pytest.approx(np.minimum(hours[DAY:] * GAIN / 5, 2.0))
    assert (told([1.0] * 30, [0] * 30, segment=1).evidence[0, 1, 13:] == 0.99).all()


def test_a_segment_s_slow_down_must_last_a_week() -> None:
    found = told([1.0] * 200, [0] * 200, segment=1).evidence[0, 1]
    assert np.flatnonzero(found >= 1)[0] == WEEK_H


def test_since_when_is_told_from_three_tenths_of_the_limit_on() -> None:
    """Two hours as expected, and a standstill from the third on: 1.5 of 5 are reached in its fourth hour."""
    found = told([1.0] * 8, [1, 1, 0, 0, 0, 0, 0, 0]).since[0, 0]
    assert found.tolist() == [-1] * 5 + [FIRST + 2] * 3
    assert told([2.5], [0], limit=3.0).since[0, 0].tolist() == [FIRST]  # the sum is below 1, and 0.3125 of its limit


def test_the_slow_down_is_expected_over_seen_since_it_began_and_half_a_departure_each() -> None:
    """Ten hours at twice the rate, and then six with one departure in three of two expected each."""
    expected, seen = [2.0] * 16, [4] * 10 + [0, 0, 1] * 2
    found = told(expected, seen, limit=2.0)
    ratio = (12 + 0.5) / (2 + 0.5)
    assert found.slowdown[0, 0, -1] == pytest.approx(ratio)
    assert found.lower[0, 0, -1] == pytest.approx(ratio / exp(1.96 / sqrt(2.5)))
    assert found.upper[0, 0, -1] == pytest.approx(ratio * exp(1.96 / sqrt(2.5)))


def test_where_nothing_is_suspected_it_is_that_of_four_weeks() -> None:
    """Twice as many left as expected in the first week, and as many in the four after it."""
    hours = 5 * WEEK_H
    found = told([1.0] * hours, [2] * WEEK_H + [1] * 4 * WEEK_H).slowdown[0, 0]
    assert found[0] == pytest.approx(1.5 / 2.5)
    assert found[WEEK_H - 1] == pytest.approx((WEEK_H + 0.5) / (2 * WEEK_H + 0.5))
    assert found[4 * WEEK_H - 1] == pytest.approx((4 * WEEK_H + 0.5) / (5 * WEEK_H + 0.5))
    assert found[4 * WEEK_H] == pytest.approx((4 * WEEK_H + 0.5) / (5 * WEEK_H - 1 + 0.5))
    assert found[-1] == pytest.approx(1.0)


def test_where_nothing_was_expected_there_is_no_slow_down_to_tell_of() -> None:
    found = told([0.0] * 4, [0] * 4)
    assert np.isnan(found.slowdown).all()
    assert np.isnan(found.lower).all()
    assert found.evidence.tolist() == np.zeros((2, 2, 4)).tolist()


def signal(evidence: float, slowdown: float) -> StageSignal:
    return StageSignal("work", "all", slowdown, 1.0, 2.0, evidence, slowdown, evidence, None)


@pytest.mark.parametrize(
    ("evidence", "slowdown", "alarm"), [(1.0, 1.3, True), (0.999, 5.0, False), (2.0, 1.299, False)]
)
def test_an_alarm_needs_evidence_of_1_and_a_slow_down_of_three_tenths(
    evidence: float,
    slowdown: float,
    alarm: bool,  # noqa: FBT001 - a case
) -> None:
    one = signal(evidence, slowdown)
    assert (one.slow, one.over_budget) == (alarm, alarm)
    values = np.full((1, 1, 1), evidence), np.full((1, 1, 1), slowdown)
    many = History(0, values[1], values[1], values[1], values[0], values[1], values[0], np.zeros((1, 1, 1), np.int64))
    assert (many.slow.item(), many.over_budget.item()) == (alarm, alarm)


def test_the_budget_has_its_own_sum_limit_and_ratio() -> None:
    """Two an hour are allowed: ten hours of four, forty of one. Without a budget: no evidence, no ratio."""
    shape = 2, 2, 50
    seen = np.ones(shape, dtype=np.int64)
    seen[..., :10] = 4
    counting = np.array([False, True]).reshape(2, 1, 1)
    allowed = np.where(counting, 2.0, 0.0) * np.ones(shape)
    limits = np.full((2, 2, 2), 99.0)
    limits[1] = 4.0
    found = judge(Observed(FIRST, np.ones(shape), allowed, counting, seen), replace(reference(5), limits=limits), SCOPE)
    step = 2 * GAIN - LOSS
    assert found.budget_evidence[1, 0, -1] == pytest.approx(min(40 * step / 4, 2.0))
    assert found.budget_ratio[1, 0, -1] == pytest.approx(80.5 / 40.5)
    assert found.over_budget[1, 0].tolist() == [False] * (10 + DAY) + [True] * (40 - DAY)
    assert (found.budget_evidence[0] == 0).all()
    assert np.isnan(found.budget_ratio[0]).all()
    assert not found.slow.any()


def both(queue: list[int], work: list[int], *, queues: tuple[tuple[int, int], ...]) -> History:
    """Return what is told where one departure an hour was expected of the queue and of the work after it."""
    shape = 2, 2, len(queue)
    seen = np.zeros(shape, dtype=np.int64)
    seen[0], seen[1] = queue, work
    counting = np.ones((2, 1, 1), dtype=np.bool_)
    observed = Observed(FIRST, np.ones(shape), np.ones(shape), counting, seen)
    return judge(observed, replace(reference(5), limits=np.full((2, 2, 2), 5.0)), replace(SCOPE, queues=queues))


def test_evidence_against_a_queue_is_put_down_to_the_work_after_it_once_that_is_suspected() -> None:
    """The queue stands still for thirty hours; the work for the last eight, of which five are no suspicion yet."""
    queue, work = [0] * 30, [1] * 22 + [0] * 8
    apart, found = both(queue, work, queues=()), both(queue, work, queues=((0, 1),))
    suspected = 22 + 3  # the fourth hour: 1.5 of 5
    assert found.evidence[0, 0, :suspected] == pytest.approx(apart.evidence[0, 0, :suspected])
    assert found.evidence[1, 0, :suspected] == pytest.approx(apart.evidence[1, 0, :suspected])
    assert (apart.evidence[0, 0, suspected:] >= 1).all()
    assert found.evidence[0, 0, suspected:] == pytest.approx(np.full(5, 0.99))
    assert found.evidence[1, 0, suspected:] == pytest.approx(apart.evidence[0, 0, suspected:])
    assert found.budget_evidence[0, 0, suspected:] == pytest.approx(np.full(5, 0.99))
    assert found.budget_evidence[1] == pytest.approx(apart.budget_evidence[1])


def test_work_without_an_effect_takes_nothing_upon_itself() -> None:
    """Suspected for long, but 1.28 times slower only: what the queue tells stays the queue's."""
    shape = 2, 2, 300
    expected, seen = np.ones(shape), np.zeros(shape, dtype=np.int64)
    expected[1], seen[1] = 1.28, 1
    found = held_up(expected, seen)
    assert found.evidence[1, 0, -1] == pytest.approx(300 * (1.28 * GAIN - LOSS) / 5)
    assert found.evidence[1, 0, -1] > 0.3
    assert found.evidence[0, 0, -1] == pytest.approx(2.0)
    assert found.slow[0, 0, -1]


def test_work_takes_upon_itself_what_is_held_against_the_queue_from_an_effect_of_three_tenths_on() -> None:
    """Nothing happens at work, but in the last hour: 2.75 expected and two seen are (2.75 + 0.5) / (2 + 0.5) = 1.3."""
    for last, taken in ((2.75, True), (2.74, False)):
        expected, seen = np.ones((2, 2, 40)), np.zeros((2, 2, 40), dtype=np.int64)
        expected[1, :, :-1] = 0
        expected[1, :, -1], seen[1, :, -1] = last, 2
        found = held_up(expected, seen, limit=0.25)
        assert found.evidence[0, 0, -1] == (0.99 if taken else 2.0)
        assert found.since[1, 0, -1] == FIRST + 39
        assert found.evidence[1, 0, -1] == pytest.approx(2.0 if taken else (last * GAIN - 2 * LOSS) / 0.25)


def held_up(expected: np.ndarray, seen: np.ndarray, limit: float = 5.0) -> History:
    """Return what is told of a queue and of the work after it, of which so much was expected and seen."""
    counting = np.zeros((2, 1, 1), dtype=np.bool_)
    observed = Observed(FIRST, expected, np.zeros_like(expected), counting, seen)
    known = replace(reference(5), limits=np.full((2, 2, 2), limit))
    return judge(observed, known, replace(SCOPE, queues=((0, 1),)))


def test_a_segment_of_the_work_that_is_quick_takes_nothing_upon_itself() -> None:
    """All of the work is slow; one segment of it is not, and its evidence stays its own."""
    seen = np.zeros((2, 2, 40), dtype=np.int64)
    seen[1, 1] = 1
    found = held_up(np.ones((2, 2, 40)), seen)
    assert found.evidence[0, 0, -1] == 0.99
    assert found.evidence[1, 0, -1] == pytest.approx(2.0)
    assert found.evidence[1, 1, -1] == 0
    assert found.evidence[0, 1, -1] == 0.99


def test_what_is_put_down_to_a_segment_whose_own_sum_is_zero_has_no_begin_there() -> None:
    """Work that let many go in its last hour, after a standstill: its sum is held at ten, and 30 departures undo it."""
    seen = np.zeros((2, 2, 200), dtype=np.int64)
    seen[1, 1, -1] = 30
    found = held_up(np.ones((2, 2, 200)), seen)
    assert found.slow[1, 1, -1]
    assert found.since[1, :, -1].tolist() == [FIRST, -1]
    assert found.since[1, 1, -2] == FIRST
