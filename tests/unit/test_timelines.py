"""Timelines are exact to the microsecond, and do not depend on the order in which events arrive."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.promise import DEFAULT_PROMISE, load_promise
from collectors.promise.model import LogReading
from collectors.replay import iso, measure_line, micros, replay
from collectors.sources.log import load_log
from collectors.sources.quarantine import Quarantine
from collectors.timelines.batch import EventBatch
from collectors.timelines.cleaning import merge_sources
from collectors.timelines.codebook import Codebook
from collectors.timelines.intervals import RUNNING, status_changes
from collectors.timelines.judging import OPEN, UNSTARTED, Judged, judge
from collectors.timelines.measuring import NEVER, exact_sums

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from collectors.replay import Line

HOUSE: Final = load_promise(DEFAULT_PROMISE)
CODEBOOK: Final = Codebook(HOUSE)
CSV: Final = HOUSE.model_copy(
    update={"log": LogReading(format="csv", order="order_id", status="status", time="at"), "segments": []}
)
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
SHORT: Final = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Told:
    """A status change as a source tells it: order, source, sequence, moment in microseconds, status code."""

    order: int
    source: int
    sequence: int
    at: int
    code: int


def batch_of(events: Iterable[Told]) -> EventBatch:
    """Return events as the engine would hand them over: by order, source and sequence."""
    found = sorted(events, key=lambda e: (e.order, e.source, e.sequence))
    columns = np.array([(e.order, e.at, e.code, e.source, e.sequence) for e in found], dtype=np.int64)
    order, at, code, source, sequence = columns.reshape(-1, 5).T
    return EventBatch(order, at, code, source, sequence)


def line_of(events: Iterable[Told], as_of: int = NEVER) -> Line:
    """Put events in line and measure them."""
    return measure_line(merge_sources(batch_of(events), CODEBOOK).batch, CODEBOOK, as_of, None)


def judged_of(events: Iterable[Told], as_of: int) -> Judged:
    """Judge orders that were promised three weeks."""
    measured = line_of(events, as_of).measured
    return judge(measured, CODEBOOK, as_of, np.full(len(measured), 21 * 86_400_000_000))


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """Return a few orders' events from up to three sources, each with its sequence and a clock that may jump back."""
    events = []
    for order in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, 10)) * 3_600_000_000
        counts = [0, 0, 0]
        for _ in range(draw(st.integers(1, 12))):
            source = draw(st.integers(0, 2))
            counts[source] += 1
            at += draw(st.sampled_from([0, 0, 1, 999_999, 3_600_000_000, 86_400_000_001, -7_200_000_000]))
            events.append(Told(order, source, counts[source], at, draw(st.integers(0, len(CODEBOOK.statuses) - 1))))
    return events


@SHORT
@given(histories(), st.data())
def test_stage_times_add_up_to_the_lead_time_exactly(events: list[Told], data: st.DataObject) -> None:
    """Whatever is dropped, doubled or shifted: the stages of an order make up its lead time, to the microsecond."""
    kept = [event for event in events if data.draw(st.sampled_from([True, True, True, False]))]
    as_of = max((event.at for event in events), default=0) + data.draw(st.sampled_from([0, 1, 5_000_000_000]))
    judged = judged_of(kept, as_of)
    started = judged.verdict != UNSTARTED
    assert (judged.stage_us[started].sum(axis=1) == judged.lead_us[started]).all()
    assert (judged.stage_us >= 0).all()
    assert (judged.lead_us[started] >= 0).all()


@SHORT
@given(histories(), st.randoms(use_true_random=False))
def test_the_line_of_events_does_not_depend_on_their_arrival(events: list[Told], shuffler: Any) -> None:
    """Events with a sequence give one line of statuses and times, in whatever order they come."""
    shuffled = list(events)
    shuffler.shuffle(shuffled)
    one, other = line_of(events), line_of(shuffled)
    for name in ("order", "at", "code", "source", "sequence"):
        assert (getattr(one.moving, name) == getattr(other.moving, name)).all()
    assert (one.measured.stage_us == other.measured.stage_us).all()


