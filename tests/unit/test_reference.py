"""The reference itself is held against logs small enough to be worked out by hand, in each docstring."""

import gzip
import json
import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.reference import replay

HOUR, DAY = 3_600.0, 86_400.0
CSV = "log: {format: csv, order: order, status: status, time: time}"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write both texts to files and replay them."""

    def replayed(promise: str, log: str, as_of: str | None = None) -> dict[str, Any]:
        (tmp_path / "promise.yaml").write_text("touchstone: 1\nname: tiny\n" + promise, encoding="utf-8")
        (tmp_path / "log").write_text(log, encoding="utf-8")
        moment = datetime.fromisoformat(as_of) if as_of else None
        return replay(tmp_path / "log", tmp_path / "promise.yaml", moment)

    return replayed


def days(*steps: str) -> str:
    """CSV of events from texts like `1 A 4`: order, status, day of March 2026."""
    rows = [step.split() for step in steps]
    lines = [f"{order},{status},2026-03-{int(day):02}T00:00:00Z" for order, status, day in rows]
    return "\n".join(["order,status,time", *lines])


def pick(document: dict[str, Any], *keys: str) -> list[Any]:
    """Values of some keys."""
    return [document[key] for key in keys]


def times(document: dict[str, Any]) -> dict[str, tuple[int, float | None]]:
    """Visits and mean time of each stage that was entered."""
    return {row["stage"]: (row["visits"], row["mean_s"]) for row in document["stages"] if row["orders"]}


def over(document: dict[str, Any]) -> dict[str, tuple[float, int]]:
    """Time over budget and rescued orders of each stage that has any."""
    rows = document["stages"]
    return {row["stage"]: (row["over_budget_s"], row["rescued"]) for row in rows if row["over_budget_s"]}


def test_a_status_entered_again_adds_to_its_stage(run: Run) -> None:
    """Order 1: a 1-2 and 4-5, b 2-4 and 5-8, so a 2 d and b 5 d of a lead of 7 d; promised 5 d: broken.

    b is 2 d over its 3 d, and 7 - 2 <= 5: rescued by b. Order 2: a 1 d, b 1 d, kept. Over both: a has totals
    1 and 2 (3 of 9 d), b has 1 and 5 (6 of 9 d); P90 of two values is the lower plus 0.9 of the gap.
    """
    promise = f"""
statuses: {{main: [A, B, END]}}
stages:
  - {{name: a, in: [A], kind: work, budget: 3d}}
  - {{name: b, in: [B], kind: wait, budget: 3d}}
promise: {{from: A, to: END, within: 5d}}
{CSV}
"""
    log = days("1 A 1", "1 B 2", "1 A 4", "1 B 5", "1 END 8", "2 A 1", "2 B 2", "2 END 3")
    document = run(promise, log)
    assert {key: value for key, value in document.items() if key != "stages"} == {
        "promise": "tiny",
        "log": "log",
        "as_of": "2026-03-08T00:00:00.000000Z",
        "events": 8,
        "duplicates": 0,
        "quarantined": 0,
        "orders": 2,
        "kept": 1,
        "broken": 1,
        "open": 0,
        "cancelled": 0,
        "unstarted": 0,
        "on_time_share": 0.5,
        "shared": 0,
        "culprit": {"stage": "b", "rescued": 1, "rescued_share": 1.0},
        "segments": [],
    }
    a, b = document["stages"]
    assert pick(a, "stage", "kind", "budget_s", "orders", "visits") == ["a", "work", 3 * DAY, 2, 3]
    assert pick(a, "mean_s", "p50_s", "p90_s", "p99_s") == [1.5 * DAY, 1.5 * DAY, 1.9 * DAY, 1.99 * DAY]
    assert pick(a, "share_of_lead_time", "over_budget_s", "rescued") == [3 / 9, 0.0, 0]
    assert pick(b, "orders", "visits", "mean_s", "p90_s") == [2, 3, 3 * DAY, 397_440.0]
    assert pick(b, "share_of_lead_time", "over_budget_s", "rescued") == [6 / 9, 2 * DAY, 1]


def test_the_customers_turn_moves_the_promise_moment(run: Run) -> None:
    """Promised 4 d from the 1st. Order 1 paused 5 d: due on the 10th, ended on the 9th: kept.

    Order 2 paused 1 d: due on the 6th, not ended on the 9th: broken. Order 3 pauses since the 2nd, so its
    moment recedes with every day: 1 + 4 + 7 = 12th: open. Order 1's moment is not come: the share is 0 of 1.
    """
    promise = f"""
