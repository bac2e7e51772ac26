"""The window of the ledger: what it holds, what falls off and what is known of it still, and the bins of ages."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from collectors.signals.ledger import AGE_EDGES_H, AGES, HOUR_US, WEEK_H, Ledger
from tests.unit.test_signals_ledger import START, content, ledger, same, visits

WEEKS = 4
WINDOW_H = WEEKS * WEEK_H


def test_an_hour_is_an_hour() -> None:
    assert timedelta(microseconds=HOUR_US) == timedelta(hours=1)


def test_the_bins_are_fine_where_days_and_nights_tell_and_wide_beyond() -> None:
    """Of an order inside for 2,000 hours: so many of them in each bin. A stored reference relies on these edges."""
    found = ledger(visits((0, -1, 0, None)), weeks=13)
    found.advance((START + 2_000) * HOUR_US)
    spent = found.time(START, START + 2_000)[0, 0].sum(axis=-1)
    assert spent.tolist() == [0.25, 0.75, 3, 4, 8, 8, 12, 12, 24, 24, 48, 48, 96, 96, 384, 768, 2_000 - 1_536]
    assert len(spent) == AGES == len(AGE_EDGES_H)


@pytest.mark.parametrize("edge", AGE_EDGES_H[1:])
def test_who_leaves_at_an_edge_leaves_the_older_bin_and_just_before_it_the_younger(edge: float) -> None:
    place = AGE_EDGES_H.index(edge)
    for early_s, number in ((0, place), (1, place - 1)):
        found = ledger(visits((0, -1, 0, edge - early_s / 3_600)), weeks=13)
        left = found.departures(START, START + 1_600)[0, 0].sum(axis=-1)
        assert left.tolist() == [int(bin_ == number) for bin_ in range(AGES)]


def test_it_remembers_a_year_and_five_weeks() -> None:
    found = Ledger(1)
    found.advance(START * HOUR_US)
    assert (found.history_h, found.segments) == (57 * WEEK_H, 1)
    assert found.first == START - 56 * WEEK_H


@pytest.mark.parametrize("hour", [0, 1, 100, WEEK_H - 1])
def test_the_window_begins_with_a_whole_week_and_ends_with_the_week_of_now(hour: int) -> None:
    found = Ledger(1, history_h=WINDOW_H)
    found.advance((START + hour) * HOUR_US)
    assert found.first == START - (WEEKS - 1) * WEEK_H


def test_a_week_falls_off_in_its_window_s_last_hour_and_no_sooner() -> None:
    """Somebody left in the first hour of four weeks: known until the four weeks are over, and then not."""
    found = ledger(visits((0, -1, 0.25, 0.5)))
    found.advance((START + WEEK_H) * HOUR_US)
    found.advance((START + WINDOW_H) * HOUR_US - 1)
    assert (found.first, found.departures(START, START + 1).sum()) == (START, 1)
    found.advance((START + WINDOW_H) * HOUR_US)
    assert found.first == START + WEEK_H
    assert found.departures(START, START + WINDOW_H).sum() == 0
    assert found.entries(START, START + WINDOW_H).sum() == 0


def test_the_window_never_goes_back() -> None:
    found = ledger(visits((0, -1, 0.25, 0.5)))
    found.advance((START + 2 * WINDOW_H) * HOUR_US)
    first = found.first
    found.advance(START * HOUR_US)
    assert found.first == first


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weeks", [1, 3, 20])
def test_what_was_booked_before_the_window_moved_on_is_what_would_be_booked_after(seed: int, weeks: int) -> None:
    """Who came and left before it, who came before and left in it, and who is inside still; by age, too."""
    rng = np.random.default_rng(seed)
    begun = rng.uniform(0, WINDOW_H - 1, 60)
    ended = begun + rng.exponential(100.0, 60)
    rows = [
        (number % 2, (-1, 1)[number % 3 // 2], float(begin), float(end) if end < WINDOW_H else None)
        for number, (begin, end) in enumerate(zip(begun, ended, strict=True))
    ]
    now = WINDOW_H + weeks * WEEK_H - 1
    before, after = ledger(visits(*rows)), Ledger(2, 2, history_h=WINDOW_H)
    before.advance((START + now) * HOUR_US)
    after.advance((START + now) * HOUR_US)
    after.add(visits(*rows))
    assert before.first == after.first == START + weeks * WEEK_H
    assert same(before, after, weeks * WEEK_H, now + 1_500)
    assert before.inside(START + now, START + now + 1)[:, 0].sum() == sum(row[3] is None for row in rows)


def test_there_is_room_ahead_of_the_window_s_last_hour() -> None:
    """Who enters within it is booked up to the last bin, sixty-four days later, and then stays there."""
    found = Ledger(1, history_h=WINDOW_H)
    found.advance(START * HOUR_US)
    assert found.first is not None
    last = found.first + WINDOW_H - 1 - START
    found.add(visits((0, -1, last + 0.5, None)))
    found.advance((START + last + 2_000) * HOUR_US)
    there = found.time(START + last + 1_538, START + last + 1_539)[0, 0, :, 0]
    assert there.tolist() == [0] * (AGES - 1) + [1]


def test_more_segments_find_room_beside_what_was_booked() -> None:
    """As if there had been as many from the start; fewer than there are take nothing away."""
    early, late = visits((0, -1, 1, 5.5), (1, 1, 2, None)), visits((0, 2, 3, 9), (1, 3, 4.5, None), (1, 1, 6, 7))
    found, ready = Ledger(2, 2, history_h=WINDOW_H), Ledger(2, 4, history_h=WINDOW_H)
    found.add(early)
    for segments in (2, 1, 3):
        found.widen(segments)
    assert (found.segments, found.entries(START, START + 1).shape) == (3, (2, 3, 1))
    found.widen(4)
    for one, batches in ((found, (late,)), (ready, (early, late))):
        for batch in batches:
            one.add(batch)
    assert found.segments == 4
    assert same(found, ready)
    assert found.nbytes == ready.nbytes


def test_an_amount_of_visits_that_is_not_added_at_once_adds_up_all_the_same() -> None:
    """Sixty thousand orders an hour, one after the other."""
    many = visits(*[(0, -1, 0.5, 1.5)] * 3)
    lots = many.take(np.zeros(120_001, dtype=np.int64))
    time, inside, left, entered = content(ledger(lots), 0, 3)
    assert time[0, 0].sum(axis=0).tolist() == [60_000.5, 60_000.5, 0]
    assert (inside[0, 0].tolist(), entered[0, 0].tolist()) == ([0, 120_001, 0], [120_001, 0, 0])
    assert left[0, 0].sum(axis=0).tolist() == [0, 120_001, 0]


def test_the_window_reaches_the_last_of_what_a_batch_tells() -> None:
    """Be it an entry or a departure, whichever comes last of all."""
    for rows in ([(0, -1, 1, 3), (0, -1, 2, WINDOW_H + 10)], [(0, -1, 1, WINDOW_H + 10), (0, -1, 2, 3)]):
        assert ledger(visits(*rows)).first == START + WEEK_H
    assert ledger(visits((0, -1, 1, 3), (0, -1, WINDOW_H + 10, None))).first == START + WEEK_H


def test_what_comes_and_goes_in_the_window_s_first_hour_counts_and_in_the_hour_before_it_does_not() -> None:
    found, empty = Ledger(2, 2, history_h=WINDOW_H), Ledger(2, 2, history_h=WINDOW_H)
    for one in (found, empty):
        one.advance((START + WINDOW_H - 1) * HOUR_US)
    found.add(visits((0, 1, -0.75, -0.5)))
    assert found.first == START
    assert same(found, empty, 0, WINDOW_H + 1_600)
    found.add(visits((0, 1, 0.25, 0.5)))
    assert found.entries(START, START + 2)[0].tolist() == [[1, 0], [1, 0]]
    assert found.departures(START, START + 2)[0].sum(axis=1).tolist() == [[1, 0], [1, 0]]


def test_all_is_not_counted_twice_where_it_is_listed_as_a_segment() -> None:
    assert same(ledger(visits((1, 0, 2, 5))), ledger(visits((1, -1, 2, 5))))
