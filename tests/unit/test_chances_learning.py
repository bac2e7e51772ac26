"""What the flow teaches: visits from timelines, duty hours, laws with those still inside, paces, bounded memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collectors.promise.document import parse_document
from collectors.promise.reading import promise_from
from collectors.signals.chances import Chances
from collectors.signals.flights import (
    ENDED,
    INSIDE,
    WITHDRAWN,
    Recent,
    ValueNumbers,
    Visits,
    flight_of,
    in_flight,
    outcomes_of,
    visits_of,
)
from collectors.signals.learning import learn_flow
from collectors.signals.promise_risk import past_forecasts
from collectors.signals.stays import EVEN_WEEK, HOUR_US, WEEK_US, exponential, learn_law, learn_week
from collectors.timelines.batch import EventBatch
from collectors.timelines.codebook import Codebook
from collectors.timelines.judging import BROKEN, CANCELLED, KEPT, OPEN, Judged, judge
from collectors.timelines.measuring import NEVER, Stretches, measure_stretches
from tests.live import PROMISE

if TYPE_CHECKING:
    from collections.abc import Sequence

BOOK = Codebook(promise_from(parse_document(PROMISE), "promise"))
PAYMENT, MAKING, CUSTOMER, PACKING = range(4)
T0 = 3_000 * WEEK_US
DAY_US = 24 * HOUR_US
AS_OF = T0 + 30 * HOUR_US

LOG = [
    [(0, "NEW"), (1, "PAID"), (2, "NEW"), (4, "PAID"), (5, "MADE"), (6, "PACKED"), (7, "SENT")],
    [(0, "NEW"), (3, "ASKED"), (13, "NEW"), (14, "PAID")],
    [(1, "NEW"), (2, "VOID")],
    [(28, "NEW")],
]


def measured(log: Sequence[Sequence[tuple[float, str]]], as_of: int) -> tuple[Judged, Stretches]:
    rows = [(n, T0 + round(h * HOUR_US), BOOK.code_of[s]) for n, events in enumerate(log) for h, s in events]
    order, at, code = np.array([row for row in rows if row[1] <= as_of], dtype=np.int64).T
    batch = EventBatch(order, at, code, attributes={"channel": np.zeros(len(order), dtype=np.int64)})
    found, stretches = measure_stretches(batch, BOOK)
    return judge(found, BOOK, as_of, np.full(len(found), 8 * HOUR_US)), stretches


def visits_at(as_of: int) -> Visits:
    judged, stretches = measured(LOG, as_of)
    return visits_of(judged, stretches, judged.measured.order, BOOK)


def hours(moments: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[float | None]:
    return [None if moment == NEVER else (moment - T0) / HOUR_US for moment in moments.tolist()]


def test_visits_are_the_stretches_between_stages_and_say_where_they_led() -> None:
    visits = visits_at(AS_OF)
    packing = len(BOOK.stages) - 1  # PACKED is in no stage of that promise
    assert visits.order.tolist() == [0] * 6 + [1] * 4 + [2, 3]
    assert visits.stage.tolist()[:6] == [PAYMENT, MAKING, PAYMENT, MAKING, PACKING, packing]
    assert visits.again.tolist()[:6] == [False, False, True, True, False, False]
    assert hours(visits.left) == [1, 2, 4, 5, 6, 7, 3, 13, 14, None, 2, None]
    assert visits.then.tolist()[5:] == [ENDED, CUSTOMER, PAYMENT, MAKING, INSIDE, WITHDRAWN, INSIDE]
    assert set(hours(visits.promised)[:10]) == {8.0}


def test_what_was_known_at_a_past_moment_is_what_the_events_of_then_say() -> None:
    for hour in (0.5, 1.5, 4.5, 10, 13.5, 29):
        moment = T0 + round(hour * HOUR_US)
        then, now = visits_at(moment), visits_at(AS_OF).as_of(moment)
        for column in ("order", "stage", "again", "entered", "left", "then", "promised"):
            assert getattr(then, column).tolist() == getattr(now, column).tolist(), (hour, column)


def test_orders_in_flight_are_the_same_from_timelines_and_from_visits() -> None:
    for hour in (0.5, 4.5, 10, 29):
        moment = T0 + round(hour * HOUR_US)
        judged, stretches = measured(LOG, moment)
        since = np.zeros(len(judged.verdict), dtype=np.int64)
        since[stretches.row[stretches.enters]] = stretches.begin[stretches.enters]
        live = in_flight(judged, since, BOOK)
        live = live.take(live.verdict != CANCELLED)
        past = flight_of(visits_at(AS_OF), moment, BOOK)
        for column in ("order", "stage", "since", "again", "inside_us", "promise_at", "verdict", "values"):
            assert getattr(live, column).tolist() == getattr(past, column).tolist(), (hour, column)


def test_outcomes_count_pauses_and_leave_cancelled_orders_alone() -> None:
    found = outcomes_of(visits_at(AS_OF), AS_OF, BOOK)
    assert found.verdict.tolist() == [KEPT, BROKEN, CANCELLED, OPEN]
    assert hours(found.promise_at) == [8, 18, 9, 36]


def test_orders_whose_cancellation_has_no_date_teach_nothing() -> None:
    judged, stretches = measured(LOG, AS_OF)
    verdict = judged.verdict.copy()
    verdict[3] = CANCELLED
    visits = visits_of(replace(judged, verdict=verdict), stretches, judged.measured.order, BOOK)
    assert 3 not in visits.order


def test_no_orders_make_no_visits() -> None:
    judged, stretches = measured(LOG, AS_OF)
    none = judged.take(np.zeros(4, dtype=np.bool_))
    assert len(visits_of(none, stretches, judged.measured.order, BOOK)) == 0


def test_recent_visits_replace_those_of_the_same_order_and_old_orders_fall_off() -> None:
    recent = Recent(attributes=1, window_us=20 * HOUR_US)
    recent.update(visits_at(T0 + 2 * HOUR_US), T0 + 2 * HOUR_US)
    recent.update(visits_at(T0 + 10 * HOUR_US), T0 + 10 * HOUR_US)
    assert sorted(set(recent.visits.order.tolist())) == [0, 1, 2]
    recent.update(Visits.none(1), AS_OF)
    assert sorted(set(recent.visits.order.tolist())) == [1]
    recent.update(Visits.none(1), AS_OF, gone=np.array([1]))
    assert len(recent.visits) == 0


def test_values_keep_their_numbers_from_batch_to_batch_and_the_rarest_have_none() -> None:
    numbers = ValueNumbers(["channel"], most=2)
    batches = [(["shop", "b2b"], [0, 1, -1], [0, 1, -1]), (["b2b", "fair", "shop"], [2, 1, 0], [0, -1, 1])]
    for texts, given, expected in batches:
        found = numbers.of({"channel": np.array(given)}, {"channel": texts}.__getitem__)
        assert found.tolist() == [[number] for number in expected]
    assert ValueNumbers([]).of({"other": np.array([1, 2])}, lambda _: ()).shape == (2, 0)


def test_given_values_go_with_the_orders_that_have_them() -> None:
    judged, stretches = measured(LOG, AS_OF)
    values = np.array([[4], [5], [6], [7]])
    visits = visits_of(judged, stretches, judged.measured.order, BOOK, values)
    assert (visits.values[:, 0] - 4).tolist() == visits.order.tolist()
    since = np.zeros(4, dtype=np.int64)
    assert in_flight(judged, since, BOOK, values).values.tolist() == [[5], [6], [7]]


def many_visits(
    lengths_h: np.ndarray[tuple[int], np.dtype[np.float64]], every_h: float = 1.0, stage: int = 0
) -> Visits:
    """Return orders of one visit each, one every hour, seen until the last is entered."""
    count = len(lengths_h)
    entered = T0 + (np.arange(count) * every_h * HOUR_US).astype(np.int64)
    left = entered + (lengths_h * HOUR_US).astype(np.int64)
    visits = Visits(
        order=np.arange(count),
        stage=np.full(count, stage),
        again=np.zeros(count, dtype=np.bool_),
        entered=entered,
        left=left,
        then=np.full(count, ENDED),
        promised=entered + DAY_US,
        values=np.zeros((count, 1), dtype=np.int64),
    )
    return visits.as_of(int(entered[-1]))


def test_memory_is_bounded_by_a_choice_that_does_not_know_how_long_orders_took() -> None:
    rng = np.random.default_rng(3)
    visits = many_visits(rng.exponential(30.0, 20_000), 0.1)
    recent = Recent(attributes=1, window_us=100 * WEEK_US, most=4_000)
    for part in np.array_split(np.arange(len(visits)), 40):
        recent.update(visits.take(part), int(visits.entered[-1]))
    assert 1_000 < len(recent.visits) <= 4_000
    assert recent.share in {0.25, 0.125}
    gone = recent.visits.left != NEVER
    assert np.mean((recent.visits.left - recent.visits.entered)[gone] / HOUR_US) == pytest.approx(30, rel=0.08)


def test_orders_still_inside_lengthen_the_law() -> None:
    """Ten departures at one hour and as many orders that have waited ten: without these the stage would seem quick."""
    age = np.array([1.0] * 100 + [10.0] * 100)
    law = learn_law(age, age < 5, np.ones(200), exponential(1.0))
    assert law.staying(np.array([1.0]))[0] == pytest.approx(np.exp(-100 / 200), abs=0.02)
    quick = learn_law(age[:100], age[:100] < 5, np.ones(100), exponential(1.0))
    assert quick.staying(np.array([1.0]))[0] == pytest.approx(np.exp(-1), abs=0.02)


def test_a_law_learnt_from_many_is_the_law_they_were_drawn_from() -> None:
    rng = np.random.default_rng(5)
    stay, look = rng.weibull(1.7, 20_000) * 20, rng.uniform(0, 60, 20_000)
    law = learn_law(np.minimum(stay, look), stay <= look, np.ones(20_000), exponential(1.0))
    ages = np.array([3.0, 10.0, 20.0, 35.0])
    assert law.staying(ages) == pytest.approx(np.exp(-((ages / 20) ** 1.7)), abs=0.015)


def test_a_law_without_departures_is_the_one_it_leans_on() -> None:
    prior = exponential(4.0)
    assert learn_law(np.array([3.0]), np.array([False]), np.ones(1), prior) is prior


def test_beyond_the_last_departure_the_hazard_falls_but_never_ends() -> None:
    law = exponential(2.0)
    assert law.cumulative(np.array([100.0, 200.0]))[0] == pytest.approx(50.0)
    assert law.cumulative(np.array([100.0 * np.e]))[0] == pytest.approx(100.0)


def test_the_duty_hours_are_those_in_which_orders_leave() -> None:
    rng = np.random.default_rng(2)
    entered = T0 + rng.integers(0, 20 * WEEK_US, 4_000)
    hour = entered // HOUR_US
    opens = (hour // 24 + 1) * 24 + 9  # all leave the next morning between nine and ten
    left = opens * HOUR_US + rng.integers(0, HOUR_US, 4_000)
    week = learn_week(entered, left, np.ones(4_000), T0 + 30 * WEEK_US)
    assert week.weights.mean() == pytest.approx(1.0)
    morning = np.arange(168) % 24 == 9
    assert week.weights[morning].min() > 10
    assert week.weights[~morning].max() < 0.5
    assert week.between(np.array([T0]), np.array([T0 + 3 * WEEK_US]))[0] == pytest.approx(3 * 168)


def test_without_departures_every_hour_counts_alike() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert learn_week(none, none, np.zeros(0), T0) is EVEN_WEEK


def test_a_stage_gone_slower_shows_in_its_pace_before_its_law_has_learnt_it() -> None:
    rng = np.random.default_rng(4)
    lengths = rng.exponential(20.0, 3_000)
    lengths[2_000:] *= 2
    flow = learn_flow(visits := many_visits(lengths), BOOK, int(visits.entered[-1]))
    assert flow.pace[0] > 1.3
    even = learn_flow(visits := many_visits(rng.exponential(20.0, 3_000)), BOOK, int(visits.entered[-1]))
    assert even.pace[0] == pytest.approx(1.0, abs=0.12)


def test_a_segment_that_takes_twice_as_long_has_its_own_pace() -> None:
    rng = np.random.default_rng(6)
    which = rng.integers(0, 2, 3_000)
    visits = many_visits(rng.exponential(10.0 * (1 + which)))
    flow = learn_flow(replace(visits, values=which[:, np.newaxis]), BOOK, int(visits.entered[-1]))
    table = flow.segment_pace[0][0]
    assert table[1] / table[0] == pytest.approx(2.0, rel=0.12)
    assert table[2] == 1.0


def test_where_orders_go_is_counted_and_by_the_promise_file_where_nobody_went() -> None:
    visits = visits_at(AS_OF)
    leads = learn_flow(visits, BOOK, AS_OF).leads
    end = 2 * len(BOOK.stages)
    assert leads.sum(axis=1) == pytest.approx(np.ones(end))
    assert leads[2 * MAKING, [2 * PAYMENT + 1, 2 * PACKING]] == pytest.approx([1.0, 0.0])
    first = leads[2 * PAYMENT]
    assert (first[2 * MAKING], first[2 * CUSTOMER], first[end + 1]) == pytest.approx((1 / 3, 1 / 3, 1 / 3), abs=0.01)
    bare = learn_flow(Visits.none(1), BOOK, AS_OF).leads
    assert bare[2 * PAYMENT, 2 * MAKING] == bare[2 * MAKING, 2 * PACKING] == bare[2 * PACKING, end] == 1.0


def test_without_any_past_the_budgets_speak() -> None:
    chances = Chances.learn(Visits.none(1), BOOK, AS_OF)
    flight = flight_of(visits_at(AS_OF), AS_OF, BOOK)
    found = chances.of(flight)
    assert found[flight.verdict == BROKEN].tolist() == [1.0]
    assert 0 < found[flight.verdict == OPEN][0] < 0.5


def test_past_forecasts_know_only_what_was_known_and_stop_where_too_little_was() -> None:
    rng = np.random.default_rng(8)
    visits = many_visits(rng.exponential(12.0, 2_000), 1.0)
    now = int(visits.entered[-1])
    found = past_forecasts(visits, BOOK, now, weeks=5)
    assert [now - one.moment for one in found] == [week * WEEK_US for week in range(1, 6)]
    # A day's promise and stays of twelve hours in the mean: of the open ones e^-2 weighted by age, as many as came.
    assert sum(one.expected for one in found) == pytest.approx(sum(one.broken for one in found), rel=0.6)
    assert past_forecasts(visits.take(np.arange(50)), BOOK, int(visits.entered[49])) == []
