"""A promise file is drafted from any log alone, and the log then replays with it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from collectors.drafting import draft_promise
from collectors.drafting.columns import MISSING
from collectors.drafting.formats import shapes_of
from collectors.drafting.names import is_cancelling, order_points, status_points, words
from collectors.drafting.promising import kept_share, propose_within
from collectors.drafting.wording import percent, rounded_down, scalar
from collectors.promise.checking import check_document
from collectors.promise.document import parse_document
from collectors.promise.durations import parse_duration
from collectors.promise.reading import DEFAULT_PROMISE, load_promise
from collectors.replay import Replay, replay
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from collectors.promise.model import PromiseFile

LINE = ["Received", "Checked", "Produced", "Packed", "Sent"]
BEGIN = datetime(2025, 11, 3, 8, 0, tzinfo=UTC)


class Event(NamedTuple):
    """A row of a made-up log."""

    order: str
    status: str
    at: datetime


def house(orders: int = 80, *, seed: int = 7, line: Sequence[str] = LINE) -> list[Event]:
    """Orders that go down a line of statuses, a few of them slowly, in the order of their times."""
    draw = random.Random(seed)  # noqa: S311 - a made-up log needs no secret
    events = []
    for number in range(orders):
        at = BEGIN + timedelta(hours=9 * number, minutes=draw.randrange(400))
        slow = 4 if draw.random() < 0.2 else 1
        for status in line:
            events.append(Event(f"A-{1000 + number}", status, at))
            at += timedelta(minutes=draw.randrange(300, 2400) * slow)
    return sorted(events, key=lambda event: event.at)


def table(rows: Iterable[Sequence[Any]], header: Sequence[str], delimiter: str = ",") -> str:
    """Write rows as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


class Tried(NamedTuple):
    """A draft, read and replayed."""

    text: str
    promise: PromiseFile
    replay: Replay

    @property
    def records(self) -> int:
        """All records that the replay accounts for."""
        return self.replay.events + self.replay.duplicates + self.replay.quarantined


def tried(path: Path) -> Tried:
    """Draft, check without any warning, and replay; what must hold for every draft is asserted here."""
    text = draft_promise(path)
    findings, promise = check_document(parse_document(text))
    assert [str(finding) for finding in findings] == []
    assert promise is not None
    budgets = [parse_duration(stage.budget or "0s") for stage in promise.stages]
    within = promise.promise.within or timedelta.max
    assert sum(budgets, timedelta()) <= within
    assert len(promise.stages) <= 15
    replayed = replay(path, promise)
    summary = replayed.document()
    assert "elsewhere" not in [row["stage"] for row in summary["stages"]]
    judged = sum(summary[key] for key in ("kept", "broken", "open", "cancelled", "unstarted"))
    assert judged == summary["orders"] > 0
    return Tried(text, promise, replayed)


def dotted(at: datetime) -> str:
    """Write a time the German way."""
    return at.strftime("%d.%m.%Y %H:%M")


