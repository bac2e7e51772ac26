"""What was to be expected of each hour since the reference, by hand: by its rates, by the budgets, less maintenance."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.promise.model import Calendar
from collectors.signals.ledger import AGES, HOUR_US, WEEK_H, Ledger
from collectors.signals.monitor import Observed, observe, signals
from collectors.signals.rates import AHEAD, Rates
from collectors.signals.scope import Scope
from tests.unit.test_signals_flow import reference
from tests.unit.test_signals_ledger import START, ledger, visits

if TYPE_CHECKING:
    from collectors.signals.reference import Reference

SCOPE = Scope(("queue", "work"), ("all", "b2b"), np.array([-1, 4 * HOUR_US]), np.array([False, True]))
MONDAY = START + 4 * 24  # START is a Thursday
GOES = 1 - exp(-0.1)  # the share of those there as an hour begins who leave in it, at a rate of a tenth


def known(end_h: float, rate: float = 0.1) -> Reference:
    """Return a reference that ended so many hours after START, by which orders leave at one rate at any age."""
    rates = Rates(
        age=np.full((2, 2, AGES), rate),
        slot=np.ones((2, 2, WEEK_H)),
        ahead=np.ones((2, AHEAD)),
        edges=np.zeros((2, AHEAD - 1)),
        full=np.full(2, np.inf),
        capacity=np.full(2, np.inf),
    )
    return replace(
        reference(5),
        stages=SCOPE.stages,
        end=round((START + end_h) * HOUR_US),
        rates=rates,
        limits=np.full((2, 2, 2), 1.0),
    )


def watched(found: Ledger, end_h: float, now_h: float, scope: Scope = SCOPE, *windows: tuple[float, float]) -> Observed:
    muted = tuple((round((START + begin) * HOUR_US), round((START + end) * HOUR_US)) for begin, end in windows)
    return observe(found, known(end_h), scope, round((START + now_h) * HOUR_US), muted)


@pytest.mark.parametrize(
    ("end_h", "now_h", "first", "hours"), [(10, 14, 10, 4), (10.25, 14.9, 11, 3), (10, 10.9, 10, 0)]
)
def test_whole_hours_are_looked_at_from_the_end_of_the_reference_on(
    end_h: float, now_h: float, first: int, hours: int
) -> None:
    found = watched(ledger(visits((0, 1, 2, None))), end_h, now_h)
    assert (found.first - START, found.seen.shape) == (first, (2, 2, hours))


def test_before_the_end_of_the_reference_there_is_nothing_to_look_at() -> None:
    found = ledger(visits((0, 1, 2, None)))
    assert watched(found, 10, 3).seen.shape == (2, 2, 0)
    assert signals(found, known(10), SCOPE, (START + 3) * HOUR_US) == []


def test_of_a_reference_older_than_the_ledger_the_ledger_s_hours_are_looked_at() -> None:
    found = ledger(visits((0, 1, 2, None)))
    assert found.first is not None
    assert watched(found, -2_000, 3).first == found.first


def test_departures_are_expected_of_who_is_inside_at_the_reference_s_rate() -> None:
    """Three orders inside of which one leaves: each leaves in an hour by 1 - exp(-0.1), as an order leaves once."""
    found = watched(ledger(visits((0, 1, 2, None), (0, -1, 2, None), (0, 1, 2, 12.5))), 10, 14)
    assert found.expected[0, 0] == pytest.approx(GOES * np.array([3, 3, 3, 2]))
    assert found.expected[0, 1] == pytest.approx(GOES * np.array([2, 2, 2, 1]))
    assert found.seen[0].tolist() == [[0, 0, 1, 0]] * 2
    assert not found.expected[1].any()


def test_by_the_budget_departures_are_hours_inside_over_it_and_none_where_there_is_none() -> None:
    """Little's law: two inside of four hours each are half a departure an hour."""
    found = watched(ledger(visits((1, 1, 2, None), (1, -1, 2, 11.5), (0, 1, 2, None))), 10, 13)
    assert found.allowed[1, 0] == pytest.approx([2 / 4, 1.5 / 4, 1 / 4])
    assert found.allowed[1, 1] == pytest.approx([1 / 4] * 3)
    assert not found.allowed[0].any()
    assert found.counting.ravel().tolist() == [False, True]


def test_a_budget_in_working_time_counts_working_hours_and_the_rates_all() -> None:
    """From Monday's seven to ten o'clock, of a day that begins at half past eight."""
    begin = MONDAY - START
    scope = replace(SCOPE, calendar=Calendar.model_validate({"hours": "08:30-17:00"}))
    found = watched(ledger(visits((1, 1, begin, None))), begin + 7, begin + 10, scope)
    assert found.allowed[1, 0] == pytest.approx([0, 0.5 / 4, 1 / 4])
    assert found.expected[1, 0] == pytest.approx([GOES] * 3)


def test_in_maintenance_nothing_is_expected_nothing_allowed_and_nobody_seen() -> None:
    found = watched(ledger(visits((1, 1, 2, 11.5), (1, 1, 2, None))), 10, 14, SCOPE, (11, 12.5))
    assert found.expected[1, 0] == pytest.approx(GOES * np.array([2, 0, 0, 1]))
    assert found.allowed[1, 0] == pytest.approx([2 / 4, 0, 0, 1 / 4])
    assert not found.seen.any()


def test_signals_tell_of_the_last_whole_hour_since_when_in_microseconds() -> None:
    """Ten inside of whom nobody leaves: nearly one departure an hour expected, suspected within the first one."""
    found = ledger(visits(*[(0, -1, 2, None)] * 10))
    told = {(one.stage, one.segment): one for one in signals(found, known(10), SCOPE, (START + 40) * HOUR_US)}
    assert list(told) == [("queue", "all"), ("queue", "b2b"), ("work", "all"), ("work", "b2b")]
    one = told["queue", "all"]
    assert one.evidence == 2.0
    assert one.slowdown == pytest.approx((300 * GOES + 0.5) / 0.5)
    assert one.since == (START + 10) * HOUR_US
    assert one.slow
    assert (told["queue", "b2b"].since, told["queue", "b2b"].evidence) == (None, 0)
    assert np.isnan(told["work", "all"].slowdown)
