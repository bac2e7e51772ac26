"""Every mistake in a promise file is found at once, on its line, with what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.promise import DEFAULT_PROMISE, Finding, check_document
from collectors.promise.document import Document, parse_document, read_document
from collectors.promise.reading import promise_from
from instrumentation.errors import BadInput

# A right file, each value on a line of its own; the cases below spoil one line each.
RIGHT = """touchstone: 1
name: repairs
statuses:
  main: [IN, LOOK, BENCH, OUT]
  off: [LOST]
  cancelled: [VOID]
stages:
  - {name: queue, in: [IN], kind: wait, budget: 2d}
  - {name: look, in: [LOOK], kind: work, budget: 1d}
  - {name: bench, in: [BENCH], kind: work, budget: 3d}
promise: {from: IN, to: OUT, within: 10d, objective: 95%}
segments: [channel]
log: {format: csv, order: id, status: state, time: at}
"""
QUEUE, LOOK, BENCH, PROMISE, SEGMENTS, LOG = 8, 9, 10, 11, 12, 13
WIDE = "format: wide, order: id, statuses: {IN: a, LOOK: b, BENCH: c, OUT: d}"
CSV = "format: csv, order: id, status: state, time: at"
ACTIVITIES = "format: csv, order: id, status: state, start: a, end: b"
DONE_STAGES = [("[IN]", "['IN:done']"), ("[LOOK]", "['LOOK:done']"), ("[BENCH]", "['BENCH:done']")]


def found(text: str) -> list[str]:
    findings, promise = check_document(parse_document(text))
    assert (promise is None) == any(finding.severity == "error" for finding in findings)
    return [f"{finding.severity} {finding}" for finding in findings]


def spoilt(*changes: tuple[str, str]) -> str:
    text = RIGHT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_a_right_file_has_no_findings() -> None:
    assert found(RIGHT) == []
    assert check_document(read_document(DEFAULT_PROMISE))[0] == []


def test_a_finding_reads_as_one_line() -> None:
    finding = Finding(14, "error", "stage `approval`", "budget 30d is longer than the promise, 21d")
    assert str(finding) == "line 14: stage `approval`: budget 30d is longer than the promise, 21d"


SHAPES: list[tuple[str, str, int, str, str]] = [
    ("touchstone: 1\n", "", 1, "promise file", "`touchstone` is missing; add the line `touchstone: 1`"),
    (
        "touchstone: 1",
        "touchstone: 2",
        1,
        "promise file",
        "`touchstone` is 2, and 1 is the only version known",
    ),
    (
        "touchstone: 1",
        "touchstone: '1'",
        1,
        "promise file",
        "`touchstone` is '1', and 1 is the only version known",
    ),
    (
        "name: repairs",
        "name: 7",
        2,
        "promise file",
        "`name` must be text, and 7 is a number; write it in quotes: '7'",
    ),
    ("name: repairs", "name:", 2, "promise file", "`name` is empty; write its text, or remove the key"),
    ("name: repairs", "name: ''", 2, "promise file", "`name` is empty; write a name"),
    (
        "name: repairs",
        "name: [a]",
        2,
        "promise file",
        "`name` must be text, and this is a list; write one name",
    ),
    (
        "name: repairs",
        "name: " + "x" * 201,
        2,
        "promise file",
        "`name` is longer than 200 characters; shorten it",
    ),
    ("name: repairs", "name: a\nname: b", 3, "promise file", "the key `name` stands here twice; keep one"),
    (
        "name: repairs",
        "name: a\nsegment: [x]",
        3,
        "promise file",
        "unknown key `segment`; did you mean `segments`?",
    ),
    (
        "name: repairs",
        "name: a\nzzz: 3",
        3,
        "promise file",
        "unknown key `zzz`; known are `touchstone`, `name`",
    ),
    ("name: repairs", "name: a\nlogs: 3", 3, "promise file", "unknown key `logs`; did you mean `log`?"),
    ("[IN, LOOK, BENCH, OUT]", "IN", 4, "statuses", "`main` must be a list, not text; write it as [IN]"),
    ("[IN, LOOK, BENCH, OUT]", "{a: b}", 4, "statuses", "`main` must be a list; write it as [A, B]"),
    ("[IN, LOOK, BENCH, OUT]", "[]", 4, "statuses", "`main` is empty; give it at least one item"),
    (
        "[IN, LOOK, BENCH, OUT]",
        "[IN, 5, OUT]",
        4,
        "statuses",
        "`main`, item 2 must be text, and 5 is a number",
    ),
    ("off: [LOST]", "off:", 5, "statuses", "`off` is empty; write a list such as [A, B], or remove the key"),
    ("off:", "of:", 5, "statuses", "unknown key `of`; did you mean `off`?"),
    ("name: queue, ", "", QUEUE, "stage 1", "`name` is missing"),
    ("in: [IN]", "statuses: [IN]", QUEUE, "stage `queue`", "unknown key `statuses`; did you mean `in`?"),
    ("in: [IN], ", "", QUEUE, "stage `queue`", "`in` is missing; add `in: [STATUS, ...]`"),
    ("kind: wait", "kind: wai", QUEUE, "stage `queue`", "`kind` cannot be `wai`; did you mean `wait`?"),
    (
        "kind: wait, ",
        "",
        QUEUE,
        "stage `queue`",
        "`kind` is missing; add `kind: wait` (the order lies in a queue)",
    ),
    ("budget: 2d", "budget: 2", QUEUE, "stage `queue`", "`budget` must be text, and 2 is a number"),
    (
        "budget: 2d",
        "budget: 2q",
        QUEUE,
        "stage `queue`",
        "`budget`: `2q` is no duration; write it as 30s, 15m",
    ),
    ("budget: 2d", "budget: 2d, budget: 3d", QUEUE, "stage `queue`", "the key `budget` stands here twice"),
    (
        "budget: 2d",
        "budget: 2d, working: yes",
        QUEUE,
        "stage `queue`",
        "`working` must be true or false, not `yes`",
    ),
    ("budget: 2d", "bugdet: 2d", QUEUE, "stage `queue`", "unknown key `bugdet`; did you mean `budget`?"),
    ("from: IN, ", "", PROMISE, "promise", "`from` is missing; add `from: STATUS`"),
    ("from: IN", "start: IN", PROMISE, "promise", "unknown key `start`; did you mean `from`?"),
    (
        "within: 10d",
        "within: 10",
        PROMISE,
        "promise",
        "`within`: `10` is no duration; write it with its unit",
    ),
    ("within: 10d", "within: soon", PROMISE, "promise", "`within`: `soon` is no duration"),
    ("95%", "100%", PROMISE, "promise", "`objective` cannot be 100%; write a share between none and all"),
    ("95%", "95", PROMISE, "promise", "`objective` cannot be 95; write a share between none and all"),
    ("95%", "'0.9'", PROMISE, "promise", "`objective`: `0.9` is no share; write it as 95% or 0.95"),
    (
        "[channel]",
        "channel",
        SEGMENTS,
        "promise file",
        "`segments` must be a list, not text; write it as [channel]",
    ),
    (CSV, CSV + ", timezone: Mars", LOG, "log", "`timezone`: `Mars` is no time zone; use an IANA name"),
    (CSV, CSV + ", delimiter: ';;'", LOG, "log", "`delimiter` is longer than 1 characters; shorten it"),
    ("format: csv", "format: cvs", LOG, "log", "`format` cannot be `cvs`; did you mean `csv`?"),
    ("log: {" + CSV + "}", "log: csv", LOG, "promise file", "`log` must be a mapping, not text"),
    ("log: {" + CSV + "}", "log:", LOG, "promise file", "`log` is empty; write its keys below it"),
    (
        "log:",
        "calendar: {hours: 9-17}\nlog:",
        13,
        "calendar",
        "`hours`: `9-17` are no hours; write them in quotes",
    ),
    ("log:", "calendar: {hours: '17:00-09:00'}\nlog:", 13, "calendar", "the day closes before it opens"),
    ("log:", "calendar: {hours: '09:00-25:00'}\nlog:", 13, "calendar", "they lie between 00:00 and 24:00"),
    (
        "log:",
        "calendar: {closed: [24.12.2026]}\nlog:",
        13,
        "calendar",
        "`closed`, item 1: `24.12.2026` is no day",
    ),
    ("log:", "calendar: {weekdays: [Monday]}\nlog:", 13, "calendar", "`weekdays`, item 1 cannot be `Monday`"),
    (
        "log:",
        "cost_per_day_late: -3\nlog:",
        13,
        "promise file",
        "`cost_per_day_late` cannot be `-3`; write a number",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "where", "sentence"), SHAPES)
def test_a_wrong_shape_is_an_error(old: str, new: str, line: int, where: str, sentence: str) -> None:
    findings = found(spoilt((old, new)))
    assert any(text.startswith(f"error line {line}: {where}: ") and sentence in text for text in findings), findings


ERRORS: list[tuple[str, str, int, str, str]] = [
    ("off: [LOST]", "off: [LOST, LOST]", 5, "statuses", "`LOST` stands twice under `off`; keep one"),
    ("cancelled: [VOID]", "cancelled: [IN]", 6, "statuses", "`IN` is under `main` and under `cancelled`"),
    ("[LOOK]", "[LOKO]", LOOK, "stage `look`", "unknown status `LOKO`; did you mean `LOOK`?"),
    ("[LOOK]", "[look]", LOOK, "stage `look`", "unknown status `look`; did you mean `LOOK`?"),
    ("[LOOK]", "['LOKO:done']", LOOK, "stage `look`", "unknown status `LOKO:done`; did you mean `LOOK`?"),
    ("[LOOK]", "[LOOK, IN]", LOOK, "stage `look`", "`IN` is in stage `queue` too; a status is in one stage"),
    ("[LOOK]", "[LOOK, LOOK]", LOOK, "stage `look`", "`LOOK` stands here twice; keep one"),
    ("name: look", "name: queue", LOOK, "stage `queue`", "another stage has this name; rename one"),
    (
        "name: look",
        "name: elsewhere",
        LOOK,
        "stage `elsewhere`",
        "this name is kept for the time in no stage",
    ),
    ("3d}", "30d}", BENCH, "stage `bench`", "budget 30d is longer than the promise, 10d; shorten one"),
    (
        "3d}",
        "3d, working: true}",
        BENCH,
        "stage `bench`",
        "`working: true` needs a calendar; add `calendar: {",
    ),
    (
        ", budget: 3d}",
        ", working: true}",
        BENCH,
        "stage `bench`",
        "`working: true` says how the budget counts",
    ),
    (
        "3d}",
        "auto, working: true}",
        BENCH,
        "stage `bench`",
        "an `auto` budget is elapsed time; write a duration",
    ),
    (
        "3d}",
        "auto, pauses: true}",
        BENCH,
        "stage `bench`",
        "it pauses the clock, so its budget takes nothing",
    ),
    ("from: IN", "from: INN", PROMISE, "promise", "unknown status `INN`; did you mean `IN`?"),
    ("to: OUT", "to: DONE", PROMISE, "promise", "unknown status `DONE`; known are `IN`, `LOOK`"),
    (
        "to: OUT",
        "to: VOID",
        PROMISE,
        "promise",
        "`VOID` cancels an order, and cannot be an end of the promise",
    ),
    ("from: IN, to: OUT", "from: OUT, to: IN", PROMISE, "promise", "`to`, `IN`, comes before `from`, `OUT`"),
    ("to: OUT", "to: IN", PROMISE, "promise", "`from` and `to` are both `IN`; name two statuses"),
    ("from: IN", "from: last", PROMISE, "promise", "`from` cannot be `last`; name a status or `first`"),
    ("to: OUT", "to: first", PROMISE, "promise", "`to` cannot be `first`; name a status or `last`"),
    (
        "within: 10d, ",
        "",
        PROMISE,
        "promise",
        "has no length; add `within: 21d`, or `by: ATTRIBUTE` of the order",
    ),
    ("within: 10d", "within: 10d, by: due", PROMISE, "promise", "has both `within` and `by`; keep one"),
    ("within: 10d", "within: 0d", PROMISE, "promise", "`within` is no time at all; promise a duration"),
    ("within: 10d", "within: 10d, by_day: true", PROMISE, "promise", "`by_day` says that `by` names a day"),
    (
        "within: 10d",
        "by: due, overrides: [{when: {channel: b2b}, within: 2d}]",
        PROMISE,
        "promise",
        "`overrides` change `within`; with `by`, each order has its own moment",
    ),
    (
        "within: 10d",
        "within: 10d, overrides: [{when: {channel: x}, within: 2d}, {when: {channel: x}, within: 3d}]",
        PROMISE,
        "promise, override 2",
        "an earlier override is for the same orders, so this one never counts",
    ),
    (
        "within: 10d",
        "within: 10d, overrides: [{when: {}, within: 2d}]",
        PROMISE,
        "promise, override 1",
        "`when` is empty; give it at least one item",
    ),
    (
        "within: 10d",
        "within: 10d, overrides: [{when: {channel: x}, within: 0s}]",
        PROMISE,
        "promise, override 1",
        "`within` is no time at all",
    ),
    ("[channel]", "[channel, channel]", SEGMENTS, "segments", "`channel` stands here twice; keep one"),
    (
        "[channel]",
        "[id]",
        SEGMENTS,
        "segments",
        "`id` is the log's `order` column, not an attribute of the order",
    ),
    ("[channel]", "[LOOK]", SEGMENTS, "segments", "`LOOK` is a status, not an attribute of the order"),
    (
        "within: 10d",
        "by: at",
        PROMISE,
        "promise",
        "`at` is the log's `time` column, not an attribute of the order",
    ),
    (
        "log:",
        "reported_by: {BENHC: /desk}\nlog:",
        13,
        "reported_by",
        "unknown status `BENHC`; did you mean `BENCH`?",
    ),
    (
        "order: id, ",
        "",
        LOG,
        "log",
        "a csv log needs `order: order_id`, the column of the order's id; add it",
    ),
    ("status: state, ", "", LOG, "log", "a csv log needs `status: status`, the column of the status"),
    (", time: at", "", LOG, "log", "a csv log needs `time: column`, or `start` and `end`"),
    ("time: at", "start: at", LOG, "log", "a log of activities needs `start` and `end`; add `end: column`"),
    ("time: at", "end: at", LOG, "log", "a log of activities needs `start` and `end`; add `start: column`"),
    ("time: at", "time: at, start: a, end: b", LOG, "log", "`time` is for events, `start` and `end` are for"),
    (
        CSV,
        CSV + ", statuses: {IN: a}",
        LOG,
        "log",
        "`statuses` means nothing in a log of format csv, only in wide",
    ),
    (
        CSV,
        CSV + ", lifecycle: x",
        LOG,
        "log",
        "`lifecycle` means nothing in a log of format csv, only in xes",
    ),
    (
        CSV,
        "format: xes, time: at",
        LOG,
        "log",
        "`time` means nothing in a log of format xes, only in csv; remove it",
    ),
    (
        CSV,
        "format: cloudevents, delimiter: ;",
        LOG,
        "log",
        "`delimiter` means nothing in a log of format cloudevents",
    ),
    (CSV, WIDE + ", status: s", LOG, "log", "`status` means nothing in a log of format wide, only in csv"),
    (CSV, WIDE.replace("order: id, ", ""), LOG, "log", "a wide log needs `order: order_id`"),
    (CSV, "format: wide, order: id", LOG, "log", "a wide log needs `statuses: {STATUS: column, ...}`"),
    (
        CSV,
        WIDE.replace("LOOK", "LOKO"),
        LOG,
        "log",
        "`statuses` names the unknown status `LOKO`; did you mean `LOOK`?",
    ),
    (
        CSV,
        WIDE.replace(", OUT: d", ""),
        PROMISE,
        "promise",
        "`to`, `OUT`, has no column in the log's `statuses`",
    ),
    (
        CSV,
        WIDE.replace("IN: a, ", ""),
        PROMISE,
        "promise",
        "`from`, `IN`, has no column in the log's `statuses`",
    ),
    (
        CSV,
        WIDE + ", marks: completion",
        LOG,
        "log",
        "`marks: completion` is for logs of events, and this one is wide",
    ),
    (
        CSV,
        ACTIVITIES + ", marks: completion",
        LOG,
        "log",
        "for logs of events, and this one has start and end",
    ),
    (CSV, CSV + ", time_format: '%Y-%Q'", LOG, "log", "`time_format`: `%Y-%Q` is no format of strptime"),
    (CSV, CSV + ", time_format: '%'", LOG, "log", "`time_format`: `%` is no format of strptime"),
    (CSV, CSV + ", time_format: '%H:%M'", LOG, "log", "`time_format`: `%H:%M` holds no whole date"),
    (
        CSV,
        CSV + ", time_format: '%Y-%m-%d %I:%M'",
        LOG,
        "log",
        "has hours of %I without %p; write %H, or add %p",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "where", "sentence"), ERRORS)
def test_a_contradiction_is_an_error(old: str, new: str, line: int, where: str, sentence: str) -> None:
    findings = found(spoilt((old, new)))
    assert any(text.startswith(f"error line {line}: {where}: ") and sentence in text for text in findings), findings


WARNINGS: list[tuple[list[tuple[str, str]], int, str, str]] = [
    (
        [("[LOOK]", "[LOOK, 'IN:done']")],
        LOOK,
        "stage `look`",
        "`IN:done` never comes up, as this log has no ends",
    ),
    (
        [("[LOOK]", "[LOOK, VOID]")],
        LOOK,
        "stage `look`",
        "`VOID` cancels an order, which ends there; take it out",
    ),
    ([("[LOOK]", "[LOST]")], 4, "statuses", "`LOOK` is in no stage; its time goes to `elsewhere`"),
    ([(", budget: 3d}", "}")], BENCH, "stage `bench`", "has no budget, so it is never the culprit; add"),
    (
        [("3d}", "3d, pauses: true}")],
        BENCH,
        "stage `bench`",
        "it pauses the clock, so its budget takes nothing",
    ),
    ([("3d}", "9d}")], 7, "stages", "the budgets add up to 12d, more than the promise, 10d"),
    (
        [("within: 10d", "within: 10d, overrides: [{when: {channel: x}, within: 10d}]")],
        PROMISE,
        "promise, override 1",
        "it promises what all others are promised; remove it",
    ),
    (
        [("within: 10d", "within: 10d, overrides: [{when: {chanel: x}, within: 2d}]")],
        PROMISE,
        "promise, override 1",
        "attribute `chanel` is named nowhere else; did you mean `channel`?",
    ),
    (
        [("within: 10d", "by: promised"), (CSV, CSV + ", attributes: {promised_at: p}")],
        PROMISE,
        "promise",
        "attribute `promised` is named nowhere else; did you mean `promised_at`?",
    ),
    ([("log: {" + CSV + "}\n", "")], 1, "promise file", "has no `log`, so only CloudEvents can be read"),
    ([(CSV, WIDE.replace("BENCH: c", "BENCH: b"))], LOG, "log", "column `b` gives the time of two statuses"),
    ([("log:", "calendar: {}\nlog:")], 13, "calendar", "no stage has `working: true`, so it changes nothing"),
    (
        [(CSV, CSV + ", marks: completion")],
        QUEUE,
        "stage `queue`",
        "`IN` never comes up in a log of completions, where an order is after it; name `IN:done`",
    ),
    (
        [*DONE_STAGES[:2], (CSV, CSV + ", marks: completion")],
        4,
        "statuses",
        "`BENCH:done` is in no stage; its time goes to `elsewhere`",
    ),
    ([(CSV, ACTIVITIES)], 4, "statuses", "`BENCH:done` is in no stage; its time goes to `elsewhere`"),
    ([("[LOOK]", "[LOST]"), (CSV, ACTIVITIES)], 4, "statuses", "`LOOK` and `LOOK:done` are in no stage"),
]


@pytest.mark.parametrize(("changes", "line", "where", "sentence"), WARNINGS)
def test_a_doubt_is_a_warning(changes: list[tuple[str, str]], line: int, where: str, sentence: str) -> None:
    findings = found(spoilt(*changes))
    assert any(text.startswith(f"warning line {line}: {where}: ") and sentence in text for text in findings), findings
    assert not any(text.startswith("error") for text in findings)


@pytest.mark.parametrize(
    "changes",
    [
        [("from: IN, to: OUT", "from: first, to: last")],
        [("to: OUT", "to: LOST"), ("within: 10d", "within: 3w")],
        [
            ("[LOOK]", "[LOOK, 'LOOK:done']"),
            ("[IN]", "[IN, 'IN:done']"),
            ("[BENCH]", "[BENCH, 'BENCH:done']"),
            (CSV, ACTIVITIES),
        ],
        [*DONE_STAGES, (CSV, CSV + ", marks: completion")],
        [
            *DONE_STAGES,
            ("from: IN, to: OUT", "from: 'IN:done', to: 'OUT:done'"),
            (CSV, "format: xes, marks: completion"),
        ],
        [("budget: 3d", "budget: auto"), ("budget: 1d", "budget: auto")],
        [("budget: 3d", "pauses: true")],
        [("budget: 3d", "budget: 3d, working: true"), ("log:", "calendar: {hours: '00:00-24:00'}\nlog:")],
        [("within: 10d", "by: due")],
        [("3d}", "30d}"), ("within: 10d", "by: due")],
        [("within: 10d", "within: 10d, overrides: [{when: {tier: gold}, within: 8d}]")],
        [("log:", "reported_by: {IN: /desk}\nlog:")],
        [(CSV, WIDE)],
        [(CSV, CSV + ", time_format: '%d/%m/%y %I:%M %p'")],
        [(CSV, CSV + ", time_format: '%Y-%m-%dT%H:%M:%S.%f%z'")],
        [(CSV, CSV + ", time_format: '%Y%m%d'")],
        [(CSV, "format: xes, order: 'concept:name', time: 'time:timestamp', lifecycle: complete")],
        [(CSV, "format: cloudevents, timezone: Europe/Berlin, attributes: {channel: shop}")],
    ],
)
def test_what_is_right_is_not_complained_about(changes: list[tuple[str, str]]) -> None:
    assert found(spoilt(*changes)) == []


@pytest.mark.parametrize(
    ("changes", "line", "sentence"),
    [
        (
            [("3d}", "auto}"), ("within: 10d", "by: due")],
            BENCH,
            "`auto` shares out `within`, and this promise is `by`",
        ),
        (
            [("3d}", "auto}"), ("2d}", "9d}")],
            BENCH,
            "`auto` has nothing left: the others take 10d of the promise, 10d",
        ),
    ],
)
def test_an_auto_budget_needs_something_to_share(changes: list[tuple[str, str]], line: int, sentence: str) -> None:
    findings = found(spoilt(*changes))
    assert [text for text in findings if text.startswith(f"error line {line}") and sentence in text], findings


def test_a_working_budget_counts_in_days_of_the_calendar() -> None:
    """Eleven days of eight hours are less than ten days; forty of them are more."""
    with_calendar = ("log:", "calendar: {hours: '09:00-17:00'}\nlog:")
    assert found(spoilt(("3d}", "11d, working: true}"), with_calendar)) == []
    assert "longer than the promise" in found(spoilt(("3d}", "40d, working: true}"), with_calendar))[0]


def test_one_mistake_hides_no_other() -> None:
    findings = found("""touchstone: 3
