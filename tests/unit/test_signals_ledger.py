"""The ledger of the flow: exact to the microsecond, whatever the order of arrival, and bounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.signals.ledger import AGE_EDGES_H, AGES, HOUR_US, WEEK_H, Ledger, Visits
from collectors.timelines.measuring import NEVER

# A Thursday at midnight, a whole number of weeks since 1970.
START = 2900 * WEEK_H
Row = tuple[int, int, float, float | None]


def visits(*rows: Row) -> Visits:
    """Return visits from (stage, segment or -1, entered, left or None), in hours since START."""
    entered = [round((START + row[2]) * HOUR_US) for row in rows]
    left = [NEVER if row[3] is None else round((START + row[3]) * HOUR_US) for row in rows]
    stage, segment = [row[0] for row in rows], [[row[1]] for row in rows]
    arrays = (np.array(column, dtype=np.int64) for column in (stage, np.reshape(segment, (-1, 1)), entered, left))
    return Visits(*arrays)


def ledger(*batches: Visits, weeks: int = 4) -> Ledger:
    """Return a small ledger of two stages and two segments that holds these visits."""
    found = Ledger(2, 2, history_h=weeks * WEEK_H)
    for batch in batches:
        found.add(batch)
    return found


def content(found: Ledger, first: int, last: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Return all that a ledger says of some hours since START."""
    span = (START + first, START + last)
    return [found.time(*span), found.inside(*span), found.departures(*span), found.entries(*span)]


def same(one: Ledger, other: Ledger, first: int = 0, last: int = 200) -> bool:
    """Say whether two ledgers say the same of some hours."""
    return all(
        np.array_equal(a, b) for a, b in zip(content(one, first, last), content(other, first, last), strict=True)
    )


