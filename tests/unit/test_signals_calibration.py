"""The limits: as wide as chance asks for, wider where a reference's weeks are wilder, and none where nobody left."""

from __future__ import annotations

import numpy as np
import pytest

from collectors.signals.calibration import FEWEST, calibrate
from collectors.signals.ledger import AGES, WEEK_H
from collectors.signals.rates import Flow

HOURS = 8 * WEEK_H
WEEK = np.arange(HOURS) // WEEK_H


def flow(departures: np.ndarray) -> Flow:
    """Return the flow of one stage, 50 always inside: departures [G, n]."""
    time = np.zeros((1, len(departures), AGES, HOURS))
    time[:, :, 2] = 50
    left = np.zeros(time.shape, dtype=np.int64)
    left[0, :, 2] = departures
    ahead = np.zeros((1, HOURS), dtype=np.int64)
    spent = time.sum(axis=2)
    return Flow(time, time[:, 0], left, spent, ahead, np.arange(HOURS) % WEEK_H, spent.astype(np.int64))


def limits(departures: np.ndarray, *, queues: bool = False) -> np.ndarray:
    """Return the limits [2, G] of that stage."""
    rng = np.random.default_rng(0)
    return np.asarray(calibrate(flow(departures), WEEK, np.ones((1, HOURS)), rng, queues=queues)[:, 0])


def test_pure_chance_needs_limits_as_wide_as_theory_has_them() -> None:
    """One in ten hours: one in about exp(h) excursions passes h; half a year has 100, and one in seven may page."""
    found = limits(np.random.default_rng(1).poisson(0.1, (1, HOURS)))
    assert 4 < found[0, 0] < 10


def test_where_orders_wait_for_each_other_more_is_needed() -> None:
    """The same weeks: what queues have in store no few weeks can tell."""
    weeks = np.random.default_rng(3).poisson(0.1, (1, HOURS))
    assert limits(weeks, queues=True)[0, 0] > limits(weeks)[0, 0] + 0.5


def test_a_limit_is_no_less_than_a_slow_down_gathers_in_the_time_that_it_must_last() -> None:
    """A hundred an hour: a day of 1.6 times fewer departures gathers 100 x 24 x (1 - 1/1.6 - ln(1.6)/1.6)."""
    found = limits(np.random.default_rng(4).poisson(100.0, (1, HOURS)))
    assert found[0, 0] == pytest.approx(2400 * (1 - 1 / 1.6 - np.log(1.6) / 1.6), rel=0.01)


def test_orders_that_leave_in_batches_widen_the_limits() -> None:
    """As many in the mean, ten at a time: such weeks are wilder than chance, and more is needed to prove anything."""
    rng = np.random.default_rng(2)
    single = limits(rng.poisson(1.0, (1, HOURS)))
    batches = limits(10 * rng.poisson(0.1, (1, HOURS)))
    assert batches[0, 0] > 2.5 * single[0, 0]


def test_few_departures_are_no_test_of_a_segment_and_a_blind_one_of_all() -> None:
    """A segment below FEWEST has no limit to exceed; all orders have one however few left."""
    few = np.zeros((2, HOURS), dtype=np.int64)
    few[:, : FEWEST - 1] = 1
    found = limits(few)
    assert np.isfinite(found[:, 0]).all()
    assert np.isinf(found[:, 1]).all()
    assert np.isinf(limits(np.zeros((2, HOURS), dtype=np.int64))).all()
