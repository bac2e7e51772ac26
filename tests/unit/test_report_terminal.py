"""The terminal report fits its width, shows what to do, and is harmless whatever the log says."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from collectors.report.html import render
from instrumentation.errors import BadInput
from tests.made_up import KINDS, cases
from tests.reports import changed, of_log, order, printed, reported, simulated

EXAMPLES = int(os.environ.get("TOUCHSTONE_EXAMPLES", "8"))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = printed(simulated(), width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert len(lines) > 40


def test_a_wide_terminal_gets_no_line_beyond_160_columns() -> None:
    assert max(map(cell_len, printed(simulated(), 300).splitlines())) <= 160


def test_it_shows_headline_stages_trend_and_whom_to_chase() -> None:
    report = simulated()
    text = printed(report, 100)
    document = report.document
    assert "kept the 21-day promise (objective 95 %)." in text
    assert "Where the time goes" in text
    assert "Promises kept, by the week in which they came due" in text
    assert "Orders to chase today" in text
    approval = next(line for line in text.splitlines() if line.startswith("approval "))
    assert f"{next(s for s in document['stages'] if s['stage'] == 'approval')['rescued']:,}" in approval
    assert "sales" in approval


def test_an_order_to_chase_says_where_how_long_and_what_to_do() -> None:
    done = [event for n in range(30) for event in order(f"k{n}", 0.5, 2 + n / 30, 3, begin=n / 10)]
    text = printed(reported([*done, *order("LATE-1", 1, begin=1), *order("OVER-1", 1, begin=-3)], as_of=9), 100)
    endangered = next(line for line in text.splitlines() if line.startswith("LATE-1"))
    assert endangered.split() == ["LATE-1", "approval", "7", "d", "in", "2", "d", *endangered.split()[7:]]
    assert "late" in endangered
    assert endangered.endswith("approve it: sales")
    assert "2 d over" in next(line for line in text.splitlines() if line.startswith("OVER-1"))


def test_a_pipe_gets_no_colours_and_a_terminal_does() -> None:
    report = simulated(60, 4)
    assert "\x1b" not in printed(report)
    assert "\x1b[" in printed(report, colour=True)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_other_encodings_get_plain_characters(encoding: str) -> None:
    text = printed(reported(order("Bestellung-Ö-日本", 1, 20, 1), as_of=60), encoding=encoding)
    assert text.isascii() or encoding != "ascii"
    assert "The one order" in text


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "<script>", "[bold]x[/bold]", "\u202eevil", "日本語" * 20])
def test_names_from_the_log_are_shown_as_text_and_do_not_break_the_layout(name: str) -> None:
    report = reported(order(name, 1, 3, channel=name) + order("k", 1, 1, 1, channel="b"), as_of=60)
    text = printed(report)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(cell_len, text.splitlines())) <= 80


def test_names_in_the_promise_are_harmless_too() -> None:
    stages = [
        {"name": "\x1b]0;x\x07 very " + "long " * 30, "in": ["NEW", "ASKED", "MADE"], "kind": "wait", "budget": "1d"}
    ]
    text = printed(reported(order("a", 1, 20, 1), changed(stages=stages, name="[red]\x1b[1m"), as_of=60))
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= 80


def test_what_the_data_lacks_is_never_silent() -> None:
    events = [
        *order("a", 1, 1, 1),
        ("a", "SENT", 3.0, {}),
        ("b", "MADE", 0.0, {}),
        *order("c", 1),
        ("c", "VOID", 2.0, {}),
        ("a", "WHAT", 1.0, {}),
    ]
    text = " ".join(printed(reported(events, as_of=60)).split())
    assert "1 duplicate counted once" in text
    assert "1 record was not used and is in quarantine: the promise does not know this status (1)." in text
    assert "Left out of all figures above: 1 order that never reached NEW and 1 cancelled order." in text


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_every_log_that_can_be_replayed_can_be_reported(kind: str, data: st.DataObject) -> None:
    promise, log, as_of = data.draw(cases(kind))
    try:
        report = of_log(log, promise, as_of)
    except BadInput:
        return
    assert max(map(cell_len, printed(report).splitlines())) <= 80
    assert render(report).endswith("</html>")
