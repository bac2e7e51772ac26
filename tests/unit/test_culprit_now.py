"""The stage that makes open promises break now: what would not break, had that stage kept its budget."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.signals.culprit_now import MOST_ORDERS, culprit_now
from collectors.signals.stays import HOUR_US, StayLaw, exponential
from collectors.timelines.codebook import NO_BUDGET
from tests.unit.test_chances import flow, orders

if TYPE_CHECKING:
    from collectors.signals.flights import InFlight

QUICK = exponential(0.5)
# Nobody leaves before 30 hours, then soon all do; the budget of every stage here is 20 hours.
SLOW = StayLaw(np.array([0.0, 30.0, 31.0]), np.array([0.0, 1e-9, 20.0]))


def spent(flight: InFlight, stage: int, hours: float) -> InFlight:
    """Return the orders with so much time in a stage behind them."""
    flight.inside_us[:, stage] = round(hours * HOUR_US)
    return flight


def test_the_stage_ahead_that_outlasts_its_budget_is_the_culprit() -> None:
    """Thirty hours instead of twenty, with twenty-five left: all would be saved."""
    found = culprit_now(flow(QUICK, SLOW), orders(0, *[25.0] * 10))
    assert found.stage == 1
    assert found.expected == pytest.approx(10, abs=0.1)
    assert found.ratio == pytest.approx(1.0, abs=0.02)
    assert found.rescued[0] == pytest.approx(0.0, abs=0.1)


def test_the_stage_that_an_order_is_in_is_the_culprit_while_it_stays_too_long() -> None:
    """After 28 hours in a stage of twenty an order needs two more; it has one left, and would have had nine."""
    found = culprit_now(flow(SLOW, QUICK), orders(0, *[1.0] * 4, age_h=28.0))
    assert found.stage == 0
    assert found.ratio == pytest.approx(1.0, abs=0.05)


def test_the_time_lost_in_a_stage_behind_is_its_own() -> None:
    """The first stage took 50 hours of its 20; of the slow one's ten too many, five too few are left."""
    flight = spent(orders(1, *[5.0] * 4, age_h=10.0), 0, 50.0)
    found = culprit_now(flow(QUICK, SLOW), flight)
    assert found.stage == 0
    assert found.rescued[0] == pytest.approx(4, abs=0.1)
    assert found.rescued[1] == pytest.approx(0, abs=0.1)


def test_where_no_stage_alone_is_to_blame_nobody_is() -> None:
    """Five hours are left, and what lies ahead takes twenty at the least: no budget kept would save it."""
    found = culprit_now(flow(SLOW, SLOW), orders(0, 5.0))
    assert (found.stage, found.ratio) == (None, None)
    assert found.expected == pytest.approx(1.0, abs=0.01)


def test_nothing_open_nothing_broken_nobody_to_blame() -> None:
    assert culprit_now(flow(QUICK, SLOW), orders(0)).stage is None
    safe = culprit_now(flow(QUICK, QUICK), orders(0, 500.0))
    assert (safe.stage, safe.ratio) == (None, None)


def test_stages_without_a_budget_and_pauses_are_never_the_culprit() -> None:
    free = replace(flow(QUICK, SLOW), budget_us=np.array([20 * HOUR_US, NO_BUDGET]))
    assert culprit_now(free, orders(0, *[25.0] * 5)).stage is None
    paused = flow(QUICK, SLOW, pauses=(1,))
    assert culprit_now(paused, orders(0, *[25.0] * 5)).rescued[1] == 0


def test_of_very_many_orders_some_speak_for_all() -> None:
    many = culprit_now(flow(QUICK, SLOW), orders(0, *[25.0] * (3 * MOST_ORDERS)))
    assert many.expected == pytest.approx(3 * MOST_ORDERS, rel=0.02)
    assert many.rescued[1] == pytest.approx(3 * MOST_ORDERS, rel=0.03)