WRITTEN: dict[str, tuple[Callable[[datetime], str], str | None]] = {
    "iso with zone": (lambda at: at.isoformat(), None),
    "iso z": (lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), None),
    "iso offset": (lambda at: at.strftime("%Y-%m-%d %H:%M:%S+02:00"), None),
    "naive": (lambda at: at.strftime("%Y-%m-%d %H:%M:%S"), None),
    "slashes": (lambda at: at.strftime("%Y/%m/%d %H:%M:%S"), "%Y/%m/%d %H:%M:%S"),
    "dotted": (dotted, "%d.%m.%Y %H:%M"),
    "dotted short": (lambda at: at.strftime("%d.%m.%y %H:%M:%S"), "%d.%m.%y %H:%M:%S"),
    "day first": (lambda at: at.strftime("%d/%m/%Y %H:%M:%S"), "%d/%m/%Y %H:%M:%S"),
    "month first": (lambda at: f"{at.month}/{at.day}/{at.year} {at.hour}:{at.minute:02}", "%m/%d/%Y %H:%M"),
    "half days": (lambda at: at.strftime("%m/%d/%Y %I:%M:%S %p"), "%m/%d/%Y %I:%M:%S %p"),
    "dashes": (lambda at: at.strftime("%d-%m-%Y %H:%M:%S.%f"), "%d-%m-%Y %H:%M:%S.%f"),
    "month named": (lambda at: at.strftime("%d-%b-%Y %H:%M:%S"), "%d-%b-%Y %H:%M:%S"),
    "american": (lambda at: at.strftime("%b %d, %Y %H:%M"), "%b %d, %Y %H:%M"),
    "offset apart": (lambda at: at.strftime("%Y-%m-%d %H:%M:%S +0000"), "%Y-%m-%d %H:%M:%S %z"),
    "comma seconds": (lambda at: at.strftime("%Y-%m-%d %H:%M:%S,") + "123", "%Y-%m-%d %H:%M:%S,%f"),
    "compact": (lambda at: at.strftime("%Y%m%d%H%M%S"), "%Y%m%d%H%M%S"),
    "compact z": (lambda at: at.strftime("%Y%m%dT%H%M%SZ"), "%Y%m%dT%H%M%SZ"),
    "days only": (lambda at: at.strftime("%Y-%m-%d"), None),
    "dotted days": (lambda at: at.strftime("%d.%m.%Y"), "%d.%m.%Y"),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_times_are_read_however_they_are_written(tmp_path: Path, way: str) -> None:
    """The draft names a time format exactly where the default reading does not do."""
    write, expected = WRITTEN[way]
    path = tmp_path / "log.csv"
    path.write_text(table([(e.order, e.status, write(e.at)) for e in house()], ["order_id", "status", "at"]))
    found = tried(path)
    assert found.promise.log.time_format == expected
    assert (found.records, found.replay.quarantined) == (400, 0)
    assert found.promise.statuses.main == LINE


NAMED = {
    "Disco": ("Case ID", "Activity", "Complete Timestamp"),
    "pm4py": ("case:concept:name", "concept:name", "time:timestamp"),
    "glued": ("caseid", "event", "end_time"),
    "humps": ("caseId", "taskName", "timestamp"),
    "tickets": ("Ticket", "Status", "Date"),
    "incidents": ("Incident ID", "IncidentActivity_Type", "DateStamp"),
    "hospital": ("patient_id", "activity", "event_time"),
    "German": ("Auftragsnummer", "Vorgangsstatus", "Zeitpunkt"),
    "Russian": ("номер заказа", "статус", "дата"),
    "meaningless": ("a", "b", "c"),
    "terse": ("id", "state", "ts"),
    "permits": ("Permit No.", "Process Step", "Occurred on"),
}


