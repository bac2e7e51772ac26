"""From tables to orders: the grid that a forecast chooses, and what it reads from its tables for each order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.signals.chances import Chances, Forecast, kinds_of
from collectors.signals.stays import HOUR_US, StayLaw, exponential
from tests.unit.test_chances import NOW, flow, orders

if TYPE_CHECKING:
    from collectors.signals.flights import InFlight

LAW = StayLaw(np.array([0.0, 3.0, 7.0, 11.0, 30.0]), np.array([0.0, 0.4, 0.5, 1.9, 4.0]))


def aged(ages_h: list[float], slacks_h: list[float]) -> InFlight:
    """Return orders in the only stage, each of its own age."""
    since = NOW - (np.array(ages_h) * HOUR_US).astype(np.int64)
    return replace(orders(0, *slacks_h, stages=1), since=since)


def on_grid(law: StayLaw, age: float, slack: float) -> float:
    """Return the chance to stay beyond a deadline as a grid of hours tells it: straight lines between its moments."""
    moments = np.floor(slack) + np.array([0.0, 1.0])
    borders = np.maximum(moments[:, np.newaxis] + np.array([-0.5, 0.5]), 0.0)
    chance = (law.staying(age + borders) / law.staying(np.array([age]))).mean(axis=1)
    return float(np.interp(slack, moments, chance))


def test_the_grid_ends_two_steps_beyond_the_farthest_promise() -> None:
    """A hundred and ninety-two moments: promises of 190 hours have steps of an hour."""
    clock = Forecast(flow(LAW), orders(0, 190.0, 190.0, stages=1)).clock
    assert (clock.now, clock.step_us, clock.points) == (NOW, HOUR_US, 192)
    assert Forecast(flow(LAW), orders(0, 150.0, stages=1), beyond_us=40 * HOUR_US).clock.step_us == HOUR_US
    assert Forecast(flow(LAW), orders(0, 10.0, stages=1), points=12).clock.step_us == HOUR_US


def test_no_step_is_shorter_than_a_second() -> None:
    assert Forecast(flow(LAW), orders(0, 0.0, stages=1)).clock.step_us == 1_000_000


def test_an_order_past_its_moment_has_no_time_left_and_no_less() -> None:
    found = Forecast(flow(LAW), orders(0, -5.0, 10.0, 10.0, stages=1), points=12)
    assert found.slack == pytest.approx([0.0, 10.0, 10.0], abs=0.02)


def test_each_order_is_read_at_its_own_age_and_its_own_time_left() -> None:
    """Of up to sixty-four orders every age has a line of its own in the table; beyond that they share lines."""
    ages, slacks = [0.0, 0.7, 2.0, 5.5, 9.0, 9.0, 26.0], [10.0, 0.0, 3.25, 7.5, 1.75, 9.5, 2.5]
    found = Forecast(flow(LAW), aged([*ages, 1.0], [*slacks, 10.0]), points=12).chance[:-1]
    said = [on_grid(LAW, age, slack) for age, slack in zip(ages, slacks, strict=True)]
    assert found == pytest.approx(said, abs=2e-5)


def test_the_only_age_needs_one_line() -> None:
    found = Forecast(flow(LAW), aged([4.0] * 3, [10.0, 2.5, 10.0]), points=12).chance[:2]
    assert found == pytest.approx([on_grid(LAW, 4.0, 10.0), on_grid(LAW, 4.0, 2.5)], abs=2e-5)


def test_orders_of_many_ages_are_read_between_the_lines_of_the_table() -> None:
    """Of 640 orders, one in ten has a line; between two ages the chance goes straight."""
    ages = np.linspace(0.0, 31.5, 640)
    found = Forecast(flow(LAW), aged(ages.tolist(), [10.0] * 640), points=12).chance
    knots = np.linspace(0.0, 31.5, 64)
    said = np.interp(ages, knots, [on_grid(LAW, age, 10.0) for age in knots])
    assert found == pytest.approx(said, abs=1e-4)


def test_between_two_ages_and_two_moments_the_chance_goes_straight_in_both() -> None:
    ages, slacks = np.linspace(0.0, 31.5, 640), np.tile([10.0, 0.25, 3.5, 6.75], 160)
    found = Forecast(flow(LAW), aged(ages.tolist(), slacks.tolist()), points=12).chance
    knots = np.linspace(0.0, 31.5, 64)
    lines = {slack: np.interp(ages, knots, [on_grid(LAW, age, slack) for age in knots]) for slack in set(slacks)}
    said = [lines[slack][place] for place, slack in enumerate(slacks)]
    assert found == pytest.approx(said, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_a_chance_is_never_less_than_none_nor_more_than_certain(seed: int) -> None:
    """Not by a rounding either: a share above 1 would be laughed at."""
    rng = np.random.default_rng(seed)
    stages = int(rng.integers(1, 5))
    laws = [exponential(mean) for mean in rng.uniform(0.5, 400.0, stages)]
    stage, slacks = int(rng.integers(0, stages)), rng.uniform(-1.0, 300.0, 200)
    found = Chances(flow(*laws)).of(orders(stage, *slacks, age_h=rng.uniform(0, 40), stages=stages))
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_a_promise_beyond_the_grid_is_read_at_its_end() -> None:
    """One of two thousand is due far beyond the others: it has what the last moment but a thousandth says."""
    found = Forecast(flow(LAW), aged([2.0] * 2_001, [10.0] * 2_000 + [9_000.0]), points=12)
    assert found.clock.step_us == HOUR_US
    assert found.chance[-1] == pytest.approx(on_grid(LAW, 2.0, 10.999), abs=2e-5)


def test_who_came_back_to_a_stage_goes_by_the_law_of_those_who_came_back() -> None:
    """In the second stage: first visits take ten hours in the mean, later ones two."""
    two = flow(exponential(1.0), exponential(10.0))
    two = replace(two, laws=(*two.laws[:3], exponential(2.0)))
    some = replace(orders(1, 12.0, 12.0, 12.0), again=np.array([False, True, False]))
    assert Chances(two).of(some) == pytest.approx(np.exp([-1.2, -6.0, -1.2]), abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_a_kind_is_a_combination_of_values(seed: int) -> None:
    """Whether an attribute is missing in some orders (-1) or in all of them."""
    rng = np.random.default_rng(seed)
    columns = [rng.integers(-1, 6, 60), rng.integers(-1, 2, 60), np.full(60, -1), np.full(60, 3)]
    values = np.stack([columns[place] for place in rng.permutation(4)], axis=1)
    some = values[np.isin(np.arange(60), rng.permutation(60)[:23]) | (values == values[0]).all(axis=1)]
    kind, combinations = kinds_of(some[:23])
    assert combinations[kind].tolist() == some[:23].tolist()
    assert len(combinations) == len({tuple(row) for row in some[:23].tolist()})


def test_two_dozen_kinds_are_told_apart_and_beyond_that_the_rarest_are_unknown() -> None:
    """So that a forecast never needs more than twenty-four tables a stage."""
    many = np.repeat(np.arange(24), 3)[:, np.newaxis]
    kind, combinations = kinds_of(many)
    assert combinations[kind].tolist() == many.tolist()
    more = np.append(many, [[24]], axis=0)
    kind, combinations = kinds_of(more)
    assert len(combinations) == 24
    assert combinations[kind[-1]].tolist() == [-1]
    told = combinations[kind[:-1]][:, 0]
    assert np.count_nonzero(told == many[:, 0]) == 69
    assert set(told[told != many[:, 0]].tolist()) == {-1}


def test_without_attributes_all_orders_are_of_one_kind() -> None:
    kind, combinations = kinds_of(np.zeros((5, 0), dtype=np.int64))
    assert kind.tolist() == [0] * 5
    assert combinations.shape == (1, 0)
