"""Stages over their budgets in a house without a reference: told soon and by name, and not where budgets are kept."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.promise.model import Calendar
from collectors.signals.by_budget import SUSPECTED, WIDER, WIDER_IN_QUEUES, over_budget
from collectors.signals.cusum import SLOWER, ratios
from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger, Visits
from collectors.signals.scope import Muted, Scope
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.signals.monitor import StageSignal

    Floats = NDArray[np.float64]

# A Monday at midnight (UTC), in hours since 1970.
MONDAY = 490_992
BUDGETS_H = (20, 40)
SCOPE = Scope(
    ("checking", "making", "elsewhere"),
    ("all", "channel=b2b"),
    np.array([*(hours * HOUR_US for hours in BUDGETS_H), -1]),
    np.zeros(3, dtype=np.bool_),
)
QUEUED = replace(SCOPE, queues=((0, 1),))


def steady(*mean_h: float, weeks: float = 5, every_h: float = 4, stays: int = 10**9) -> Ledger:
    """Return a ledger of orders that come to each stage every few hours, and stay there for so long each.

    ``stays``: from which order on nobody leaves any more.
    """
    hours = round(weeks * WEEK_H)
    found = Ledger(3, 2)
    for stage, mean in enumerate(mean_h):
        # From long before, so that the house is full as it begins.
        entered = np.arange(-600.0, hours, every_h)
        left = np.where(np.arange(len(entered)) < stays, entered + mean, hours)
        found.add(visits(stage, entered, left, hours))
    found.advance((MONDAY + hours) * HOUR_US)
    return found


def visits(stage: int, entered: Floats, left: Floats, hours: int) -> Visits:
    """Return visits by the hours after Monday; who leaves later than ``hours`` is still inside."""
    moments = np.where(left < hours, microseconds(left), NEVER)
    return Visits(np.full(len(entered), stage), np.full((len(entered), 1), -1), microseconds(entered), moments)


def microseconds(hours: Floats) -> NDArray[np.int64]:
    """Return the moments so many hours after Monday."""
    return np.rint((MONDAY + hours) * HOUR_US).astype(np.int64)


def told(ledger: Ledger, scope: Scope = SCOPE, *, weeks: float = 5, muted: Muted = ()) -> dict[str, StageSignal]:
    """Return the signals as of so many weeks after Monday."""
    now = round((MONDAY + weeks * WEEK_H) * HOUR_US)
    return {found.stage: found for found in over_budget(ledger, scope, MONDAY, now, muted)}


def test_a_stage_that_takes_twice_its_budget_is_told_by_name_with_how_much() -> None:
    found = told(steady(40, 40, weeks=8), weeks=8)
    assert found["checking"].over_budget
    assert found["checking"].budget_ratio == pytest.approx(2, rel=0.02)
    assert not found["making"].over_budget
    assert found["making"].budget_evidence < 0.2


def test_what_only_a_reference_can_tell_is_not_told_and_segments_wait_for_one() -> None:
    found = over_budget(steady(40, 40), SCOPE, MONDAY, (MONDAY + 5 * WEEK_H) * HOUR_US)
    assert [(one.stage, one.segment) for one in found] == [(stage, "all") for stage in SCOPE.stages]
    for one in found:
        assert np.isnan([one.slowdown, one.lower, one.upper, one.evidence]).all()
        assert one.since is None
        assert not one.slow


def test_a_stage_without_a_budget_is_never_over_it() -> None:
    found = told(steady(40, 40, 900, weeks=8), weeks=8)["elsewhere"]
    assert np.isnan(found.budget_ratio)
    assert found.budget_evidence == 0
    assert not found.over_budget


@pytest.mark.parametrize("times", [1.0, 1.25])
def test_a_stage_that_is_less_than_the_effect_over_its_budget_is_not_told(times: float) -> None:
    assert not told(steady(20 * times, 40, weeks=50), weeks=50)["checking"].over_budget


def test_nothing_is_told_before_a_week_has_passed_and_then_it_is() -> None:
    ledger = steady(200, 40, weeks=2, every_h=1)
    assert told(ledger, weeks=1 - 1 / WEEK_H) == {}
    assert told(ledger, weeks=1)["checking"].over_budget
    assert told(Ledger(3, 2)) == {}


def test_the_limit_is_that_of_pure_chance_by_the_volume_parted_among_the_stages_and_widened() -> None:
    ledger, hours = steady(30, 40), 5 * WEEK_H - 3  # the last order comes three hours before the end
    left = ledger.departures(MONDAY, MONDAY + hours)[0, 0].sum()
    chance = log(left / hours * 26 * WEEK_H * 2 / 0.15)
    steps = 30 / 20 * left * (1 - 1 / SLOWER) - left * log(SLOWER)
    one, other = told(ledger)["checking"], told(ledger, QUEUED)["checking"]
    assert one.budget_evidence == pytest.approx(steps / (WIDER * chance), rel=0.05)
    assert one.budget_evidence == pytest.approx(other.budget_evidence * WIDER_IN_QUEUES / WIDER)


def test_the_widths_are_those_that_false_tickets_were_counted_with() -> None:
    """Whoever changes them counts anew: docs/signals.md tells what came of these."""
    assert (WIDER, WIDER_IN_QUEUES, SUSPECTED) == (2.0, 4.0, 0.1)


def test_evidence_is_the_sum_as_of_the_last_hour_over_the_limit() -> None:
    ledger, hours = steady(900, 40, weeks=3, stays=0), 3 * WEEK_H - 3
    scope = replace(SCOPE, budget_us=np.array([10_000, 40, -1]) * HOUR_US)
    allowed = ledger.time(MONDAY, MONDAY + hours)[0, 0].sum() / 10_000
    found = told(ledger, scope, weeks=3)["checking"].budget_evidence
    assert found == pytest.approx(allowed * (1 - 1 / SLOWER) / (WIDER * log(2 / 0.15)))


def test_where_many_orders_pass_the_limit_is_what_a_week_of_a_slower_stage_gathers() -> None:
    # Three times its budget, a stage gathers it in a fraction of a week; no more than twice the limit is told.
    found = told(steady(60, 40, every_h=0.05))["checking"]
    assert found.budget_evidence == pytest.approx(2)
    ledger = steady(32, 40, every_h=0.05, weeks=2)
    weeks = 1.2
    assert told(ledger, weeks=weeks)["checking"].budget_evidence == pytest.approx(weeks * SLOWER, rel=0.02)
    assert WEEK_H * ratios(np.array(20), np.array(20 / SLOWER), SLOWER) > WIDER * log(20 * 26 * WEEK_H * 2 / 0.15)


def test_a_stage_that_nobody_ever_leaves_is_told() -> None:
    found = told(steady(900, 40, weeks=3, stays=0), weeks=3)["checking"]
    assert found.over_budget
    assert found.budget_ratio > 100


def test_a_past_that_is_still_being_read_in_is_judged_up_to_the_last_order_that_came() -> None:
    ledger = steady(10, 20, weeks=2)
    ledger.advance((MONDAY + 40 * WEEK_H) * HOUR_US)
    # Who came last seems to be inside to this day.
    before, after = told(ledger, weeks=2), told(ledger, weeks=40)
    assert repr(after) == repr(before)
    assert not after["checking"].over_budget


def test_hours_of_maintenance_and_closed_days_count_for_nothing() -> None:
    ledger = steady(60, 40)
    window = ((MONDAY * HOUR_US, (MONDAY + 4 * WEEK_H) * HOUR_US),)
    assert told(ledger)["checking"].over_budget
    assert not told(ledger, muted=window)["checking"].over_budget
    days = [*(f"2026-01-{day:02}" for day in range(5, 32)), *(f"2026-02-{day:02}" for day in range(1, 5))]
    closed = Calendar.model_validate({"closed": days})
    assert not told(ledger, replace(SCOPE, calendar=closed))["checking"].over_budget


def test_a_budget_of_working_time_counts_working_hours_only() -> None:
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    calendar = Calendar.model_validate({"weekdays": days, "hours": "08:00-16:00"})
    scope = replace(SCOPE, calendar=calendar, working=np.array([True] * 3))
    # 60 hours are 20 of working time.
    assert told(steady(60, 240, weeks=8), scope, weeks=8)["making"].over_budget
    assert told(steady(60, 240, weeks=8), scope, weeks=8)["checking"].budget_evidence < 0.2
    assert told(steady(60, 240, weeks=8), weeks=8)["checking"].over_budget


def test_what_is_held_against_a_queue_is_put_down_to_the_work_that_it_waits_for() -> None:
    ledger = steady(90, 70, weeks=8)
    apart, joined = told(ledger, weeks=8), told(ledger, QUEUED, weeks=8)
    assert apart["checking"].over_budget
    assert joined["checking"].budget_evidence == pytest.approx(0.99)
    assert joined["making"].over_budget
    # While little is known of the work itself, what is held against its queue is told of it.
    early = steady(300, 56, weeks=2)
    assert told(early, weeks=2)["making"].budget_evidence < 0.5
    assert told(early, QUEUED, weeks=2)["making"].over_budget
    # Work that keeps its budget has nothing to answer for.
    assert told(steady(90, 40, weeks=8), QUEUED, weeks=8)["checking"].over_budget
    # So has work that is a little over it, however long: here its sum is beyond the evidence that makes it suspected.
    little = told(steady(90, 51, weeks=16), QUEUED, weeks=16)
    assert SUSPECTED <= little["making"].budget_evidence < 1
    assert little["checking"].over_budget
    # And a queue that keeps its own takes nothing from the work.
    alone = told(steady(10, 70, weeks=8), QUEUED, weeks=8)
    assert alone["making"].budget_evidence == pytest.approx(apart["making"].budget_evidence)


def test_a_weekend_on_which_nobody_works_does_not_make_a_stage_slow() -> None:
    # Nobody leaves from Friday evening to Monday morning; in the mean, an order stays for just the budget.
    at = np.arange(-600, 6 * WEEK_H, 0.1)
    free = at % WEEK_H
    left = np.where((free >= 100) & (free < WEEK_H), at + WEEK_H - free + (free - 100) / 20, at + 1)
    mean = float((left - at).mean())
    ledger = Ledger(3, 2)
    ledger.add(visits(0, at, left, 6 * WEEK_H))
    ledger.advance((MONDAY + 6 * WEEK_H) * HOUR_US)
    budget = np.array([round(mean * HOUR_US), -1, -1])
    for hour in range(2 * WEEK_H, 6 * WEEK_H, 6):
        found = told(ledger, replace(SCOPE, budget_us=budget), weeks=hour / WEEK_H)
        assert not found["checking"].over_budget, hour
    slow = replace(SCOPE, budget_us=budget * 10 // 16)
    assert told(ledger, slow, weeks=6)["checking"].over_budget


def test_what_is_told_is_over_some_weeks_after_its_cause() -> None:
    at = np.arange(-600.0, 12 * WEEK_H, 4)
    ledger = Ledger(3, 2)
    ledger.add(visits(0, at, at + np.where(at < 6 * WEEK_H, 60, 10), 12 * WEEK_H))
    ledger.advance((MONDAY + 12 * WEEK_H) * HOUR_US)
    assert told(ledger, weeks=6)["checking"].over_budget
    assert told(ledger, weeks=6 + 3 / 7)["checking"].over_budget
    assert not told(ledger, weeks=10)["checking"].over_budget
