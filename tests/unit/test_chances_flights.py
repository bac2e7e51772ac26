"""Visits at their edges: the very moment, no orders, no segments, more values or visits than are kept."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from collectors.promise.document import parse_document
from collectors.promise.reading import promise_from
from collectors.signals.flights import (
    ENDED,
    INSIDE,
    Recent,
    ValueNumbers,
    Visits,
    flight_of,
    in_flight,
    outcomes_of,
    visits_of,
)
from collectors.signals.stays import HOUR_US, WEEK_US
from collectors.timelines.codebook import Codebook
from collectors.timelines.judging import BROKEN, KEPT, OPEN
from collectors.timelines.measuring import NEVER
from tests.live import PROMISE
from tests.unit.test_chances_learning import AS_OF, BOOK, LOG, T0, many_visits, measured, visits_at

PLAIN = Codebook(promise_from(parse_document(PROMISE.replace("segments: [channel]\n", "")), "promise"))


def test_what_happens_at_a_moment_is_known_at_it() -> None:
    """Who enters then is inside, and who leaves then has left."""
    visits = many_visits(np.array([1.0, 1.0, 1.0, 50.0]), 1.0)
    known = visits.as_of(int(visits.entered[1]))
    assert known.order.tolist() == [0, 1]
    assert known.left.tolist() == [visits.left[0], NEVER]
    assert known.then.tolist() == [ENDED, INSIDE]


def test_no_visits_are_none_in_every_column() -> None:
    none = Visits.none(3)
    assert {len(getattr(none, field.name)) for field in fields(none)} == {0}
    assert none.values.shape == (0, 3)


def test_twenty_values_of_an_attribute_have_numbers_and_known_ones_come_first() -> None:
    texts = [f"v{number}" for number in range(25)]
    found = ValueNumbers(["channel"]).of({"channel": np.arange(25)}, lambda _: texts)
    assert found[:, 0].tolist() == [*range(20), *[-1] * 5]
    known = ValueNumbers(["channel"], known=[("channel", "v3"), ("channel", "v1"), ("channel", "v3")])
    assert known.of({"channel": np.arange(5)}, lambda _: texts[:5])[:, 0].tolist() == [2, 1, 3, 0, 4]


def test_orders_of_the_stretches_that_were_not_judged_make_no_visits() -> None:
    """They may come before those that were, between them or after them."""
    judged, stretches = measured(LOG, AS_OF)
    orders = judged.measured.order
    for kept in ([0], [1, 2], [3], [0, 3]):
        chosen = np.isin(np.arange(4), kept)
        assert set(visits_of(judged.take(chosen), stretches, orders, BOOK).order.tolist()) == set(kept)


def test_a_promise_without_segments_has_orders_without_values() -> None:
    judged, stretches = measured(LOG, AS_OF)
    visits = visits_of(judged, stretches, judged.measured.order, PLAIN)
    assert visits.values.shape == (len(visits_at(AS_OF)), 0)
    assert in_flight(judged, np.zeros(4, dtype=np.int64), PLAIN).values.shape == (3, 0)


def test_an_order_has_broken_its_promise_after_its_moment_and_not_at_it() -> None:
    visits = many_visits(np.array([500.0]))
    for late, verdict in ((0, OPEN), (1, BROKEN)):
        assert flight_of(visits, int(visits.promised[0]) + late, BOOK).verdict.tolist() == [verdict]


def test_the_last_order_of_all_may_have_ended() -> None:
    """Its last visit led to the end of the promise, as any other's."""
    visits = visits_at(AS_OF)
    judged, stretches = measured(LOG[:1], AS_OF)
    alone = visits_of(judged, stretches, judged.measured.order, BOOK)
    assert alone.then.tolist() == visits.then.tolist()[:6]
    assert alone.left.tolist() == visits.left.tolist()[:6]
    assert (alone.then[-1], (alone.left[-1] - T0) / HOUR_US) == (ENDED, 7.0)


def test_an_outcome_at_the_promise_moment_is_not_late() -> None:
    """Ended at it: kept. Open at it: open still."""
    visits = replace(many_visits(np.array([24.0, 24.0, 900.0])), promised=T0 + np.array([24, 24, 26]) * HOUR_US)
    then = np.array([ENDED, ENDED, INSIDE])
    done = replace(visits, left=visits.entered + 24 * HOUR_US, then=then)
    assert outcomes_of(done, T0 + 26 * HOUR_US, BOOK).verdict.tolist() == [KEPT, BROKEN, OPEN]
    assert outcomes_of(done, T0 + 26 * HOUR_US + 1, BOOK).verdict.tolist() == [KEPT, BROKEN, BROKEN]


def test_an_order_seen_in_its_stage_since_later_than_now_is_there_since_now() -> None:
    """Clocks differ: nobody has been inside for less than no time."""
    judged, _ = measured(LOG, AS_OF)
    assert (in_flight(judged, np.full(4, AS_OF + HOUR_US), BOOK).since == AS_OF).all()


def test_ended_orders_are_kept_for_the_window_to_the_very_moment() -> None:
    visits = many_visits(np.array([1.0, 2.0, 900.0, 900.0]), 0.5)
    recent = Recent(attributes=1, window_us=WEEK_US)
    recent.update(visits, int(visits.left[0]) + WEEK_US)
    assert recent.visits.order.tolist() == [0, 1, 2, 3]
    recent.update(Visits.none(1), int(visits.left[0]) + WEEK_US + 1)
    assert recent.visits.order.tolist() == [1, 2, 3]


def test_memory_holds_four_hundred_thousand_visits_and_halves_the_orders_beyond() -> None:
    """A choice by number: an order once left out stays out, and about half of the others do too."""
    assert Recent(attributes=1, window_us=WEEK_US).most == 400_000
    visits = many_visits(np.full(1_000, 5_000.0), 0.1)
    recent = Recent(attributes=1, window_us=WEEK_US, most=1_000)
    recent.update(visits, int(visits.entered[-1]))
    assert (len(recent.visits), recent.share) == (1_000, 1.0)
    one_more = replace(visits.take(np.array([0])), order=np.array([5_000]))
    recent.update(one_more, int(visits.entered[-1]))
    assert recent.share == 0.5
    assert len(recent.visits) == pytest.approx(500, abs=25)
    few = set(recent.visits.order.tolist())
    recent.update(visits, int(visits.entered[-1]))
    assert set(recent.visits.order.tolist()) == few
    assert recent.visits.entered.min() >= T0