statuses: {{main: [A, END], off: [P]}}
stages: [{{name: a, in: [A], budget: 1d}}, {{name: pause, in: [P], pauses: true}}]
promise: {{from: A, to: END, within: 4d}}
{CSV}
"""
    log = days("1 A 1", "1 P 2", "1 A 7", "1 END 9", "2 A 1", "2 P 2", "2 A 3", "3 A 1", "3 P 2")
    document = run(promise, log)
    assert pick(document, "kept", "broken", "open", "on_time_share") == [1, 1, 1, 0.0]
    assert times(document) == {"a": (4, (3 + 7) / 2 * DAY), "pause": (2, (5 + 1) / 2 * DAY)}


def test_a_cancelled_order_is_left_out_unless_it_had_ended(run: Run) -> None:
    """1 cancelled on the line, 2 cancelled after its end (kept), 3 never started, 4 and 5 `dead` by column.

    4 had not ended: cancelled; 5 had: kept. 6 was cancelled before it started, and then ended: kept.
    """
    promise = """
statuses: {main: [NEW, A, END], cancelled: [X]}
stages: [{name: a, in: [A], budget: 1d}]
promise: {from: A, to: END, within: 4d}
log: {format: csv, order: order, status: status, time: time, cancelled_when: {state: [dead]}}
"""
    rows = ["1 A 1", "1 X 2", "1 END 3", "2 A 1", "2 END 2", "2 X 3", "3 NEW 1", "3 X 2", "4 A 1", "5 A 1"]
    lines = days(*rows, "5 END 2", "6 X 1", "6 A 2", "6 END 3").split("\n")
    states = {"order": "state", "4": "dead", "5": "dead"}
    log = "\n".join(line + "," + states.get(line.split(",")[0], "") for line in lines)
    document = run(promise, log)
    assert pick(document, "kept", "broken", "open", "cancelled", "unstarted") == [3, 0, 0, 2, 1]
    assert times(document) == {"a": (3, DAY)}


def test_an_order_still_open_after_its_promise_has_its_stages_ahead_to_go(run: Run) -> None:
    """Promised 8 d, seen on the 11th: all three orders of the 1st are broken after 10 d.

    1, in b since the 2nd: c and d (4 d) lie ahead, lead 14; b took 9 d, 7 over: 14 - 7 <= 8, rescued by b.
    2, in a since the 1st: 6 d ahead, lead 16; 9 over: 16 - 9 <= 8, rescued by a. 3 went back from c to a,
    so 6 d lie ahead again, lead 16; a took 1 + 7 d, 7 over: 16 - 7 > 8: shared. Stage a has the larger
    time over budget (16 d against 7 d), so it is the culprit at 1 rescued each.
    """
    promise = f"""
statuses: {{main: [A, B, C, D, END]}}
stages:
  - {{name: b, in: [B], budget: 2d}}
  - {{name: a, in: [A], budget: 1d}}
  - {{name: c, in: [C], budget: 1d}}
  - {{name: d, in: [D], budget: 3d}}