@pytest.mark.parametrize("naming", NAMED)
def test_columns_are_found_by_names_and_values(tmp_path: Path, naming: str) -> None:
    """Order, status and time are told apart from the rest, whatever they are called."""
    order, status, time = NAMED[naming]
    path = tmp_path / "log.csv"
    draw = random.Random(1)  # noqa: S311 - a made-up log needs no secret
    rows = [
        (n, f"user{draw.randrange(9)}", e.order, draw.randrange(10_000) / 100, e.status, e.at.isoformat(), "x" * 9)
        for n, e in enumerate(house())
    ]
    path.write_text(table(rows, ["", "resource", order, "cost", status, time, "comment"]), encoding="utf-8")
    found = tried(path)
    log = found.promise.log
    assert (log.order, log.status, log.time) == (order, status, time)
    assert found.promise.statuses.main == LINE
    assert (found.records, found.replay.quarantined) == (400, 0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_encodings_and_packing(tmp_path: Path, delimiter: str) -> None:
    """Semicolons, tabs and bars, BOM, Latin-1, UTF-16, gzip and newlines in quotes are no obstacle."""
    rows = [
        (e.order, e.status.replace("Checked", "Geprüft"), e.at.isoformat(), "one\ntwo, three; 4|5") for e in house()
    ]
    text = table(rows, ["Order", "Status", "Time", "Note, remark; more"], delimiter)
    for name, packed in {
        "bom.csv": text.encode("utf-8-sig"),
        "latin.txt": text.encode("latin-1"),
        "wide.log": text.encode("utf-16"),
        "packed": gzip.compress(text.encode()),
        "dos.csv": text.replace("\n", "\r\n").encode(),
    }.items():
        path = tmp_path / name
        path.write_bytes(packed)
        found = tried(path)
        assert "Geprüft" in found.promise.statuses.main, name
        assert (found.records, found.replay.quarantined) == (400, 0), name


def test_ambiguous_dates_are_decided_by_how_long_orders_take(tmp_path: Path) -> None:
    """Days up to 12 read either way; the right one keeps the events of an order together."""
    line = [("x", "a"), ("x", "b")]
    rows = []
    for number in range(40):
        at = datetime(2025, 1 + number % 12, 1 + number % 11, 9, tzinfo=UTC)
        rows += [
            (f"o{number}", status, (at + timedelta(days=place)).strftime("%d/%m/%Y %H:%M"))
            for place, (_, status) in enumerate(line)
        ]
    path = tmp_path / "log.csv"
    path.write_text(table(rows, ["order", "status", "date"]))
    found = tried(path)
    assert found.promise.log.time_format == "%d/%m/%Y %H:%M"
    assert "a guess" in found.text


def test_start_and_end_make_work_and_wait_stages(tmp_path: Path) -> None:
    """A log of activities has a work stage for each activity and a wait stage after it."""
    rows = [(e.order, e.status, (e.at - timedelta(minutes=100)).isoformat(), e.at.isoformat(), "r1") for e in house()]
    path = tmp_path / "log.csv"
    path.write_text(table(rows, ["Case ID", "Activity", "Start Timestamp", "Complete Timestamp", "Resource"]))
    found = tried(path)
    log = found.promise.log
    assert (log.start, log.end, log.time) == ("Start Timestamp", "Complete Timestamp", None)
    kinds = {stage.name: stage.kind for stage in found.promise.stages}
    assert kinds["Checked"] == "work"
    assert kinds["after Checked"] == "wait"
    assert found.replay.quarantined == 0


def test_columns_that_differ_in_case_only_are_kept_apart(tmp_path: Path) -> None:
    """Logs of two tools joined into one have `Activity` and `activity`."""
    path = tmp_path / "log.csv"
    rows = [(e.order, e.status, e.order, e.at.isoformat()) for e in house()]
    path.write_text(table(rows, ["Case ID", "Activity", "activity", "time"]))
    found = tried(path)
    assert found.promise.log.status == "Activity"
    assert found.records == 400


def test_equal_starts_and_ends_are_completions(tmp_path: Path) -> None:
    """Where start and end never differ only the ends are known, so events say that an activity is complete."""
    rows = [(e.order, e.status, e.at.isoformat(), e.at.isoformat()) for e in house()]
    path = tmp_path / "log.csv"
    path.write_text(table(rows, ["Case ID", "Activity", "Start Timestamp", "Complete Timestamp"]))
    found = tried(path)
    assert (found.promise.log.time, found.promise.log.marks) == ("Complete Timestamp", "completion")
    assert found.records == 400


def test_hundreds_of_activities_make_a_dozen_stages(tmp_path: Path) -> None:
    """The long tail is one stage, and every status of the log is known."""
    draw = random.Random(3)  # noqa: S311 - a made-up log needs no secret
    rare = [f'lab test {number}: "{number}" #x' for number in range(500)]
    events = house(400)
    extra = [Event(e.order, draw.choice(rare), e.at + timedelta(minutes=7)) for e in events]
    path = tmp_path / "log.csv"
    path.write_text(
        table([(e.order, e.status, e.at.isoformat()) for e in [*events, *extra]], ["case", "activity", "time"])
    )
    found = tried(path)
    assert set(LINE) <= set(found.promise.statuses.main)
    assert len(found.promise.statuses.all()) == len({e.status for e in [*events, *extra]})
    assert (found.records, found.replay.quarantined) == (4000, 0)


@pytest.mark.parametrize(
    "status",
    [
        "yes",
        "123",
        "a: b",
        "#1",
        "naïve \u2013 ok",
        "[x]",
        "null",
        "- a",
        "'q'",
        '"q"',
        "first",
        "last",
        "a\tb",
        "😀",
        "A:done",
        " lead",
    ],
)
def test_statuses_of_any_spelling_survive(tmp_path: Path, status: str) -> None:
    """A name that YAML would take for something else is quoted, and one that the promise reserves is worked around."""
    line = ["Open", status, "Shut"]
    path = tmp_path / "log.csv"
    path.write_text(
        table([(e.order, e.status, e.at.isoformat()) for e in house(line=line)], ["order", "status", "time"]),
        encoding="utf-8",
    )
    found = tried(path)
    assert found.promise.statuses.main == line
    assert found.replay.quarantined == 0


def wide_rows(*, promise: Callable[[datetime], str] | None, write: Callable[[datetime], str]) -> list[list[str]]:
    """Orders as rows, a column for each status; unfinished ones lack the last, and of those some are cancelled."""
    by_order: dict[str, dict[str, datetime]] = {}
    for event in house(120):
        by_order.setdefault(event.order, {})[event.status] = event.at
    rows = []
    for number, (order, times) in enumerate(sorted(by_order.items())):
        given_up = number % 20 == 0
        cells = ["" if given_up and status == "Sent" else write(times[status]) for status in LINE]
        row = [order, f"c{number % 50}", "cancelled by customer" if given_up else "delivered", *cells]
        if promise is not None:
            row.append(promise(times["Received"] + timedelta(days=9)))
        rows.append(row)
    return rows


WIDE = ["order_id", "customer_id", "order_status", *(f"order_{status.lower()}_at" for status in LINE)]


def test_a_wide_log_brings_its_own_promise(tmp_path: Path) -> None:
    """Milestones become statuses, a promised day the promise, a status column the sign of a cancellation."""
    rows = wide_rows(promise=lambda at: at.strftime("%Y-%m-%d"), write=lambda at: at.strftime("%Y-%m-%d %H:%M"))
    path = tmp_path / "orders.csv"
    path.write_text(table(rows, [*WIDE, "estimated_delivery_date"]))
    found = tried(path)
    promise = found.promise
    assert promise.log.format == "wide"
    assert list(promise.log.statuses.values()) == WIDE[3:]
    assert promise.log.cancelled_when == {"order_status": ["cancelled by customer"]}
    assert promise.promise.by_day
    assert promise.promise.by is not None
    assert promise.log.column(promise.promise.by) == "estimated_delivery_date"
    assert (promise.promise.start, promise.promise.end) == (promise.statuses.main[0], promise.statuses.main[-1])
    assert found.replay.document()["cancelled"] == 6
    assert found.replay.quarantined == 0


@pytest.mark.parametrize("name", ["due_date", "promised", "Required Date", "SLA deadline", "planned_delivery"])
def test_the_promised_column_may_have_many_names(tmp_path: Path, name: str) -> None:
    """A due, required, promised or planned moment is no milestone; one with a time of day names no day."""
    rows = wide_rows(promise=dotted, write=dotted)
    path = tmp_path / "orders.csv"
    path.write_text(table(rows, [*WIDE, name], ";"))
    found = tried(path)
    by = found.promise.promise.by
    assert by is not None
    assert found.promise.log.column(by) == name
    assert not found.promise.promise.by_day
    assert found.promise.log.time_format == "%d.%m.%Y %H:%M"


def test_a_wide_log_without_a_promise_gets_one(tmp_path: Path) -> None:
    """Without a promised moment the draft proposes a length that most orders kept, and some broke."""
    path = tmp_path / "orders.csv"
    path.write_text(table(wide_rows(promise=None, write=datetime.isoformat), WIDE))
    found = tried(path)
    summary = found.replay.document()
    assert found.promise.promise.within is not None
    assert 0.7 < summary["kept"] / summary["orders"] < 0.95
    assert summary["broken"] > 0


def xes(events: Iterable[Event], transitions: Sequence[str], extra: str = "") -> str:
    """Write an XES log in which every event comes once in each transition."""
    traces: dict[str, list[str]] = {}
    for event in events:
        for place, transition in enumerate(transitions):
            at = (event.at + timedelta(minutes=place)).isoformat()
            kind = f'<string key="lifecycle:transition" value="{transition}"/>' if transition else ""
            traces.setdefault(event.order, []).append(
                f'<event><string key="concept:name" value="{event.status}"/>{kind}'
                f'<string key="org:role" value="{event.status} team"/><date key="time:timestamp" value="{at}"/></event>'
            )
    body = "".join(
        f'<trace><string key="concept:name" value="{order}"/>{extra.format(number % 3)}{"".join(found)}</trace>\n'
        for number, (order, found) in enumerate(traces.items())
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- a log --><log xes.version="1.0">{body}</log>'


@pytest.mark.parametrize("complete", ["complete", "COMPLETE"])
def test_of_several_transitions_the_completions_count(tmp_path: Path, complete: str) -> None:
    """`lifecycle` is spelled as in the log, and an order is then after an activity."""
    path = tmp_path / "log.bin"
    segment = '<string key="Product type" value="kind {}"/>'
    path.write_bytes(gzip.compress(xes(house(), ["schedule", "start", complete], segment).encode()))
    found = tried(path)
    log = found.promise.log
    assert (log.format, log.lifecycle, log.marks) == ("xes", complete, "completion")
    assert found.promise.stages[0].name == "after Received"
    assert found.promise.stages[0].owner == "Checked team"
    assert found.promise.segments == ["Product type"]
    assert (found.records, found.replay.quarantined) == (400, 0)


@pytest.mark.parametrize("transition", ["", "Awaiting Assignment"])
def test_events_without_standard_transitions_mark_statuses(tmp_path: Path, transition: str) -> None:
    """A log without transitions, or with its own, says which status begins."""
    path = tmp_path / "log.xes"
    path.write_text(xes(house(), [transition]))
    found = tried(path)
    assert (found.promise.log.lifecycle, found.promise.log.marks) == (None, "status")
    assert found.records == 400


def cloud(events: Iterable[Event]) -> str:
    """Write events as CloudEvents."""
    lines = []
    for number, event in enumerate(events):
        sender = "shop" if event.status in {"SUBMITTED", "Received"} else "mes"
        order = {"channel": ["web", "b2b"][int(event.order[-1]) % 2], "product": "ring"}
        message = {
            "specversion": "1.0",
            "id": str(number),
            "source": f"/{sender}",
            "type": "order.status.changed.v1",
            "subject": event.order,
            "time": event.at.isoformat(),
            "data": {"status": event.status, "previous": None, "order": order},
        }
        lines.append(json.dumps(message))
    return "\n".join(lines) + "\n"


JEWELS = ["SUBMITTED", "PRICE_CALCULATING", "PRICE_CALCULATED", "MANUFACTURING_STARTED", "PACKAGING", "SHIPPED"]


def test_the_house_of_the_packaged_promise_gets_that_promise(tmp_path: Path) -> None:
    """A log with the jeweller's statuses is judged by the jeweller's own promise, in either format."""
    packaged = load_promise(DEFAULT_PROMISE)
    events = house(line=JEWELS)
    stream, rows = tmp_path / "events.jsonl", tmp_path / "events.csv"
    stream.write_text(cloud(events))
    rows.write_text(
        table([(e.order, e.status, e.at.isoformat(), "web") for e in events], ["order_id", "status", "at", "channel"])
    )
    for path, kind in ((stream, "cloudevents"), (rows, "csv")):
        found = tried(path)
        assert found.promise.log.format == kind
        assert (found.promise.stages, found.promise.promise) == (packaged.stages, packaged.promise)
        assert "jeweller" in found.text
        assert (found.records, found.replay.quarantined) == (480, 0)


def test_a_status_that_the_packaged_promise_lacks_is_added(tmp_path: Path) -> None:
    """No event of the log is quarantined for a status that the house did not have."""
    events = house(line=JEWELS)
    events.append(Event(events[0].order, "ON HOLD: #1", events[0].at + timedelta(minutes=1)))
    path = tmp_path / "events.csv"
    path.write_text(table([(e.order, e.status, e.at.isoformat()) for e in events], ["order_id", "status", "at"]))
    found = tried(path)
    assert "ON HOLD: #1" in found.promise.statuses.off
    assert found.replay.quarantined == 0


def test_cloudevents_of_another_business(tmp_path: Path) -> None:
    """Any statuses will do; the sender of what comes next owns the wait; broken lines are no obstacle."""
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress((cloud(house()) + "{broken\n").encode()))
    found = tried(path)
    assert found.promise.statuses.main == LINE
    assert found.promise.segments == ["channel"]
    assert {stage.owner for stage in found.promise.stages[:4]} == {"mes"}
    assert (found.records, found.replay.quarantined) == (401, 1)


def test_cancelling_statuses_cancel_where_nothing_follows_them(tmp_path: Path) -> None:
    """`cancelled` needs an end that all other orders reach; a rejection that is resubmitted is only off the line."""
    events = house(100)
    ended = {f"A-{1000 + number}" for number in range(0, 100, 10)}
    events = [e for e in events if e.order not in ended or e.status in LINE[:2]]
    last = {e.order: e.at for e in events}
    events += [Event(order, "Cancelled by customer", last[order] + timedelta(hours=1)) for order in sorted(ended)]
    again = sorted(set(last) - ended)[:20]
    first = {e.order: e.at for e in reversed(events)}
    events += [Event(order, "Rejected", first[order] + timedelta(minutes=1)) for order in again]
    path = tmp_path / "log.csv"
    path.write_text(table([(e.order, e.status, e.at.isoformat()) for e in events], ["order", "status", "time"]))
    found = tried(path)
    assert found.promise.statuses.cancelled == ["Cancelled by customer"]
    assert found.promise.statuses.off == ["Rejected"]
    assert found.promise.promise.end == "Sent"
    assert found.replay.document()["cancelled"] == len(ended)


def test_a_due_date_of_events_is_the_promise(tmp_path: Path) -> None:
    """A log of events may carry each order's promised moment too."""
    first: dict[str, datetime] = {}
    rows = []
    for event in house():
        due = first.setdefault(event.order, event.at) + timedelta(days=8)
        rows.append((event.order, event.status, event.at.isoformat(), f"{due:%Y-%m-%d}"))
    path = tmp_path / "log.csv"
    path.write_text(table(rows, ["order", "status", "time", "due_date"]))
    found = tried(path)
    assert found.promise.promise.by == "promised_at"
    assert found.promise.promise.by_day
    assert found.replay.quarantined == 0


def test_bad_rows_are_left_to_the_quarantine(tmp_path: Path) -> None:
    """A few unreadable times, missing statuses and ragged rows spoil no draft, and every row is accounted for."""
    rows: list[tuple[str, ...]] = [(e.order, e.status, e.at.isoformat()) for e in house()]
    rows += [("A-1000", "Sent", "yesterday"), ("A-1001", "", BEGIN.isoformat()), ("A-1002", "Sent", "x", "y"), rows[0]]
    path = tmp_path / "log.csv"
    path.write_text(table(rows, ["order", "status", "time"]))
    found = tried(path)
    assert found.replay.quarantined == 3
    assert found.records == len(rows)


def test_one_event_an_order_is_enough(tmp_path: Path) -> None:
    """A log that has only begun gets a draft too."""
    path = tmp_path / "log.csv"
    path.write_text("order_id,status,time\n1,New,2026-01-01\n2,New,2026-01-02\n3,Old,2026-01-03\n")
    assert tried(path).records == 3


def test_very_short_orders_have_budgets_in_seconds(tmp_path: Path) -> None:
    """A promise of a minute still has room for every stage."""
    rows = [
        (f"o{n}", status, (BEGIN + timedelta(seconds=60 * n + 3 * p * (1 + n % 5))).isoformat())
        for n in range(50)
        for p, status in enumerate("abcdefgh")
    ]
    path = tmp_path / "log.csv"
    path.write_text(table(rows, ["trace", "event", "timestamp"]))
    assert tried(path).records == 400


def test_a_nightly_list_of_events_by_day(tmp_path: Path) -> None:
    """Where all times are days, many orders take no time at all, and the draft is whole nevertheless."""
    rows = [(f"o{n}", status, "2026-01-05") for n in range(20) for status in "abc"]
    path = tmp_path / "log.csv"
    path.write_text(table(rows, ["order", "status", "date"]))
    found = tried(path)
    assert found.promise.promise.within == timedelta(days=1)


NO_LOGS = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n ", "empty"),
    "junk": (bytes(range(256)) * 40, "binary"),
    "zip": (b"PK\x03\x04 and so on", "zip"),
    "parquet": (b"PAR1....", "Parquet"),
    "page": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
    "xml": (b"<?xml version='1.0'?><orders><order/></orders>", "<orders>"),
    "json": (b'{"a": 1}\n{"a": 2}\n', "no status event"),
    "json list": (b'[{"a": 1}]', "list"),
    "prose": (b"Dear all,\nplease find attached nothing.\nYours\n", "column"),
    "only a header": (b"order,status,time\n", "no row"),
    "no header": (b"1,2026-01-01,New\n2,2026-01-02,New\n", "column names"),
    "no time": (b"order,status,who\n1,New,me\n1,Old,me\n2,New,you\n2,Old,you\n", "no column holds times"),
    "epochs": (b"order,status,ts\n1,New,1767225600\n1,Old,1767225700\n2,New,1767225900\n", "since 1970"),
    "no status": (b"order,at\n1,2026-01-01\n2,2026-01-02\n3,2026-01-03\n", "its status"),
    "excel note": (b"sep=;\norder;status;time\n", "delete that line"),
    "broken gzip": (b"\x1f\x8b\x08\x00 nonsense", "gzip"),
    "empty xes": (b"<log></log>", "trace"),
}


