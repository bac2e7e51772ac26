"""The model of how fast orders leave: it finds what it was made from, and does not mistake a crowd for a slow-down."""

from __future__ import annotations

import numpy as np
import pytest

from collectors.signals.ledger import AGES, WEEK_H
from collectors.signals.rates import Flow, fit_rates

HOURS = 8 * WEEK_H
SLOT = np.arange(HOURS) % WEEK_H


def flow(time: np.ndarray, departures: np.ndarray, wip: np.ndarray) -> Flow:
    """Return the flow of one stage without segments: time and departures [AGES, n], WIP [n]."""
    return Flow(time[np.newaxis, np.newaxis], departures[np.newaxis, np.newaxis], wip[np.newaxis], SLOT)


def spread(values: np.ndarray) -> np.ndarray:
    """Spread values [n] over the first four ages, equally."""
    found = np.zeros((AGES, HOURS))
    found[:4] = values / 4
    return found


def test_the_expected_departures_of_the_reference_are_those_seen() -> None:
    """Whatever the profile, the sums agree; thin evidence draws them towards the mean by a few departures."""
    rng = np.random.default_rng(1)
    inside = rng.poisson(30, HOURS)
    rate = 0.02 * (1 + np.sin(SLOT / 24 * 2 * np.pi))
    seen = rng.poisson(spread(inside) * rate)
    one = flow(spread(inside), seen, inside)
    assert fit_rates(one).expected(one).sum() == pytest.approx(seen.sum(), rel=0.02)


def test_ages_and_hours_of_the_week_are_told_apart() -> None:
    """Orders leave in the second half of the week only, old ones three times as fast."""
    inside = np.full(HOURS, 40)
    rate = np.zeros((AGES, HOURS))
    rate[0], rate[1:4] = 0.05, 0.15
    rate[:, SLOT < 84] = 0
    seen = np.random.default_rng(2).poisson(spread(inside) * rate)
    rates = fit_rates(flow(spread(inside), seen, inside))
    assert rates.age[0, 0, 1] / rates.age[0, 0, 0] == pytest.approx(3, rel=0.15)
    assert rates.slot[0, :72].max() < 0.2 * rates.slot[0, 96:].min()


def _served(capacity: float, wip: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return time and departures of a queue that a fixed number leave per hour, however long it is."""
    time = spread(wip)
    share = np.divide(time, wip, out=np.zeros_like(time), where=wip > 0)
    return time, np.random.default_rng(seed).poisson(capacity * share)


def test_where_a_fixed_number_is_served_a_crowd_is_no_slow_down() -> None:
    """Fitted on queues of 10 to 40, a queue of 200 is expected to let go as many an hour as ever."""
    wip = np.random.default_rng(4).integers(10, 41, HOURS)
    rates = fit_rates(flow(*_served(3.0, wip, 5), wip))
    assert rates.beyond[0] == pytest.approx(-1, abs=0.15)
    crowd = np.full(HOURS, 200)
    assert rates.expected(flow(*_served(3.0, crowd, 6), crowd)).mean() == pytest.approx(3.0, rel=0.2)


def test_where_orders_move_independently_a_crowd_leaves_faster() -> None:
    """Fitted on 10 to 40 inside, 80 inside are expected to leave twice as fast as 40."""
    rng = np.random.default_rng(7)
    wip = rng.integers(10, 41, HOURS)
    time = spread(wip)
    rates = fit_rates(flow(time, rng.poisson(0.05 * time), wip))
    assert rates.beyond[0] == pytest.approx(0, abs=0.15)
    crowd = np.full(HOURS, 80)
    assert rates.expected(flow(spread(crowd), spread(crowd), crowd)).mean() == pytest.approx(4.0, rel=0.1)


def test_a_segment_has_its_own_pace_and_a_thin_one_that_of_all() -> None:
    """Segment 1 leaves half as fast as the rest, segment 2 was seen twice."""
    rng = np.random.default_rng(8)
    wip = np.full(HOURS, 30)
    whole, half, thin = spread(wip), spread(wip / 2), spread(wip / 3000)
    seen_half = rng.poisson(0.03 * half)
    seen = seen_half + rng.poisson(0.09 * half)
    departures = np.stack([seen, seen_half, np.zeros_like(seen)])[np.newaxis]
    three = Flow(np.stack([whole, half, thin])[np.newaxis], departures, wip[np.newaxis], SLOT)
    rates = fit_rates(three)
    assert rates.age[0, 1, :4].mean() / rates.age[0, 0, :4].mean() == pytest.approx(0.5, rel=0.1)
    assert rates.age[0, 2, :4].mean() / rates.age[0, 0, :4].mean() == pytest.approx(1, rel=0.25)


def test_a_stage_that_nobody_ever_left_expects_next_to_nothing() -> None:
    """No division by nothing, no infinite rates."""
    nothing = np.zeros((AGES, HOURS))
    empty = flow(nothing, nothing.astype(np.int64), np.zeros(HOURS, dtype=np.int64))
    assert fit_rates(empty).expected(empty).sum() == 0
    assert np.isfinite(fit_rates(empty).age).all()
