"""The flow of each stage, counted by hand: rates of the last seven days, who is inside and since when, utilisation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collectors.signals.flow import StageFlow, flows
from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger
from collectors.signals.reference import Reference
from collectors.signals.scope import Scope
from tests.unit.test_signals_ledger import START, ledger, visits

SCOPE = Scope(("checking", "making"), ("all", "b2b"), np.array([-1, -1]), np.zeros(2, dtype=np.bool_))
NOW_H = 200
WEEK_S = 7 * 86_400


def reference(busiest: int) -> Reference:
    """Return a reference of known figures, of which the flow asks neither rates nor limits."""
    hours = np.arange(8.0).reshape(2, 2, 2)
    return Reference(
        stages=SCOPE.stages,
        segments=SCOPE.segments,
        begin=0,
        end=1,
        rates=None,  # type: ignore[arg-type]
        departures=np.array([[40, 30], [20, 10]]),
        mean_h=np.ones((2, 2)),
        age_h=hours,
        busiest=np.full((2, 2), busiest),
        limits=np.ones((2, 2, 2)),
    )


def flow(found: Ledger, known: Reference | None = None, hour: float = NOW_H) -> dict[tuple[str, str], StageFlow]:
    moment = round((START + hour) * HOUR_US)
    return {(one.stage, one.segment): one for one in flows(found, known, SCOPE, moment)}


def test_rates_count_the_seven_days_before_the_whole_hour() -> None:
    """Of five entries one is from before these days and one from the hour that is not over; so are departures."""
    moments = [NOW_H - WEEK_H - 0.5, NOW_H - WEEK_H, NOW_H - 100, NOW_H - 0.5, NOW_H + 0.25]
    found = flow(ledger(visits(*[(1, 1, at, at) for at in moments], (0, -1, 190, None))), hour=NOW_H + 0.5)
    for segment in ("all", "b2b"):
        one = found["making", segment]
        assert (one.arrivals_per_s * WEEK_S, one.departures_per_s * WEEK_S) == pytest.approx((3, 3))
    assert (found["checking", "all"].arrivals_per_s * WEEK_S, found["checking", "all"].departures_per_s) == (1, 0)
    assert found["checking", "b2b"].arrivals_per_s == 0


def test_the_orders_inside_are_counted_with_their_ages() -> None:
    """Of ten inside, six came just now and age an hour within the hour; four are in the bin of 72 to 96 hours.

    Of these ten hours, five are over at fifty minutes of age; nine, where three of the old ones' four are.
    """
    young = [(0, -1, NOW_H - 1e-6, None)] * 6
    old = [(0, 1, NOW_H - 80, None)] * 4
    left = (0, 1, NOW_H - 20, NOW_H - 0.5)
    one = flow(ledger(visits(*young, *old, left)))["checking", "all"]
    assert one.wip == 10
    assert one.age_s == pytest.approx((3_000, (72 + 24 * 3 / 4) * 3_600), rel=1e-4)
    b2b = flow(ledger(visits(*young, *old, left)))["checking", "b2b"]
    assert b2b.wip == 4
    assert b2b.age_s == pytest.approx((84 * 3_600, (72 + 24 * 0.9) * 3_600))


def test_where_nobody_is_there_is_no_age() -> None:
    one = flow(ledger(visits((0, -1, 1, 2))), reference(5))["making", "all"]
    assert (one.wip, one.arrivals_per_s) == (0, 0)
    assert all(math.isnan(age) for age in one.age_s)


@pytest.mark.parametrize(("busiest", "utilisation"), [(1, 3.0), (4, 0.75)])
def test_utilisation_is_arrivals_over_the_most_departures_of_a_week_that_there_were(
    busiest: int, utilisation: float
) -> None:
    found = flow(ledger(visits(*[(0, -1, NOW_H - 10, None)] * 3)), reference(busiest))
    assert found["checking", "all"].utilisation == pytest.approx(utilisation)
    assert found["making", "b2b"].utilisation == 0


def test_where_nobody_ever_left_there_is_no_utilisation() -> None:
    found = flow(ledger(visits((0, -1, NOW_H - 10, None))), reference(0))
    assert math.isnan(found["checking", "all"].utilisation)


def test_the_reference_is_told_beside_each_stage_s_own_figures() -> None:
    found = flow(ledger(visits((0, -1, 1, 2))), reference(5))
    assert [one.reference_departures for one in found.values()] == [40, 30, 20, 10]
    assert [one.reference_age_s for one in found.values()] == [(h * 3_600, (h + 4) * 3_600) for h in range(4)]
    assert list(found) == [(stage, segment) for stage in SCOPE.stages for segment in SCOPE.segments]


def test_without_a_reference_there_is_nothing_beside_them() -> None:
    one = flow(ledger(visits((0, -1, NOW_H - 1, None))))["checking", "all"]
    assert one.reference_departures == 0
    assert all(math.isnan(value) for value in (one.utilisation, *one.reference_age_s))


def test_of_a_ledger_that_holds_nothing_all_rates_are_nought() -> None:
    empty = Ledger(2, 2)
    empty.advance((START + NOW_H) * HOUR_US)
    found = flow(empty, reference(5))
    assert {(one.arrivals_per_s, one.departures_per_s, one.wip) for one in found.values()} == {(0, 0, 0)}
