"""The culprit is the stage that was slowed, and `since` is the day on which that began; healthy houses have neither."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from collectors.promise import load_promise
from collectors.replay import Replay, replay
from collectors.simulation import STAGES, Scenario, parse_slowdown, simulate, write_csv
from collectors.stages.since import change_day, rank_scores, slow_since

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

DAY_US: Final = 86_400_000_000
FIRST_DAY: Final = date(2026, 1, 5)
SLOWED: Final = [stage for stage in STAGES if stage != "customer's turn"]


def house(path: Path, seed: int, *slow: str, orders_per_day: float = 20, days: int = 100) -> Replay:
    """Simulate the jewellery maker and replay the log."""
    slowdowns = tuple(parse_slowdown(text) for text in slow)
    with (path / "log.csv").open("w", encoding="utf-8", newline="") as stream:
        write_csv(simulate(Scenario(days, orders_per_day, seed, slowdowns)), stream)
    return replay(path / "log.csv", load_promise())


@pytest.mark.parametrize("stage", SLOWED)
@pytest.mark.parametrize("seed", [3, 4])
def test_a_stage_eight_days_slower_is_the_culprit_since_that_day(stage: str, seed: int, tmp_path: Path) -> None:
    culprit = house(tmp_path, seed, f"{stage}=+8d@60").document()["culprit"]
    assert culprit["stage"] == stage
    assert abs((date.fromisoformat(culprit["since"]) - FIRST_DAY).days - 60) <= 5


@pytest.mark.parametrize("stage", ["approval", "manufacturing", "packing queue"])
def test_a_stage_1_6_times_slower_is_dated_within_days(stage: str, tmp_path: Path) -> None:
    found = house(tmp_path, 5, f"{stage}=1.6x@60")
    since = found.tally.since(found.tally.codebook.stages.index(stage))
    assert since is not None
    assert abs((date.fromisoformat(since) - FIRST_DAY).days - 60) <= 5


@pytest.mark.parametrize(("seed", "orders_per_day", "days"), [(0, 5, 100), (1, 20, 100), (2, 50, 100), (3, 20, 182)])
def test_a_healthy_house_has_no_day_from_which_its_culprit_was_slow(
    seed: int, orders_per_day: float, days: int, tmp_path: Path
) -> None:
    culprit = house(tmp_path, seed, orders_per_day=orders_per_day, days=days).document()["culprit"]
    assert culprit is None or culprit["since"] is None


def exponential(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    return random.exponential(3, count)


def lognormal(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    return 3 * np.exp(random.normal(0, 1, count))


def heavy_tailed(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return stays of a coefficient of variation of 7, such as real logs have."""
    return 0.5 * np.exp(random.normal(0, 2, count))


def found_in(
    random: np.random.Generator, draw: Draw, *, per_day: int = 20, days: int = 100, factor: float = 1.0, at: int = 60
) -> int | None:
    """Return the change found in orders that enter a stage at random, and stay longer by a factor from a day on."""
    entered = np.sort(random.uniform(0, days, random.poisson(per_day * days)))
    stay = draw(random, len(entered)) * np.where(entered >= at, factor, 1.0)
    return change_in(entered, stay, days)


def change_in(entered: NDArray[np.float64], stay: NDArray[np.float64], end: float) -> int | None:
    """Return the change found in stays (days) in a log that ends at a moment; later leavers are still inside."""
    entered, stay = entered[entered < end], stay[entered < end]
    left = entered + stay <= end
    time_us = (np.where(left, stay, end - entered) * DAY_US).astype(np.int64)
    return change_day(np.floor(entered).astype(np.int32), time_us, left)


@pytest.mark.parametrize("draw", [exponential, lognormal, heavy_tailed])
@pytest.mark.parametrize("per_day", [5, 20])
def test_stationary_stays_show_no_change_in_99_percent_of_500_runs(draw: Draw, per_day: int) -> None:
    random = np.random.default_rng(2026)
    assert sum(found_in(random, draw, per_day=per_day) is not None for _ in range(500)) <= 5