@pytest.mark.parametrize("kind", NO_LOGS)
def test_what_is_no_log_is_refused_with_a_reason(tmp_path: Path, kind: str) -> None:
    """One line says what is wrong and names the file."""
    content, reason = NO_LOGS[kind]
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        draft_promise(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "thing" in str(caught.value)


def test_names_are_read_as_words() -> None:
    """Humps, colons, blanks and underscores part words alike."""
    assert words("caseID") == words("case:id") == words("Case_ID") == ["case", "id"]
    assert order_points("Case ID") > order_points("customer_id")
    assert order_points("order_status") == 0
    assert status_points("activity") > status_points("resource") == 0
    assert is_cancelling("CANCELED_BY_USER")
    assert not is_cancelling("Packed")


def test_scalars_read_back_as_they_were() -> None:
    """Every text survives YAML."""
    for text in [
        *MISSING[1:],
        "yes",
        "1e3",
        "a: b",
        "a #b",
        "é",
        "\x07",
        "\ufeff",
        "x\\y",
        "{a}",
        "@x",
        "%",
        "`",
        "2026-01-01",
        "=",
        "<<",
    ]:
        assert parse_document(f"- {scalar(text)}\n- [{scalar(text)}]\n").data == [text, [text]]


def test_shapes_leave_day_and_month_open() -> None:
    """Three numbers may be either way round, a year first may not."""
    assert shapes_of("3.4.2025 10:00") == ["%d.%m.%Y %H:%M", "%m.%d.%Y %H:%M"]
    assert shapes_of("2025/04/03") == ["%Y/%m/%d"]
    assert shapes_of("Mon, 02 Jan 2012 10:00:00 +0000") == ["%a, %d %b %Y %H:%M:%S %z"]
    assert shapes_of("hello") == []


def test_a_proposed_promise_is_round_and_sometimes_broken() -> None:
    """Between 85 and 90 % of lead times keep it where a round duration does that."""
    import numpy as np

    days = np.arange(1, 101, dtype=np.int64) * 86_400_000_000
    assert propose_within(days) in {86 * 86_400, 87 * 86_400, 88 * 86_400, 90 * 86_400}
    assert 0.85 <= kept_share(days, propose_within(days)) <= 0.9
    assert propose_within(np.zeros(5, dtype=np.int64)) == 86_400
    assert rounded_down(5 * 86_400 + 3_600) == 5 * 86_400
    assert (percent(0.999_99), percent(0.5)) == ("99.9 %", "50 %")
