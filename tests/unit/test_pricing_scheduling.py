"""The fair choice of class: shares of time go by weight, and nobody waits for ever."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.messages import PriceClass
from pricing.workers.model import WEIGHTS
from pricing.workers.scheduling import Fair

ALL: Final = tuple(PriceClass)
SECONDS: Final = st.floats(min_value=0.01, max_value=1.0)


@given(seconds=st.fixed_dictionaries(dict.fromkeys(ALL, SECONDS)))
def test_shares_of_time_go_by_weight_however_long_the_pieces_of_work_are(seconds: dict[PriceClass, float]) -> None:
    """Where all classes wait, none is further from its share than a few pieces of work."""
    fair = Fair()
    used = dict.fromkeys(ALL, 0.0)
    while sum(used.values()) < 120:
        chosen = fair.next(ALL)
        used[chosen] += seconds[chosen]
        fair.used(chosen, seconds[chosen])
    total, weights = sum(used.values()), sum(WEIGHTS.values())
    for one in ALL:
        assert used[one] == pytest.approx(total * WEIGHTS[one] / weights, abs=3)


@given(waits=st.lists(st.tuples(st.sets(st.sampled_from(ALL), min_size=1), SECONDS), max_size=200))
def test_no_class_that_waits_is_left_behind(waits: list[tuple[set[PriceClass], float]]) -> None:
    """Whatever came before: a class that waits from now on has its turn within a dozen and a half choices."""
    fair = Fair()
    for waiting, seconds in waits:
        chosen = fair.next(waiting)
        assert chosen in waiting
        fair.used(chosen, seconds)
    for patient in ALL:
        turns = 0
        while (chosen := fair.next(ALL)) is not patient:
            fair.used(chosen, 1.0)
            turns += 1
        fair.used(chosen, 1.0)
        assert turns <= 2 * sum(WEIGHTS.values())


def test_a_class_that_was_idle_has_saved_nothing() -> None:
    """After an hour of heavy work alone, shop and heavy share from now on: neither makes up for the hour."""
    fair = Fair()
    for _ in range(3600):
        fair.used(fair.next([PriceClass.HEAVY]), 1.0)
    chosen = []
    for _ in range(90):
        chosen.append(fair.next([PriceClass.SHOP, PriceClass.HEAVY]))
        fair.used(chosen[-1], 1.0)
    assert chosen[0] is PriceClass.SHOP
    assert chosen.count(PriceClass.SHOP) == pytest.approx(80, abs=2)


def test_a_rare_request_of_the_shop_is_next() -> None:
    fair = Fair()
    for turn in range(100):
        waiting = {PriceClass.PARTNER, PriceClass.HEAVY} | ({PriceClass.SHOP} if turn % 10 == 0 else set())
        chosen = fair.next(waiting)
        assert (chosen is PriceClass.SHOP) == (turn % 10 == 0)
        fair.used(chosen, 0.3)
