"""What the burn rates of the drills make of orders shipped, minute by minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from collectors.signals.ledger import Visits
from collectors.timelines.measuring import NEVER
from tests.drills.controls import Burnt, Shipped, burning, burnt, shipped
from tests.drills.healthy import Run, figures
from tests.drills.histories import BEGIN_US, DAY_US, REFERENCE_TO, Life
from tests.drills.judging import MULTIPLES
from tests.drills.sloth import RECIPE, Rate, burn_rules

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FIRST_US: Final = BEGIN_US + REFERENCE_TO * DAY_US
MINUTE_US: Final = 60_000_000
PROMISE_US: Final = 3 * MINUTE_US


def minutes(every: str, broken: str) -> Shipped:
    """Return the orders of each minute, a figure a minute."""
    return Shipped(*(np.array([int(one) for one in counts]) for counts in (every, broken)))


def on(alarm: NDArray[np.bool_]) -> str:
    """Return an alarm, a figure a minute."""
    return "".join(str(int(one)) for one in alarm)


def lived(*orders: tuple[float, int, int]) -> Life:
    """Return a life of orders: the minute in which each is shipped, its lead time and its pauses, in minutes."""
    at, lead, paused = (np.array(column) for column in zip(*orders, strict=True))
    moments = FIRST_US + (at * MINUTE_US).astype(np.int64)
    none = np.zeros(0, dtype=np.int64)
    return Life(
        house="busy",
        days=REFERENCE_TO + 1,
        visits=Visits(none, np.zeros((0, 2), dtype=np.int64), none, none),
        order=none,
        started=moments - lead * MINUTE_US,
        shipped=moments,
        cancelled=np.full(len(orders), NEVER),
        paused=paused * MINUTE_US,
    )


@pytest.mark.parametrize(
    ("every", "broken", "expected"),
    [
        ("010000000", "010000000", "011000000"),  # as long as the short window holds it
        ("100000000", "000000000", "000000000"),
        ("020000000", "010000000", "000000000"),  # at the rate, not over it
        ("030000000", "020000000", "011000000"),
        ("101000000", "001000000", "000000000"),  # the short window is over it, the long one at it
        ("100010000", "000010000", "000011000"),  # which has let go of the first by then
        ("100010100", "000010000", "000011000"),
        ("000000000", "000000000", "000000000"),
    ],
)
def test_a_rate_burns_while_both_windows_exceed_it(every: str, broken: str, expected: str) -> None:
    """Half of the orders here, over two minutes and over four; nothing shipped is nothing exceeded."""
    assert on(burning(minutes(every, broken), [Rate(5.0, 2, 4)], 0.1)) == expected


def test_any_of_the_rates_is_enough() -> None:
    orders = minutes("2000010", "1000010")
    rates = [Rate(9.0, 1, 2), Rate(4.0, 2, 3)]
    assert [on(burning(orders, [rate], 0.1)) for rate in rates] == ["0000010", "1100011"]
    assert on(burning(orders, rates, 0.1)) == "1100011"


def test_a_window_longer_than_the_history_holds_what_there_is() -> None:
    assert on(burning(minutes("110", "010"), [Rate(4.0, 9, 99)], 0.1)) == "011"


def test_orders_count_in_the_minute_in_which_they_are_shipped() -> None:
    """Those of the reference period and after the last day do not, nor do those that are not shipped or started."""
    last = 24 * 60
    life = lived(
        (-0.1, 9, 0), (0, 3, 0), (1.9, 4, 0), (1.0, 5, 2), (7, 9, 0), (8, 9, 0), (last - 0.1, 4, 0), (last, 4, 0)
    )
    life.shipped[4] = life.started[5] = NEVER
    found = shipped(life, PROMISE_US, REFERENCE_TO + 1)
    assert len(found.every) == len(found.broken) == last
    assert {int(at): int(found.every[at]) for at in np.flatnonzero(found.every)} == {0: 1, 1: 2, last - 1: 1}
    assert {int(at): int(found.broken[at]) for at in np.flatnonzero(found.broken)} == {1: 1, last - 1: 1}


def test_a_page_that_comes_back_within_the_hour_is_the_same() -> None:
    """A late order alone burns for as long as half an hour holds it, and makes a ticket for six hours."""
    late = [(minute, 9, 0) for minute in (10, 10 + 30 + 59, 10 + 30 + 59 + 30 + 61)]
    assert burnt(lived(late[0]), PROMISE_US, REFERENCE_TO + 1, RECIPE) == Burnt(1, 1)
    assert burnt(lived(*late[:2]), PROMISE_US, REFERENCE_TO + 1, RECIPE) == Burnt(1, 1)
    assert burnt(lived(*late), PROMISE_US, REFERENCE_TO + 1, RECIPE) == Burnt(2, 1)


def test_without_sloth_its_documented_recipe_is_used_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert burn_rules() is RECIPE
    assert "documented" in RECIPE.origin


def test_the_figures_of_half_years_say_whose_burn_rates_they_are() -> None:
    runs = [Run({multiple: [] for multiple in MULTIPLES}, 0, Burnt(pages, 2)) for pages in (3, 4)]
    found = figures(runs, 365, RECIPE)
    assert found["burn_rates_of"] == RECIPE.origin
    assert found["burn_pages_per_half_year"] == [3, 4]
    assert (found["burn_pages_per_year"], found["burn_tickets_per_year"]) == (3.5, 2.0)