nmae: x
statuses: {main: [A, B, A, C], off: 5, cancelled: [B]}
stages:
  - {name: one, in: [A, Q], kind: wat, budget: 3q}
  - not a stage
  - {in: [A], kind: wait, budget: 30d, pauses: yes}
  - {name: one, in: [], kind: wait, budget: auto, working: true}
promise: {from: C, to: A, within: 21d, objective: 7, overrides: [{within: 0s}]}
segments: [s, s]
log: {format: wide, status: s, statuses: {A: a, X: b}, time_format: '%H'}
calendar: {hours: 9}
reported_by: {Z: /z}
""")
    lines = [int(text.split("line ")[1].split(":")[0]) for text in findings]
    assert lines == sorted(lines)
    assert set(lines) == {1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13}
    for sentence in (
        "`name` is missing",
        "`A` stands twice under `main`",
        "`off` must be a list",
        "`B` is under `main` and under `cancelled`",
        "unknown status `Q`",
        "`3q` is no duration",
        "`A` is in stage `one` too",
        "budget 30d is longer than the promise, 21d",
        "`in` is empty",
        "comes before `from`",
        "`objective` cannot be 7",
        "`when` is missing",
        "unknown status `X`",
        "`from`, `C`, has no column",
        "unknown status `Z`",
    ):
        assert any(sentence in text for text in findings), sentence


def test_each_mistake_is_said_once() -> None:
    """Budgets and columns are checked by the model as well as by the cross-checks."""
    for old, new in [("2d}", "2q}"), (", time: at", ", start: at"), ("within: 10d, ", "")]:
        assert [text.split()[0] for text in found(spoilt((old, new)))].count("error") == 1


@pytest.mark.parametrize("text", ["[a, b]", "just words", "5"])
def test_a_file_that_is_no_mapping_is_one_error(text: str) -> None:
    assert found(text) == [
        (
            "error line 1: promise file: is no mapping of keys to values; "
            "`touchstone promise init LOG` drafts a promise file"
        )
    ]


def test_loading_a_wrong_file_says_all_errors_and_no_warnings() -> None:
    text = spoilt((", budget: 3d}", "}"), ("[LOOK]", "[LOKO]"), ("95%", "7"))
    with pytest.raises(BadInput) as caught:
        promise_from(parse_document(text), "repairs.yaml")
    assert str(caught.value).splitlines() == [
        "repairs.yaml: line 9: stage `look`: unknown status `LOKO`; did you mean `LOOK`?",
        (
            "repairs.yaml: line 11: promise: `objective` cannot be 7; "
            "write a share between none and all, such as 95% or 0.95"
        ),
    ]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inside for deeper in paths(item, (*path, key)))]


SEED = spoilt(
    ("within: 10d", "within: 10d, overrides: [{when: {channel: b2b}, within: 2d}]"),
    ("log:", "calendar: {closed: [2026-12-24]}\nreported_by: {IN: /x}\nlog:"),
    (CSV, CSV + ", attributes: {a: b}, cancelled_when: {c: [d]}, time_format: '%Y-%m-%d'"),
)
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["IN", "auto", "3d"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_value_anywhere_makes_the_check_itself_fail(data: st.DataObject) -> None:
    """Whatever stands in a file, it is a promise or there is an error that says why not."""
    document = parse_document(SEED)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(document.data)))
        value = data.draw(junk)
        if path:
            holder = document.data
            for part in path[:-1]:
                holder = holder[part]
            holder[path[-1]] = value
        else:
            document = Document(value, document.lines)
    findings, promise = check_document(document)
    assert (promise is None) == any(finding.severity == "error" for finding in findings)