@pytest.mark.parametrize(
    ("draw", "at_least", "within"), [(exponential, 50, 3), (lognormal, 50, 3), (heavy_tailed, 35, 7)]
)
def test_stays_1_6_times_longer_are_dated_within_days(draw: Draw, at_least: int, within: int) -> None:
    """Of 50 runs with 20 orders a day, and half of those found within the days given."""
    random = np.random.default_rng(7)
    found = [day for _ in range(50) if (day := found_in(random, draw, factor=1.6)) is not None]
    assert len(found) >= at_least
    assert np.median(np.abs(np.array(found) - 60)) <= within


def test_orders_still_inside_are_evidence_before_any_has_left() -> None:
    """In a stage that no order leaves any more from day 60 on, the change is found though all of these are inside."""
    random = np.random.default_rng(1)
    entered = np.sort(random.uniform(0, 75, 1_500))
    stay = np.where(entered >= 60, np.inf, random.exponential(2, len(entered)))
    found = change_in(entered, stay, 75)
    assert found is not None
    assert abs(found - 60) <= 3


def test_a_log_that_merely_ends_shows_no_change() -> None:
    """Of the last orders most are still inside after a short stay, which says nothing against the stage."""
    random = np.random.default_rng(2)
    changes = [change_in(np.sort(random.uniform(0, 60, 900)), random.exponential(15, 900), 60) for _ in range(100)]
    assert sum(found is not None for found in changes) <= 3


def test_fewer_than_forty_orders_show_no_change() -> None:
    day = np.arange(39, dtype=np.int32)
    stay = np.where(day >= 20, 50 * DAY_US, DAY_US)
    assert change_day(day, stay, np.ones(39, dtype=np.bool_)) is None
    assert change_day(day[:0], stay[:0], np.ones(0, dtype=np.bool_)) is None


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.1])
def test_a_stage_that_became_faster_or_hardly_slower_is_no_culprit(factor: float) -> None:
    random = np.random.default_rng(3)
    assert found_in(random, lognormal, per_day=200, factor=factor) is None


def test_equal_stays_show_no_change() -> None:
    day = np.repeat(np.arange(100, dtype=np.int32), 5)
    assert change_day(day, np.full(500, DAY_US), np.ones(500, dtype=np.bool_)) is None
    assert change_day(day, np.zeros(500, dtype=np.int64), np.ones(500, dtype=np.bool_)) is None
    assert change_day(day, np.full(500, DAY_US), np.zeros(500, dtype=np.bool_)) is None


def queue(
    random: np.random.Generator, days: int, per_day: int, utilisation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return entries and stays in a queue served first come, first served: orders that wait together."""
    entered = np.sort(random.uniform(0, days, random.poisson(per_day * days)))
    work = random.exponential(utilisation / per_day, len(entered))
    free = 0.0
    stay = np.empty(len(entered))
    for place, (moment, length) in enumerate(zip(entered.tolist(), work.tolist(), strict=True)):
        free = max(moment, free) + length
        stay[place] = free - moment
    return entered, stay


def test_a_healthy_queue_seldom_cries_wolf() -> None:
    """At 85 % utilisation and 20 orders a day, about 6 % of healthy half-years show a change; at 50 %, 1.5 %.

    Where orders wait together a long busy spell is slow indeed, so this is not all error.
    """
    random = np.random.default_rng(4)
    wolves = sum(change_in(*queue(random, 180, 20, 0.85), end=180) is not None for _ in range(60))
    assert wolves <= 8


def test_scores_add_up_to_zero_with_ties_and_orders_inside() -> None:
    random = np.random.default_rng(5)
    for score in rank_scores(random.integers(0, 9, 500) * DAY_US, random.random(500) < 0.7):
        assert abs(score.sum()) < 1e-9


def test_the_day_is_written_as_iso_8601() -> None:
    day = np.repeat(np.arange(20_000, 20_100, dtype=np.int32), 5)
    stay = np.where(day >= 20_060, 5 * DAY_US, DAY_US) + np.arange(500) % 7
    expected = date(1970, 1, 1) + timedelta(days=20_060)
    assert slow_since(day, stay, np.zeros(500, dtype=np.bool_)) == expected.isoformat()
