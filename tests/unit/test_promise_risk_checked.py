"""Past forecasts: which are made again, by what was known then, and what they are held against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collectors.signals.flights import ENDED, WITHDRAWN, Visits
from collectors.signals.promise_risk import past_forecasts
from collectors.signals.stays import HOUR_US, WEEK_US
from collectors.timelines.measuring import NEVER
from tests.unit.test_chances_learning import BOOK, DAY_US, T0, many_visits

THEN = T0 + WEEK_US  # the only past moment that is asked about
NOW = THEN + WEEK_US


def house(departed: int, inside: int, still_open: int = 0, cancelled: int = 0, broken: int = 0) -> Visits:
    """Return orders of one visit: departed within a day, inside since an hour before the forecast, one stage all.

    Of those inside, some are open to this day, some were cancelled an hour after the forecast, some took two days
    instead of one; the others left after two hours.
    """
    count = departed + inside
    entered = np.full(count, THEN - HOUR_US)
    entered[:departed] = THEN - 2 * DAY_US
    left = entered + 3 * HOUR_US
    then = np.full(count, ENDED)
    place = departed
    for number, until, target in ((still_open, NEVER, -3), (cancelled, THEN + HOUR_US, WITHDRAWN)):
        left[place : place + number], then[place : place + number] = until, target
        place += number
    left[place : place + broken] = THEN + 3 * DAY_US
    promised = entered + DAY_US
    promised[departed : departed + still_open] = NOW + DAY_US
    return Visits(
        order=np.arange(count),
        stage=np.zeros(count, dtype=np.int64),
        again=np.zeros(count, dtype=np.bool_),
        entered=entered,
        left=left,
        then=then,
        promised=promised,
        values=np.zeros((count, 1), dtype=np.int64),
    )


@pytest.mark.parametrize(("departed", "inside", "made"), [(20, 80, 1), (30, 69, 0), (19, 131, 0), (25, 100, 1)])
def test_a_forecast_is_made_again_where_a_hundred_visits_and_twenty_departures_were_known(
    departed: int, inside: int, made: int
) -> None:
    assert len(past_forecasts(house(departed, inside), BOOK, NOW)) == made


@pytest.mark.parametrize(("still_open", "made"), [(3, 1), (4, 0)])
def test_a_forecast_is_checked_once_nine_orders_in_ten_have_their_verdict(still_open: int, made: int) -> None:
    assert len(past_forecasts(house(100, 30, still_open), BOOK, NOW)) == made


def test_where_nobody_was_on_the_way_there_was_nothing_to_forecast() -> None:
    assert past_forecasts(house(150, 0), BOOK, NOW) == []
    assert past_forecasts(Visits.none(1), BOOK, NOW) == []


def test_open_and_cancelled_orders_are_left_out_of_the_check() -> None:
    """Of thirty: three open, two cancelled, four broken. The others are alike, and so are their chances."""
    (found,) = past_forecasts(house(100, 30, still_open=3, cancelled=2, broken=4), BOOK, NOW)
    assert (found.moment, found.orders, found.broken) == (THEN, 25, 4)
    chance = found.expected / 25
    assert 0 < chance < 0.5
    assert found.variance == pytest.approx(25 * chance * (1 - chance), rel=1e-6)


def test_twelve_weeks_are_looked_back() -> None:
    visits = many_visits(np.full(700, 30.0), 4.0)
    visits = replace(visits, promised=visits.entered + 2 * DAY_US)
    assert len(past_forecasts(visits, BOOK, int(visits.entered[-1]))) == 12