def test_a_visit_is_booked_by_hour_and_age() -> None:
    """From half past one to a quarter past seven: time by hour, and by how long the order had been there."""
    found = ledger(visits((1, -1, 1.5, 7.25)))
    time, inside, left, entered = content(found, 0, 9)
    assert time[1, 0].sum(axis=0).tolist() == [0, 0.5, 1, 1, 1, 1, 1, 0.25, 0]
    # Age bins: up to 15 minutes, 1 hour, 4 hours, 8 hours.
    assert time[1, 0].sum(axis=1)[:5].tolist() == [0.25, 0.75, 3, 1.75, 0]
    assert time[1, 0, 2].tolist() == [0, 0, 0.5, 1, 1, 0.5, 0, 0, 0]
    assert inside[1, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 0]
    assert left[1, 0].sum(axis=0).tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert left[1, 0, :, 7].tolist() == [0, 0, 0, 1] + [0] * (AGES - 4)
    assert entered[1, 0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert not any(part[0].any() or part[1, 1].any() for part in (time, inside, left, entered))


def test_an_age_at_the_edge_of_two_bins_belongs_to_the_older() -> None:
    """Left after exactly four hours: the departure is of the bin that begins there, no time is."""
    found = ledger(visits((0, -1, 0, 4)))
    assert found.departures(START, START + 5)[0, 0, :, 4].tolist() == [0, 0, 0, 1] + [0] * (AGES - 4)
    assert found.time(START, START + 5)[0, 0, 3].tolist() == [0] * 5


def test_who_leaves_as_an_hour_begins_was_there_to_leave_in_it() -> None:
    """In at 1:00, out at 4:00 sharp: inside when the hours from 2 to 4 begin, and the departure is of hour 4."""
    found = ledger(visits((0, -1, 1, 4)))
    assert found.inside(START, START + 6)[0, 0].tolist() == [0, 0, 1, 1, 1, 0]
    assert found.departures(START, START + 6)[0, 0].sum(axis=0).tolist() == [0, 0, 0, 0, 1, 0]


def test_an_order_inside_is_booked_ahead_and_ages() -> None:
    """It is in the bin of its age in every later hour, in the last one without an end."""
    found = ledger(visits((0, -1, 0, None)), weeks=13)
    found.advance((START + 2000) * HOUR_US)
    for number, edge in enumerate(AGE_EDGES_H[1:-1], 1):
        if edge >= 1:
            hour = START + int(edge)
            assert found.time(hour, hour + 1)[0, 0, :, 0].tolist() == [int(bin_ == number) for bin_ in range(AGES)]
    assert found.time(START + 1999, START + 2000)[0, 0, AGES - 1] == 1


def test_segments_count_beside_all() -> None:
    """A visit of segment 1 counts in it and in "all"; one without a segment in "all" alone."""
    found = ledger(visits((0, 1, 0, 2), (0, -1, 0, 3)))
    assert found.entries(START, START + 1)[0, :, 0].tolist() == [2, 1]
    assert found.time(START, START + 4)[0].sum(axis=(1, 2)).tolist() == [5, 2]


def test_a_visit_of_no_time_is_an_entry_and_a_departure() -> None:
    """And nobody was inside."""
    time, inside, left, entered = content(ledger(visits((0, -1, 2.5, 2.5))), 0, 5)
    assert (time.sum(), inside.sum(), left[0, 0, 0].tolist()) == (0, 0, [0, 0, 1, 0, 0])
    assert entered[0, 0].tolist() == [0, 0, 1, 0, 0]


moments = st.floats(0, 190, allow_nan=False)
rows = st.tuples(
    st.integers(0, 1), st.sampled_from([-1, 1]), moments, st.one_of(st.none(), st.floats(0, 10)), st.booleans()
)


@settings(deadline=None, max_examples=60)
@given(st.lists(rows, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_order_of_arrival_leaves_no_mark_and_what_is_taken_back_no_trace(
    drawn: list[tuple[int, int, float, float | None, bool]], chance: object
) -> None:
    """Shuffled, one by one, with visits added that are taken back: bit for bit the ledger of what remains."""
    every = [(s, g, at, None if stay is None else min(at + stay, 199)) for s, g, at, stay, _ in drawn]
    kept = [row for row, (*_, keep) in zip(every, drawn, strict=True) if keep]
    mixed = [(row, 1) for row in every] + [(row, -1) for row, (*_, keep) in zip(every, drawn, strict=True) if not keep]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    found = Ledger(2, 2, history_h=4 * WEEK_H)
    for row, sign in mixed:
        found.add(visits(row), sign)
    clean = ledger(visits(*kept)) if kept else Ledger(2, 2, history_h=4 * WEEK_H)
    for one in (found, clean):
        one.advance((START + 199) * HOUR_US)
    assert same(found, clean)
    assert found.first == clean.first


def test_an_order_that_moves_is_taken_back_and_added_closed() -> None:
    """The open visit out, the closed one in: as if its end had been known from the start."""
    found = ledger(visits((0, 1, 3.2, None)))
    found.add(visits((0, 1, 3.2, None)), -1)
    found.add(visits((0, 1, 3.2, 90.7)))
    assert same(found, ledger(visits((0, 1, 3.2, 90.7))))


def test_the_oldest_weeks_fall_off_and_who_is_inside_stays_inside() -> None:
    """An order from before the window counts as inside, with its age; others of that time are forgotten."""
    old = visits((0, -1, 0, None), (0, -1, 1, 5), (1, -1, 10, 900))
    found = ledger(old, weeks=4)
    found.advance((START + 1000) * HOUR_US)
    assert found.first == START + 2 * WEEK_H
    first = found.first - START
    assert found.inside(START + first, START + 1000)[0, 0].tolist() == [1] * (1000 - first)
    assert found.time(START + 899, START + 901)[1, 0].sum(axis=0).tolist() == [1, 0]
    assert found.departures(START, START + 1000).sum() == 1
    # Added after the window has moved on, they leave the same behind.
    late = Ledger(2, 2, history_h=4 * WEEK_H)
    late.advance((START + 1000) * HOUR_US)
    late.add(old)
    assert same(found, late, first, 1000)
    late.add(old, -1)
    assert not any(part.any() for part in content(late, first, 1000))


def test_its_size_does_not_depend_on_orders() -> None:
    """A thousand visits take the memory of one."""
    one, many = ledger(visits((0, -1, 0, 1))), ledger(visits(*[(0, 1, i / 10, i / 5) for i in range(1000)]))
    assert one.nbytes == many.nbytes


@pytest.mark.parametrize("span", [(0, 0), (5, 5)])
def test_no_hours_hold_nothing(span: tuple[int, int]) -> None:
    """An empty span is an empty array, not an error, before the first visit too."""
    assert ledger(visits((0, -1, 0, 1))).time(START + span[0], START + span[1]).shape == (2, 2, AGES, 0)
    assert Ledger(2, 2).time(START, START).shape == (2, 2, AGES, 0)