promise: {{from: A, to: END, within: 8d}}
{CSV}
"""
    log = days("1 A 1", "1 B 2", "2 A 1", "3 A 1", "3 B 2", "3 C 3", "3 A 4", "9 A 20")
    document = run(promise, log, "2026-03-11T00:00:00Z")
    # Order 9 is told of after `as_of` only, so it is not there yet.
    assert pick(document, "events", "orders", "broken", "shared") == [7, 3, 3, 1]
    assert over(document) == {"b": (7 * DAY, 1), "a": ((9 + 7) * DAY, 1)}
    assert document["culprit"] == {"stage": "a", "rescued": 1, "rescued_share": 1 / 3}


def test_of_several_running_activities_the_order_is_in_the_one_that_started_last(run: Run) -> None:
    """CUT 8-10 with MILL 9-9:30 inside, nothing until PACK at 12:00 (0 s) and SHIP 12-13.

    Statuses: CUT 8, MILL 9, CUT 9:30, CUT:done 10, PACK 12, SHIP 12, SHIP:done 13: 7 events, lead 5 h. The
    repeated row is a duplicate; the backward, the unknown and the timeless one are quarantined. Order 2's row
    has no end: it still runs at the last end, 13:00, promised 4 h, broken, and 5 - 2 h over leaves 3 <= 4.
    """
    promise = """
statuses: {main: [CUT, MILL, PACK, SHIP]}
stages:
  - {name: cut, in: [CUT], kind: work, budget: 3h}
  - {name: mill, in: [MILL], kind: work, budget: 1h}
  - {name: packing, in: [PACK], kind: work, budget: 1h}
  - {name: shipping, in: [SHIP], kind: work, budget: 1h}
promise: {from: CUT, to: "SHIP:done", within: 4h}
log: {format: csv, order: order, status: status, start: start, end: end}
"""
    rows = ["1,CUT,08:00,10:00", "1,MILL,09:00,09:30", "1,SHIP,12:00,13:00", "1,PACK,12:00,12:00"]
    rows += ["1,CUT,08:00,10:00", "1,MILL,09:30,09:00", "1,SAW,09:00,09:10", "1,MILL,,09:10", "2,CUT,08:00,"]
    day = "2026-03-02T"
    log = "order,status,start,end\n" + "\n".join(
        ",".join([order, status, day + start if start else "", day + end if end else ""])
        for order, status, start, end in (row.split(",") for row in rows)
    )
    document = run(promise, log)
    assert pick(document, "as_of", "events") == ["2026-03-02T13:00:00.000000Z", 7 + 1]
    assert pick(document, "duplicates", "quarantined", "broken") == [1, 3, 2]
    assert times(document) == {
        "cut": (3, (1.5 + 5) / 2 * HOUR),
        "mill": (1, 0.5 * HOUR),
        "packing": (1, 0.0),
        "shipping": (1, HOUR),
        "elsewhere": (1, 2 * HOUR),
    }
    assert over(document) == {"cut": (2 * HOUR, 0)}
    assert document["shared"] == 2


def test_activities_that_end_together_are_told_apart_by_their_start(run: Run) -> None:
    """A 8-10 and B 9-10 end together: B started last, so 10 is B:done; C starts as D ends: no D:done at 12.

    Statuses: A 8, B 9, B:done 10, D 11, C 12, C:done 13: A 1 h, B 1 h, B:done 1 h, D 1 h, C 1 h.
    """
    promise = """
statuses: {main: [A, B, C, D]}
stages: [{name: work, in: [A, B, C, D]}, {name: "after b", in: ["B:done"]}, {name: "after d", in: ["D:done"]}]
promise: {from: first, to: last, within: 1d}
log: {format: csv, order: order, status: status, start: start, end: end, time_format: "%d.%m.%Y %H"}
"""
    rows = ["B,2.3.2026 9,2.3.2026 10", "A,2.3.2026 8,2.3.2026 10", "C,2.3.2026 12,2.3.2026 13"]
    log = "order,status,start,end\n" + "\n".join("1," + row for row in [*rows, "D,2.3.2026 11,2.3.2026 12"])
    document = run(promise, log)
    assert document["events"] == 6
    assert times(document) == {"work": (2, 4 * HOUR), "after b": (1, HOUR)}


def test_a_completion_opens_the_time_after_its_activity(run: Run, tmp_path: Path) -> None:
    """A, B and C finished on the 1st, 3rd and 6th: 2 d after A, 3 d after B; `from: A` names its completion.

    The same as XES, where the trace says the segment and times have offsets and seven digits; the event
    `start` of B is not the lifecycle asked for.
    """
    promise = """
