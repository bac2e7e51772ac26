"""How stored events of an order are put in one line, and what is counted on the way."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from collectors.live.model import LOG_SOURCE, EventRow, Lined, Timelines, visits_ended
from collectors.live.reading import Reader
from collectors.live.rows import from_rows, to_rows
from collectors.promise.document import parse_document
from collectors.promise.reading import promise_from
from tests.live import PROMISE

HOUR = 3_600_000_000
SHOP, CRM = "/shop", "/crm"


@cache
def timelines(promise: str = PROMISE) -> Timelines:
    """Return timelines of a promise."""
    file = promise_from(parse_document(promise), "promise")
    return Timelines(file, Reader(file).moments.promised)


class Heard(NamedTuple):
    """A status, its hour, and what else an event says."""

    status: str
    hour: float
    sequence: int | None = None
    source: str = SHOP


def rows(*heard: tuple[Any, ...], order: int = 1) -> list[EventRow]:
    """Return stored events in the order of their arrival; each is given as the fields of ``Heard``."""
    return [
        EventRow(order, arrival, int(one.hour * HOUR), one.status, one.source, one.sequence, None)
        for arrival, one in enumerate(Heard(*fields) for fields in heard)
    ]


def statuses(lined: Lined) -> list[str]:
    """Return the statuses that moved the timelines, in their order."""
    return [timelines().codebook.statuses[code] for code in lined.line.moving.code]


def test_sequences_order_the_events_of_a_source() -> None:
    lined = timelines().line_up(rows(("MADE", 3, 3), ("NEW", 1, 1), ("PAID", 2, 2)))
    assert statuses(lined) == ["NEW", "PAID", "MADE"]
    assert lined.skewed.tolist() == [0]
    assert lined.gap.tolist() == [False]


def test_a_time_that_runs_backwards_is_skew_and_counts_as_that_before_it() -> None:
    lined = timelines().line_up(rows(("NEW", 2, 1), ("PAID", 1, 2), ("MADE", 3, 3)))
    assert statuses(lined) == ["NEW", "PAID", "MADE"]
    assert lined.line.moving.at.tolist() == [2 * HOUR, 2 * HOUR, 3 * HOUR]
    assert lined.skewed.tolist() == [1]


def test_a_source_that_leaves_a_sequence_out_is_read_by_time() -> None:
    lined = timelines().line_up(rows(("MADE", 3, 1), ("NEW", 1, None), ("PAID", 2, 7)))
    assert statuses(lined) == ["NEW", "PAID", "MADE"]
    assert lined.gap.tolist() == [False]


@pytest.mark.parametrize(
    ("sequences", "gap"), [((1, 2), False), ((1, 3), True), ((2, 3), True), ((1, 1), False), ((0, 1), False)]
)
def test_a_missing_number_is_a_gap(sequences: tuple[int, int], gap: bool) -> None:  # noqa: FBT001 - a parameter
    first, second = sequences
    lined = timelines().line_up(rows(("NEW", 1, first), ("PAID", 2, second), ("PAID", 3, 1, CRM)))
    assert lined.gap.tolist() == [gap]


def test_rows_of_a_log_repeat_by_status_and_time_and_events_only_by_id() -> None:
    lined = timelines().line_up(rows(("NEW", 1, None, LOG_SOURCE), ("NEW", 1, None, LOG_SOURCE), ("NEW", 1)))
    assert lined.repeats.tolist() == [1]
    assert lined.line.measured.events.tolist() == [2]


def test_an_order_of_unknown_statuses_has_counts_and_no_times() -> None:
    lined = timelines().line_up([*rows(("ODD", 1)), *rows(("NEW", 1), order=2)])
    assert lined.unknown.tolist() == [1, 0]
    written = to_rows(lined, timelines())
    assert [(row["key"], row["settled"], row["events"], row["unknown"]) for row in written] == [
        (1, -1, 0, 1),
        (2, 4, 1, 0),
    ]


def test_what_is_written_is_what_was_measured() -> None:
    lined = timelines().line_up(
        [
            *rows(("NEW", 1), ("PAID", 2), ("NEW", 3)),
            *rows(("NEW", 1), ("SENT", 2), order=2),
            *rows(("PAID", 1), order=3),
        ]
    )
    columns = ("key", "key", "events", "start_at", "end_at", "cancelled_at", "tail_stage", "tail_from")
    more = ("stage_since", "last_rank", "last_at", "attributes", "stages")
    stored = [tuple(row[name] for name in (*columns, *more)) for row in to_rows(lined, timelines())]
    measured, _ = from_rows(stored, timelines())
    for name in ("order", "events", "start", "end", "cancelled", "stage_us", "visits", "entered", "tail_stage"):
        assert np.array_equal(getattr(measured, name), getattr(lined.line.measured, name)), name


def test_only_fresh_events_end_visits() -> None:
    heard = rows(("NEW", 1), ("PAID", 2), ("NEW", 3), ("PAID", 5), ("SENT", 6))
    visits = visits_ended(timelines().line_up(heard, fresh={3, 4}).line)
    assert (visits.stage.tolist(), visits.length_us.tolist()) == ([0, 1], [2 * HOUR, HOUR])
    assert visits_ended(timelines().line_up(heard).line).stage.tolist() == []


def test_an_event_that_stays_in_its_stage_ends_no_visit() -> None:
    promise = PROMISE.replace("in: [NEW]", "in: [NEW, ASKED]").replace(
        "  - {name: customer, in: [ASKED], kind: wait, pauses: true}\n", ""
    )
    heard = rows(("NEW", 1), ("ASKED", 2), ("PAID", 4))
    lines = timelines(promise)
    assert visits_ended(lines.line_up(heard, fresh={1}).line).stage.tolist() == []
    assert visits_ended(lines.line_up(heard, fresh={2}).line).length_us.tolist() == [3 * HOUR]


def test_nothing_is_measured_from_nothing() -> None:
    lined = timelines().line_up([])
    assert to_rows(lined, timelines()) == []
    measured, _ = from_rows([], timelines())
    assert len(measured) == 0
