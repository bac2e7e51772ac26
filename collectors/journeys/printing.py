"""A journey in the terminal: the promise, the timeline, the time in each stage, and what each system says now."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from collectors.journeys.visits import entries, repeats
from collectors.promise.durations import describe_duration
from collectors.report.glyphs import ASCII, BLOCKS, Glyphs
from collectors.report.wording import brief, count, plain, sentence_case

if TYPE_CHECKING:
    from rich.console import Console

BAR: Final = 20
RISKS: Final = {"late": "bold red", "at risk": "yellow", "on track": "green"}
VERDICTS: Final = {
    "kept": ("green", "the promise was kept"),
    "broken": ("bold red", "the promise is broken"),
    "open": ("cyan", "the promise is open"),
    "cancelled": ("dim", "the order was cancelled"),
    "unstarted": ("dim", "the promise's clock has not started"),
}
FAINT: Final = "dim"


def print_journey(document: dict[str, Any], console: Console) -> None:
    """Print the document of ``GET /orders/{order}``."""
    glyphs = ASCII if console.options.ascii_only else BLOCKS
    _header(document, console)
    _timeline(document, console)
    if document["stages"]:
        _stages(document, console, glyphs)
    _systems(document, console)


def _header(document: dict[str, Any], console: Console) -> None:
    title = Text(f"Order {plain(document['order'])}", "bold")
    for name, value in document["attributes"].items():
        title.append(f"  {plain(name)} {plain(value)}", FAINT)
    console.print(title)
    console.print(Text(f"as of {_moment(document['as_of'])} UTC", FAINT))
    if document["note"]:
        console.print(Text(sentence_case(plain(document["note"], 200)) + "."))
    if document["verdict"]:
        style, words = VERDICTS[document["verdict"]]
        line = Text(sentence_case(words), style)
        if document["promise_at"]:
            line.append(f"; it was promised by {_moment(document['promise_at'])}", "")
        if document["ended_at"]:
            line.append(f", and ready on {_moment(document['ended_at'])}", "")
        console.print(line)
    if document["risk"]:
        _outlook(document, console)


def _outlook(document: dict[str, Any], console: Console) -> None:
    eta, slack = document["eta"], document["slack_s"]
    line = Text(sentence_case(document["risk"]), RISKS[document["risk"]])
    line.append(f": ready about {_moment(eta['p50'])}, nine in ten such orders by {_moment(eta['p90'])}; ", "")
    side = "before" if slack >= 0 else "after"
    line.append(f"{describe_duration(abs(slack))} {side} the promise", "")
    console.print(line)
    where = f"Now in {plain(document['stage'])} since {_moment(document['stage_since'])}"
    console.print(Text(f"{where}, for {describe_duration(document['age_s'])}."))


def _timeline(document: dict[str, Any], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style=FAINT)
    for head in ("status", "source", "when (UTC)"):
        table.add_column(head, no_wrap=True)
    table.add_column("lasted", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for entry in entries(document):
        style = "" if entry.moved else FAINT
        lasted = "" if entry.lasted_s is None else brief(entry.lasted_s) + (" so far" if entry.running else "")
        cells = (plain(entry.status), plain(entry.source), f"{entry.at:%Y-%m-%d %H:%M:%S}", lasted)
        notes = "; ".join(plain(note, 120) for note in entry.notes)
        table.add_row(*(Text(cell, style) for cell in cells), Text(notes, "yellow" if entry.moved else FAINT))
    console.print()
    console.print(table)
    again = repeats(document["events"])
    if again:
        console.print(Text(f"{count(again, 'event says', 'events say')} again what another said.", FAINT))


def _stages(document: dict[str, Any], console: Console, glyphs: Glyphs) -> None:
    rows = document["stages"]
    longest = max([*(row["time_s"] for row in rows), *(row["budget_s"] or 0 for row in rows)]) or 1
    table = Table(box=None, pad_edge=False, header_style=FAINT)
    table.add_column("stage", no_wrap=True)
    for head in ("time", "budget", "visits"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        over = row["budget_s"] is not None and row["time_s"] > row["budget_s"]
        name = plain(row["stage"]) + (" (pauses the promise)" if row.get("pauses") else "")
        table.add_row(
            Text(name, "bold" if row["stage"] == document["stage"] else ""),
            Text(brief(row["time_s"])),
            Text("-" if row["budget_s"] is None else brief(row["budget_s"])),
            Text(str(row["visits"])),
            _bar(row, longest, glyphs).append(" over budget" if over else "", "red"),
        )
    console.print()
    console.print(table)


def _bar(row: dict[str, Any], longest: float, glyphs: Glyphs) -> Text:
    """Draw the time within the budget and beyond it."""
    budget = row["time_s"] if row["budget_s"] is None else row["budget_s"]
    whole = round(row["time_s"] / longest * BAR)
    within = min(whole, round(budget / longest * BAR))
    return Text(glyphs.work * within, "cyan").append(glyphs.work * (whole - within), "red")


def _systems(document: dict[str, Any], console: Console) -> None:
    says = document.get("systems") or []
    if not says:
        return
    agree = len({one["status"] for one in says}) == 1
    console.print()
    console.print(Text(f"What systems said at {_moment(says[0]['as_of'])}", FAINT))
    for one in says:
        line = f"  {plain(one['system'])}: {plain(one['status'])} since {_moment(one['since'])}"
        console.print(Text(line, "" if agree else "yellow"))


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"
