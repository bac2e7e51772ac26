"""The error budget over a rolling window, spent and forecast, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from collectors.signals.error_budget import WINDOW_US, error_budget, horizon_us

DAY = 86_400_000_000
NOW = 20_000 * DAY


def moments(*days: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return NOW + (np.array(days) * DAY).astype(np.int64)


def test_spent_is_broken_over_what_the_objective_allows_of_those_due() -> None:
    """Twenty were due in the window, one broke: of the one that 95 % allow, all is spent."""
    due = moments(*-np.linspace(1, 27, 20))
    budget = error_budget(due, np.eye(1, 20)[0], NOW, 0.95, 0)
    assert (budget.spent.due, budget.spent.broken) == (20, 1.0)
    assert budget.spent.ratio == pytest.approx(1.0)
    assert budget.forecast == budget.spent


def test_a_promise_due_now_counts_and_one_due_a_window_ago_does_not() -> None:
    budget = error_budget(moments(0, -28, -27.9, 0.1), np.array([1.0, 1.0, 0.0, 1.0]), NOW, 0.5, 0)
    assert (budget.spent.due, budget.spent.broken, budget.spent.ratio) == (2, 1.0, 1.0)


def test_the_forecast_is_the_same_figure_when_the_open_ones_have_come_due() -> None:
    """In 21 days three weeks have fallen off; open ones count by their chances, early finishers as kept."""
    promise_at = moments(-20, -10, -3, 5, 15, 20, 30)
    chance = np.array([1.0, 1.0, 0.0, 0.5, 0.0, 0.25, 1.0])
    budget = error_budget(promise_at, chance, NOW, 0.9, 21 * DAY)
    assert (budget.spent.due, budget.spent.broken) == (3, 2.0)
    assert (budget.forecast.due, budget.forecast.broken) == (4, 0.75)
    assert budget.forecast.ratio == pytest.approx(0.75 / 0.4)


def test_where_nothing_is_due_nothing_is_a_share_of_it() -> None:
    none = error_budget(moments(), np.zeros(0), NOW, 0.95, 7 * DAY)
    assert none.spent.ratio is None
    assert none.forecast.ratio is None


def test_an_objective_of_all_leaves_no_budget_to_be_a_share_of() -> None:
    budget = error_budget(moments(-1), np.ones(1), NOW, 1.0, 0)
    assert (budget.spent.broken, budget.spent.ratio) == (1.0, None)


def test_the_forecast_looks_no_farther_than_the_window_is_long() -> None:
    assert error_budget(moments(-1), np.ones(1), NOW, 0.9, 90 * DAY).ahead_us == WINDOW_US
    assert error_budget(moments(-1), np.ones(1), NOW, 0.9, -DAY).ahead_us == 0


def test_the_horizon_is_the_length_of_the_shorter_promises() -> None:
    assert horizon_us(np.full(10, 21 * DAY)) == 21 * DAY
    assert horizon_us(np.arange(1, 12) * DAY) == 2 * DAY
    assert horizon_us(np.full(3, 90 * DAY)) == WINDOW_US
    assert horizon_us(np.zeros(0, dtype=np.int64)) == 0
    assert horizon_us(np.array([-3 * DAY])) == 0
