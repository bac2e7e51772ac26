"""A promise explained reads as sentences that somebody in sales understands."""

from __future__ import annotations

import pytest

from collectors.promise import explain, load_promise
from collectors.promise.document import parse_document
from collectors.promise.reading import promise_from

FILE = """
touchstone: 1
name: repairs
statuses: {main: [IN, BENCH, OUT], off: [LOST], cancelled: [VOID]}
stages:
  - {name: queue, in: [IN], kind: wait, owner: desk, budget: 2d}
  - {name: bench, in: [BENCH], kind: work, budget: auto}
promise: {from: IN, to: OUT, within: 10d, objective: 99.5%}
log: {format: csv, order: id, status: s, time: t}
"""


def explained(text: str = FILE) -> str:
    return " ".join(explain(promise_from(parse_document(text), "repairs.yaml")).split())


def test_the_jewellery_makers_promise_is_explained_whole() -> None:
    text = explain(load_promise())
    titles = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert titles == ["three-weeks", "The promise", "The stages", "The clock", "What is left", "The log"]
    assert max(map(len, text.splitlines())) <= 96
    words = " ".join(text.split())
    assert "Every order is to come from SUBMITTED to SHIPPED within 21 days." in words
    assert "At least 95 of 100 orders must keep this promise." in words
    assert "It pauses in customer's turn" in words
    assert "The budgets add up to 20 days and 5 hours." in words
    assert "Of the 21 days promised, 19 hours (3.8%) stay as reserve." in words


def test_each_stage_has_a_row_with_owner_kind_budget_and_a_bar_of_its_share() -> None:
    rows = explain(load_promise()).splitlines()
    row = next(row for row in rows if row.strip().startswith("manufacturing"))
    assert row.split() == ["manufacturing", "workshop", "work", "9d", "42.9%", "#############"]
    pausing = next(row for row in rows if row.strip().startswith("customer's turn"))
    assert pausing.split() == ["customer's", "turn", "customer", "wait", "pauses"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("", "", "At least 99.5 of 100 orders"),
        ("", "", "bench - work 8d (auto) 80.0%"),
        ("", "", "That is all of the 10 days promised; nothing stays as reserve."),
        ("", "", "An order that becomes VOID before its end neither keeps nor breaks it."),
        ("", "", "Time in LOST belongs to no stage, and is shown as `elsewhere`."),
        ("", "", "Nothing pauses it."),
        ("auto", "9d", "That is 1 day more than promised"),
        ("auto}", "1h30m}", "add up to 2 days, 1 hour and 30 minutes."),
        ("kind: work, budget: auto", "kind: work", "bench - work none"),
        (
            "99.5%}",
            "99.5%, overrides: [{when: {tier: gold}, within: 12h}]}",
            "Where tier is gold, the promise is 12 hours.",
        ),
        ("log:", "segments: [tier, shop]\nlog:", "Orders are told apart by tier and shop."),
        ("log:", "cost_per_day_late: 40\nlog:", "Each day that one order is late costs 40."),
        ("log:", "reported_by: {IN: /desk}\nlog:", "Only /desk is believed about IN."),
        ("", "", "column `id` names the order, `s` the status it enters, `t` when."),
        ("time: t", "start: b, end: e", "`s` the activity, `b` and `e` when it ran."),
        ("time: t", "time: t, timezone: Asia/Tokyo", "Times that name no zone are in Asia/Tokyo."),
        ("time: t", "time: t, time_format: '%d.%m.%Y'", "are in UTC, written as %d.%m.%Y."),
        ("time: t", "time: t, attributes: {tier: T}", "Column `T` gives the order's tier."),
        (
            "time: t",
            "time: t, cancelled_when: {x: [y, z]}",
            "An order is cancelled where column `x` is y or z.",
        ),
        ("format: csv, order: id, status: s, time: t", "format: cloudevents", "It holds CloudEvents"),
        (
            "format: csv, order: id, status: s, time: t",
            "format: xes, lifecycle: complete, marks: completion",
            "Only its `complete` events count. An event says that its activity is complete",
        ),
        (
            "format: csv, order: id, status: s, time: t",
            "format: wide, order: id, statuses: {IN: i, BENCH: b, OUT: o}",
            "IN in `i`, BENCH in `b`, OUT in `o`.",
        ),
    ],
)
def test_what_a_file_says_is_said_in_a_sentence(old: str, new: str, sentence: str) -> None:
    assert sentence in explained(FILE.replace(old, new, 1) if old else FILE)


def test_a_promise_by_a_moment_of_the_order_says_so() -> None:
    text = explained(FILE.replace("within: 10d", "by: due, by_day: true").replace("auto", "6d"))
    assert "from IN to OUT by the end of the day that it carries as `due`." in text
    assert "share of the budgets" in text
    assert "Each order carries its own promised moment" in text


def test_ends_of_a_log_read_as_words() -> None:
    text = explained(FILE.replace("from: IN, to: OUT", "from: first, to: last"))
    assert "from its first event to its last event" in text
    assert "It starts with an order's first event and stops with its last." in text
    done = explained(
        FILE.replace("from: IN, to: OUT", "from: 'IN:done', to: OUT").replace("time: t", "start: t, end: e")
    )
    assert "from the end of IN to OUT" in done


def test_budgets_in_working_time_are_set_against_the_week() -> None:
    """Five days of eight hours: one working day takes 33.6 hours of the week's 168 on average."""
    text = explained(
        FILE.replace("budget: 2d", "budget: 5d, working: true").replace("auto", "1d")
        + "calendar: {hours: '09:00-17:00', closed: [2026-12-24, 2026-12-25]}\n"
    )
    assert "5d (working time) 70.0%" in text
    assert "The budgets add up to about 8 days." in text
    assert "People work on Monday, Tuesday, Wednesday, Thursday and Friday, 09:00-17:00 UTC time." in text
    assert "Nobody works on 2026-12-24, 2026-12-25." in text