statuses: {main: [A, B, C]}
stages: [{name: after a, in: ["A:done"], budget: 1d}, {name: after b, in: ["B:done"], budget: 1d}]
promise: {from: A, to: C, within: 9d}
segments: [channel]
log: {format: FORMAT, order: order, status: status, time: time, marks: completion, lifecycle: complete}
"""
    expected = {"after a": (1, 2 * DAY), "after b": (1, 3 * DAY)}
    assert times(run(promise.replace("FORMAT", "csv"), days("1 A 1", "1 B 3", "1 C 6"))) == expected
    xes = '<log xmlns="http://www.xes-standard.org/"><trace><string key="concept:name" value="1"/>'
    xes += '<string key="channel" value="b2b"/>'
    events = ("A complete 1", "B start 2", "B complete 3", "C complete 6")
    for status, transition, day in (event.split() for event in events):
        xes += f"""<event><string key="concept:name" value="{status}"/>
            <string key="lifecycle:transition" value="{transition}"/>
            <date key="time:timestamp" value="2026-03-0{day}T02:00:00.0000009+02:00"/></event>"""
    (tmp_path / "log.xes.gz").write_bytes(gzip.compress((xes + "</trace></log>").encode()))
    assert pick(run(promise.replace("FORMAT", "xes"), "<log/>"), "as_of", "orders") == [None, 0]
    document = replay(tmp_path / "log.xes.gz", tmp_path / "promise.yaml")
    assert times(document) == expected
    assert pick(document, "as_of", "kept") == ["2026-03-06T00:00:00.000000Z", 1]
    assert pick(document["segments"][0], "by", "value", "kept") == ["channel", "b2b", 1]


def test_two_systems_make_one_timeline_whatever_the_order_of_arrival(run: Run) -> None:
    """The shop tells NEW 10:00, OK 9:00 (backwards: taken as 10:00), SENT 16:00; the works MADE 10:00.

    At 10:00 the main line decides: NEW, OK, MADE. SENT at 15:00 is the works' word, not the owner's: it
    counts as an event, but the order ends at 16:00 after 6 h in MADE, promised 6 h: kept. One line is sent
    twice.
    """
    promise = """
statuses: {main: [NEW, OK, MADE, SENT]}
stages: [{name: desk, in: [NEW]}, {name: queue, in: [OK]}, {name: works, in: [MADE]}]
promise: {from: NEW, to: SENT, within: 6h}
reported_by: {SENT: /shop}
log: {format: cloudevents}
"""
    told = ["/shop 1 NEW 10", "/shop 2 OK 09", "/shop 3 SENT 16", "/mes 1 MADE 10", "/mes 2 SENT 15"]
    lines = []
    for source, sequence, status, hour in (line.split() for line in told):
        event = {"id": sequence, "source": source, "subject": "1", "time": f"2026-03-02T{hour}:00:00Z"}
        lines.append(json.dumps({**event, "sequence": sequence, "data": {"status": status}}))
    for seed in range(10):
        shuffled = random.Random(seed).sample([*lines, lines[0]], 6)  # noqa: S311 - no secret
        document = run(promise, "\n".join(shuffled))
        assert pick(document, "events", "duplicates", "quarantined", "kept") == [5, 1, 0, 1]
        assert times(document) == {"desk": (1, 0.0), "queue": (1, 0.0), "works": (1, 6 * HOUR)}


@pytest.mark.parametrize(("closed", "over_h"), [("[]", 20 + 1), ("[2026-03-09]", 0 + 1)])
def test_a_working_budget_is_used_up_in_working_hours_only(run: Run, closed: str, over_h: int) -> None:
    """A from Friday 6 March 15:00 to Tuesday 11:00 in Berlin, and again Wednesday 13:00-14:00 (UTC + 1).

    One working day is 8 h: Friday 2, Monday 6, so it ran out on Monday at 15:00; 20 h and 1 h over. With
    Monday closed, a budget of 4 h: Friday 2, Tuesday 2, so it ran out as the visit ended; only 1 h over.
    """
    budget = "1d" if closed == "[]" else "4h"
    promise = f"""