@SHORT
@given(histories())
def test_a_source_never_overtakes_itself_and_time_never_runs_back(events: list[Told]) -> None:
    moving = line_of(events).moving
    assert moving.source is not None
    assert moving.sequence is not None
    same_order = moving.order[1:] == moving.order[:-1]
    assert (np.diff(moving.at)[same_order] >= 0).all()
    for source in range(3):
        own = moving.source == source
        order, sequence = moving.order[own], moving.sequence[own]
        assert (np.diff(sequence)[order[1:] == order[:-1]] > 0).all()


def cloudevents(events: Iterable[Told]) -> list[str]:
    """Return events as lines of JSON, sources and statuses by name."""
    lines = []
    for e in events:
        moment = (START + timedelta(microseconds=e.at)).isoformat()
        data = {"status": CODEBOOK.statuses[e.code], "order": {"channel": "web"}}
        told = {"id": f"{e.order}/{e.sequence}", "source": f"/{e.source}", "subject": str(e.order), "time": moment}
        lines.append(json.dumps({**told, "sequence": str(e.sequence), "data": data}))
    return lines


@settings(SHORT, max_examples=15)
@given(histories(), st.data())
def test_shuffled_doubled_and_late_events_give_the_report_of_the_clean_log(
    tmp_path_factory: pytest.TempPathFactory, events: list[Told], data: st.DataObject
) -> None:
    """Only the count of duplicates tells a log that came in order from one that came out of order, and twice."""
    folder = tmp_path_factory.mktemp("logs")
    house = HOUSE.model_copy(update={"reported_by": {}, "log": LogReading(format="cloudevents")})
    lines = cloudevents(event for event in events if not CODEBOOK.statuses[event.code].endswith(":done"))
    if not lines:
        return
    again = data.draw(st.lists(st.sampled_from(lines), max_size=5))
    (folder / "log").write_text("\n".join(lines), encoding="utf-8")
    clean = replay(folder / "log", house).document()
    (folder / "log").write_text("\n".join(data.draw(st.permutations([*lines, *again]))), encoding="utf-8")
    dirty = replay(folder / "log", house).document()
    assert dirty == clean | {"duplicates": len(again)}


@SHORT
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.none() | st.integers(0, 6)), min_size=1, max_size=9),
    st.integers(0, 20),
)
def test_activities_that_overlap_fill_the_lead_time_exactly(
    rows: list[tuple[int, int, int | None]], as_of: int
) -> None:
    """(order, begin, length): an order is in one status at a time, so its stages make up its lead time."""
    whole = HOUSE.model_copy(
        update={"promise": HOUSE.promise.model_copy(update={"start": "first", "end": "last"}), "stages": []}
    )
    codebook = Codebook(whole)
    found = sorted((order, begin, RUNNING if length is None else begin + length) for order, begin, length in rows)
    order, begin, finish = np.array(found, dtype=np.int64).T
    running = np.arange(len(found)) % 5
    done = np.array([codebook.code_of[codebook.statuses[code] + ":done"] for code in running])
    batch = status_changes(order, begin, finish, running, done, {})
    same = batch.order[1:] == batch.order[:-1]
    assert (np.diff(batch.at)[same] >= 0).all()
    assert (batch.code[1:] != batch.code[:-1])[same].all()
    measured = measure_line(batch, codebook, as_of, None).measured
    judged = judge(measured, codebook, as_of, np.full(len(measured), 10))
    assert (judged.stage_us.sum(axis=1) == judged.lead_us).all()


