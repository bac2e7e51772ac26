"""The limits: as wide as chance asks for, wider where a reference's weeks are wilder, and none where nobody left."""

from __future__ import annotations

import numpy as np

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
    return Flow(time, left, time.sum(axis=2), np.zeros((1, HOURS), dtype=np.int64), np.arange(HOURS) % WEEK_H)


def limits(departures: np.ndarray) -> np.ndarray:
    """Return the limits [2, G] of that stage."""
    return np.asarray(calibrate(flow(departures), WEEK, np.ones((1, HOURS)), np.random.default_rng(0))[:, 0])


def test_pure_chance_needs_limits_as_wide_as_theory_has_them() -> None:
    """Two an hour: one in about exp(h) excursions passes h; half a year has some hundred, and three in 100 may page."""
    found = limits(np.random.default_rng(1).poisson(2.0, (1, HOURS)))
    assert 6 < found[0, 0] < 14


def test_orders_that_leave_in_batches_widen_the_limits() -> None:
    """As many in the mean, ten at a time: such weeks are wilder than chance, and more is needed to prove anything."""
    rng = np.random.default_rng(2)
    single = limits(rng.poisson(2.0, (1, HOURS)))
    batches = limits(10 * rng.poisson(0.2, (1, HOURS)))
    assert batches[0, 0] > 2.5 * single[0, 0]


def test_few_departures_are_no_test_of_a_segment_and_a_blind_one_of_all() -> None:
    """A segment below FEWEST has no limit to exceed; all orders have one however few left."""
    few = np.zeros((2, HOURS), dtype=np.int64)
    few[:, : FEWEST - 1] = 1
    found = limits(few)
    assert np.isfinite(found[:, 0]).all()
    assert np.isinf(found[:, 1]).all()
    assert np.isinf(limits(np.zeros((2, HOURS), dtype=np.int64))).all()