statuses: {{main: [A, B, END]}}
stages: [{{name: a, in: [A], budget: {budget}, working: true}}, {{name: b, in: [B], budget: 9w}}]
promise: {{from: A, to: END, within: 1d}}
calendar:
  {{weekdays: [mon, tue, wed, thu, fri], hours: "09:00-17:00", timezone: Europe/Berlin, closed: {closed}}}
log: {{format: csv, order: order, status: status, time: time, timezone: Europe/Berlin}}
"""
    told = ["A,2026-03-06 15:00", "B,2026-03-10 11:00", "A,2026-03-11 13:00", "END,2026-03-11 14:00"]
    document = run(promise, "order,status,time\n" + "\n".join("1," + line for line in told))
    assert document["stages"][0]["budget_s"] == (8 * HOUR if closed == "[]" else 4 * HOUR)
    assert over(document) == {"a": (over_h * HOUR, 0)}


def test_an_order_promised_by_a_day_keeps_it_until_that_day_is_over(run: Run) -> None:
    """Promised the 3rd: 1 came at 23:59 (kept), 2 a minute later (broken); 4 is b2b, due on the 2nd (broken).

    3 has no promise: its two events are quarantined; so is the unreadable cell of 4. The second row of 1 is a
    duplicate. Segments: none (1, 2), b2b (4).
    """
    promise = """
statuses: {main: [A, END]}
stages: [{name: a, in: [A], budget: 1h}]
promise:
  {from: A, to: END, by: due, by_day: true, overrides: [{when: {channel: b2b}, within: 1d}]}
segments: [channel]
log:
  format: wide
  order: order
  statuses: {A: made, END: sent}
  attributes: {due: day}
  time_format: "%d.%m. %H:%M %Y"
"""
    rows = [
        "1,1.3. 0:00 2026,3.3. 23:59 2026,3.3. 0:00 2026,",
        "1,1.3. 0:00 2026,9.3. 23:59 2026,3.3. 0:00 2026,",
        "2,1.3. 0:00 2026,4.3. 0:00 2026,3.3. 0:00 2026,",
        "3,1.3. 0:00 2026,7.3. 0:00 2026,,",
        "4,1.3. 0:00 2026,soon,,b2b",
    ]
    document = run(promise, "\n".join(["order,made,sent,day,channel", *rows]))
    assert document["as_of"] == "2026-03-04T00:00:00.000000Z"
    assert pick(document, "events", "duplicates", "quarantined", "kept", "broken") == [5, 1, 3, 1, 2]
    found = [pick(row, "by", "value", "orders", "kept", "broken") for row in document["segments"]]
    assert found == [["channel", None, 2, 1, 1], ["channel", "b2b", 1, 0, 1]]


def test_repeats_and_unknown_statuses_leave_the_order_where_it_was(run: Run) -> None:
    """A 1st and the same again (duplicate), ? 2nd (quarantined) and the same again (duplicate), END 4th.

    The nameless row is quarantined too. What remains is A and END: 3 d in a.
    """
    promise = f"""
statuses: {{main: [A, END]}}
stages: [{{name: a, in: [A], budget: 1d}}]
promise: {{from: A, to: END, within: 1w}}
{CSV}
"""
    document = run(promise, days("1 ? 2", "1 A 1", "1 END 4", "1 A 1", "1 ? 2") + "\n,A,2026-03-01T00:00:00Z")
    assert pick(document, "events", "duplicates", "quarantined", "kept") == [2, 2, 2, 1]
    assert times(document) == {"a": (1, 3 * DAY)}
    assert document["on_time_share"] is None