def write_csv(path: Path, rows: Iterable[tuple[str, str, str]]) -> Path:
    """Write a log of events."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["order_id", "status", "at"])
        writer.writerows(rows)
    return path


def test_the_first_and_the_last_years_are_measured_exactly(tmp_path: Path) -> None:
    """An order from the year 1 to the year 9998: 3,651,694 days lead time, and every stage of it."""
    log = write_csv(
        tmp_path / "log",
        [
            ("1", "SUBMITTED", "0001-01-02T00:00:00.000001Z"),
            ("1", "PRICE_CALCULATING", "1969-12-31T23:59:59.999999Z"),
            ("1", "SHIPPED", "9998-12-30T23:59:59.999999Z"),
        ],
    )
    found = replay(log, CSV).document()
    first, change, last = (
        micros(datetime.fromisoformat(text))
        for text in (
            "0001-01-02T00:00:00.000001+00:00",
            "1969-12-31T23:59:59.999999+00:00",
            "9998-12-30T23:59:59.999999+00:00",
        )
    )
    rows = {row["stage"]: row["mean_s"] for row in found["stages"] if row["orders"]}
    assert rows == {"price queue": (change - first) / 1e6, "pricing": (last - change) / 1e6}
    assert found["as_of"] == "9998-12-30T23:59:59.999999Z"
    assert (found["broken"], found["quarantined"]) == (1, 0)


def test_moments_of_early_years_are_written_with_four_digits() -> None:
    assert iso(micros(datetime(1, 1, 2, tzinfo=UTC))) == "0001-01-02T00:00:00.000000Z"


def test_an_order_with_a_hundred_thousand_events_is_one_order(tmp_path: Path) -> None:
    """Rework to and fro, an event a second: half of the time in either stage, each entered 50,000 times."""
    statuses = ("SUBMITTED", "PRICE_CALCULATING")
    moments = (START + timedelta(seconds=second) for second in range(100_001))
    rows = [("1", statuses[n % 2] if n < 100_000 else "SHIPPED", m.isoformat()) for n, m in enumerate(moments)]
    found = replay(write_csv(tmp_path / "log", rows), CSV).document()
    times = {row["stage"]: (row["visits"], row["mean_s"]) for row in found["stages"] if row["orders"]}
    assert times == {"price queue": (50_000, 50_000.0), "pricing": (50_000, 50_000.0)}
    assert (found["orders"], found["kept"], found["events"]) == (1, 1, 100_001)


def test_ten_thousand_orders_of_one_event_are_all_open(tmp_path: Path) -> None:
    rows = [(str(number), "SUBMITTED", (START + timedelta(seconds=number)).isoformat()) for number in range(10_000)]
    found = replay(write_csv(tmp_path / "log", rows), CSV)
    assert found.tally.count(OPEN) == found.events == 10_000
    assert found.document()["on_time_share"] is None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 2_048, 100_000])
def test_batches_hold_whole_orders_however_small_they_are(size: int, tmp_path: Path) -> None:
    """Every event comes once, and no order is in two batches."""
    rows = [(str(n % 97), "SUBMITTED", (START + timedelta(seconds=n)).isoformat()) for n in range(5_000)]
    with load_log(write_csv(tmp_path / "log", rows), CSV, Quarantine()) as log:
        batches = list(log.batches(size))
    orders = [set(batch.order.tolist()) for batch in batches]
    assert sum(len(batch) for batch in batches) == 5_000
    assert sum(map(len, orders)) == len(set().union(*orders)) == 97


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3 * 10**17)), max_size=50))
def test_sums_of_microseconds_are_exact_over_any_calendar(items: list[tuple[int, int]]) -> None:
    """Ten thousand years are 3e17 us, far beyond what a double holds exactly."""
    cells: NDArray[np.int64] = np.array([cell for cell, _ in items], dtype=np.int64)
    values: NDArray[np.int64] = np.array([value for _, value in items], dtype=np.int64)
    expected = [sum(value for cell, value in items if cell == wanted) for wanted in range(5)]
    assert [int(total) for total in exact_sums(cells, values, 5)] == expected or max(expected) >= 2**63
