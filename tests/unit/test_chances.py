"""The chance of an order to break its promise, held against cases that can be computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collectors.signals.chances import MOST_KINDS, Chances, Forecast, kinds_of
from collectors.signals.flights import InFlight
from collectors.signals.learning import Flow
from collectors.signals.passages import Clock, Passage
from collectors.signals.stays import EVEN_WEEK, HOUR_US, StayLaw, Week, exponential
from collectors.timelines.judging import BROKEN, CANCELLED, OPEN

NOW = 2_000 * 7 * 24 * HOUR_US
MEAN_H = 10.0
END = -2  # column of `leads`
GONE = -1


def flow(*laws: StayLaw, pauses: tuple[int, ...] = ()) -> Flow:
    """Return stages one after the other; visits and later visits follow the same law."""
    stages = len(laws)
    leads = np.zeros((2 * stages, 2 * stages + 2))
    for stage in range(stages):
        leads[2 * stage : 2 * stage + 2, 2 * (stage + 1) if stage + 1 < stages else END] = 1.0
    return Flow(
        weeks=(EVEN_WEEK,) * stages,
        laws=tuple(law for law in laws for _ in range(2)),
        leads=leads,
        pace=np.ones(stages),
        segment_pace=(),
        pauses=np.isin(np.arange(stages), pauses),
        budget_us=np.full(stages, 20 * HOUR_US),
    )


def orders(stage: int, *slack_h: float, age_h: float = 0.0, stages: int = 2, verdict: int = OPEN) -> InFlight:
    """Return orders in a stage with so many hours to their promise moments."""
    count = len(slack_h)
    inside = np.zeros((count, stages), dtype=np.int64)
    inside[:, stage] = round(age_h * HOUR_US)
    return InFlight(
        as_of=NOW,
        order=np.arange(count),
        stage=np.full(count, stage),
        since=np.full(count, NOW - round(age_h * HOUR_US)),
        again=np.zeros(count, dtype=np.bool_),
        inside_us=inside,
        promise_at=NOW + (np.array(slack_h) * HOUR_US).astype(np.int64),
        verdict=np.full(count, verdict, dtype=np.int8),
        values=np.zeros((count, 0), dtype=np.int64),
    )


def test_a_stay_without_memory_breaks_by_the_exponential_law_whatever_its_age() -> None:
    slack = np.array([0.0, 2.0, 10.0, 30.0, 100.0])
    for age in (0.0, 7.0, 40.0):
        chance = Chances(flow(exponential(MEAN_H))).of(orders(0, *slack, age_h=age, stages=1))
        assert chance == pytest.approx(np.exp(-slack / MEAN_H), abs=0.015)


def test_two_stages_convolve() -> None:
    slack = np.array([1.0, 10.0, 25.0, 60.0])
    chance = Chances(flow(exponential(MEAN_H), exponential(MEAN_H))).of(orders(0, *slack))
    assert chance == pytest.approx((1 + slack / MEAN_H) * np.exp(-slack / MEAN_H), abs=0.015)


def test_rework_comes_back_as_often_as_it_did() -> None:
    """Half of the visits end, half begin anew: a geometric sum of exponential stays is exponential, twice as long."""
    again = flow(exponential(MEAN_H))
    again.leads[:, :] = 0.0
    again.leads[:, 1] = again.leads[:, END] = 0.5
    slack = np.array([5.0, 20.0, 50.0])
    found = Chances(again).of(orders(0, *slack, 300.0, stages=1))[:-1]
    assert found == pytest.approx(np.exp(-slack / (2 * MEAN_H)), abs=0.02)


def test_time_in_a_stage_that_stops_the_clock_breaks_nothing() -> None:
    paused = Chances(flow(exponential(500.0), exponential(MEAN_H), pauses=(0,)))
    slack = np.array([5.0, 20.0, 50.0])
    assert paused.of(orders(0, *slack)) == pytest.approx(np.exp(-slack / MEAN_H), abs=0.03)


def test_a_pause_ahead_is_passed_over_too() -> None:
    laws = (exponential(MEAN_H), exponential(30.0), exponential(MEAN_H))
    slack = np.array([5.0, 20.0, 50.0])
    chance = Chances(flow(*laws, pauses=(1,))).of(orders(0, *slack, 400.0, stages=3))[:-1]
    assert chance == pytest.approx((1 + slack / MEAN_H) * np.exp(-slack / MEAN_H), abs=0.03)


def test_cancelled_orders_break_nothing_and_a_cancellation_ahead_counts_as_no_break() -> None:
    assert Chances(flow(exponential(MEAN_H))).of(orders(0, 5.0, stages=1, verdict=CANCELLED)).tolist() == [0.0]
    half = flow(exponential(MEAN_H), exponential(1e6))
    half.leads[:2, :] = 0.0
    half.leads[:2, 2] = half.leads[:2, GONE] = 0.5
    # Half are cancelled in ten hours or so, the others stay for ever: those still to be cancelled later are late too.
    chance = Chances(half).of(orders(0, 20.0))[0]
    assert chance == pytest.approx(0.5 + 0.5 * np.exp(-2.0), abs=0.02)


def test_an_order_past_its_moment_has_chance_one() -> None:
    assert Chances(flow(exponential(MEAN_H))).of(orders(0, -1.0, stages=1, verdict=BROKEN)).tolist() == [1.0]


def test_no_orders_have_no_chances() -> None:
    assert len(Chances(flow(exponential(MEAN_H))).of(orders(0, stages=1))) == 0


@pytest.mark.parametrize("stage", [0, 1])
def test_chances_lie_within_0_and_1_and_fall_with_the_time_left(stage: int) -> None:
    law = StayLaw(np.array([0.0, 5.0, 9.0, 30.0]), np.array([0.0, 0.1, 1.5, 2.0]))
    slack = np.linspace(0, 90, 200)
    chance = Chances(flow(law, law)).of(orders(stage, *slack, age_h=3.0))
    assert chance.min() >= 0
    assert chance.max() <= 1
    assert (np.diff(chance) <= 1e-6).all()


def test_past_the_median_a_stay_of_falling_hazard_breaks_the_surer_the_longer_it_lasts() -> None:
    law = StayLaw(np.array([0.0, 5.0, 10.0, 40.0]), np.array([0.0, 0.8, 1.2, 1.8]))
    found = [Chances(flow(law)).of(orders(0, 12.0, age_h=age, stages=1))[0] for age in (5.0, 8.0, 15.0, 30.0, 80.0)]
    assert (np.diff(found) > 0).all()


def test_nobody_leaves_at_night() -> None:
    """A stage whose duty is the first half of each week: who is there at its close waits until the next one."""
    weights = np.where(np.arange(168) < 84, 2.0, 0.0)
    one = replace(flow(exponential(MEAN_H)), weeks=(Week(weights),))
    at_close = replace(orders(0, 10.0, 80.0, 100.0, stages=1), as_of=NOW + 84 * HOUR_US)
    moved = replace(at_close, promise_at=at_close.promise_at + 84 * HOUR_US, since=at_close.since + 84 * HOUR_US)
    chance = Chances(one).of(moved)
    assert chance[:2] == pytest.approx([1.0, 1.0], abs=0.01)
    assert chance[2] == pytest.approx(np.exp(-2 * 16.0 / MEAN_H), abs=0.03)


def test_a_stage_at_half_its_pace_takes_twice_as_long() -> None:
    slow = replace(flow(exponential(MEAN_H)), pace=np.array([2.0]))
    assert Chances(slow).of(orders(0, 20.0, stages=1))[0] == pytest.approx(np.exp(-1), abs=0.01)


def test_segments_have_paces_of_their_own() -> None:
    table = np.array([[1.0, 3.0, 1.0]])
    mixed = replace(flow(exponential(MEAN_H)), segment_pace=(table,))
    some = replace(orders(0, 15.0, 15.0, 15.0, stages=1), values=np.array([[0], [1], [7]]))
    assert Chances(mixed).of(some) == pytest.approx(np.exp([-1.5, -0.5, -1.5]), abs=0.01)


def test_tables_say_the_same_as_the_law_between_their_points() -> None:
    """A thousand orders share 64 ages; each chance is as near to its own as the grid is fine."""
    law = StayLaw(np.array([0.0, 5.0, 9.0, 30.0]), np.array([0.0, 0.3, 1.0, 2.0]))
    ages = np.random.default_rng(1).uniform(0, 60, 1_000)
    many = replace(orders(0, *([12.0] * 1_000), stages=1), since=NOW - (ages * HOUR_US).astype(np.int64))
    expected = law.staying(ages + 12.0) / law.staying(ages)
    assert Chances(flow(law)).of(many) == pytest.approx(expected, abs=0.02)


def test_rare_combinations_of_segments_share_one_table() -> None:
    values = np.concatenate([np.repeat(np.arange(30), 2), np.repeat(99, 5)])[:, np.newaxis]
    kind, combinations = kinds_of(values)
    assert len(combinations) == MOST_KINDS
    assert combinations[kind[-1], 0] == 99
    assert combinations[-1, 0] == -1
    known = kind < MOST_KINDS - 1
    assert (combinations[kind[known], 0] == values[known, 0]).all()


def test_a_promise_of_a_year_does_not_blur_those_of_days() -> None:
    slack = [*np.full(2_000, 20.0), 8_760.0]
    forecast = Forecast(flow(exponential(MEAN_H)), orders(0, *slack, stages=1))
    assert forecast.clock.step_us < HOUR_US / 4
    assert forecast.chance[0] == pytest.approx(np.exp(-2), abs=0.01)
    assert forecast.chance[-1] < 0.15


def test_a_stage_that_keeps_its_budget_lets_nobody_stay_longer() -> None:
    clock = Clock(NOW, HOUR_US, 60)
    slow = flow(exponential(MEAN_H), exponential(1e6))
    entered_now = [Passage(slow, slow.pace, clock, capped).late[2][0] for capped in (None, 1)]
    assert entered_now[0][40] > 0.99
    assert entered_now[1][[15, 25]].tolist() == pytest.approx([1.0, 0.0], abs=0.01)
