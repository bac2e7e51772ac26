"""Say a promise file in sentences, for those who make the promise rather than those who write the file."""

from __future__ import annotations

import textwrap
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from collectors.promise.durations import describe_duration, format_duration
from collectors.promise.explain_log import explain_calendar, explain_log
from collectors.promise.model import AUTO, DONE, FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collectors.promise.model import PromiseFile, Stage

_WIDTH: Final = 96
_BAR: Final = 30
_WEEK: Final = timedelta(weeks=1)
_UNITS: Final = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}
_TABLE_HEAD: Final = ("stage", "owner", "kind", "budget")


def explain(promise: PromiseFile) -> str:
    """Return a promise in plain text: its terms, stages, clock, reserve, log and calendar."""
    sections = {
        "The promise": _wrapped(_promised(promise)),
        "The stages": _stages(promise),
        "The clock": _wrapped(_clock(promise)),
        "What is left": _wrapped(_reserve(promise)),
        "The log": _wrapped(explain_log(promise.log)),
        "The calendar": _wrapped(explain_calendar(promise.calendar)) if promise.calendar else [],
    }
    shown = ["\n".join([title, *lines]) for title, lines in sections.items() if lines]
    return "\n\n".join([promise.name, *shown]) + "\n"


def _wrapped(sentences: Iterator[str]) -> list[str]:
    return textwrap.wrap(" ".join(sentences), _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _exactly(value: timedelta) -> str:
    """Say a duration in words: ``20 days and 5 hours``; one finer than minutes as written in a file."""
    parts, rest = [], value
    for unit, length in _UNITS.items():
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}" + ("" if count == 1 else "s"))
    return format_duration(value) if rest or not parts else _listed(parts)


def _listed(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _end(name: str) -> str:
    if name in (FIRST, LAST):
        return f"its {name} event"
    return f"the end of {name.removesuffix(DONE)}" if name.endswith(DONE) else name


def _promised(promise: PromiseFile) -> Iterator[str]:
    terms = promise.promise
    start, end = _end(terms.start), _end(terms.end)
    if terms.within is not None:
        yield f"Every order is to come from {start} to {end} within {_exactly(terms.within)}."
    else:
        day = "by the end of the day" if terms.by_day else "by the moment"
        yield f"Every order is to come from {start} to {end} {day} that it carries as `{terms.by}`."
    for override in terms.overrides:
        whom = _listed([f"{key} is {value}" for key, value in override.when.items()])
        yield f"Where {whom}, the promise is {_exactly(override.within)}."
    yield f"At least {round(terms.objective * 100, 6):g} of 100 orders must keep this promise."
    if promise.segments:
        yield f"Orders are told apart by {_listed(promise.segments)}."
    if promise.statuses.cancelled:
        cancelled = _listed(promise.statuses.cancelled, "or")
        yield f"An order that becomes {cancelled} before its end neither keeps nor breaks it."
    if promise.cost_per_day_late is not None:
        yield f"Each day that one order is late costs {promise.cost_per_day_late}."


def elapsed_budget(promise: PromiseFile, stage: Stage) -> timedelta | None:
    """Return a stage's budget in elapsed time; working time as what it takes on average over a week."""
    budget = promise.budget(stage)
    if budget is None or not stage.working or promise.calendar is None:
        return budget
    return budget * (_WEEK / timedelta(seconds=promise.calendar.units()["w"]))


def _budget(promise: PromiseFile, stage: Stage) -> str:
    budget = promise.budget(stage)
    shown = "" if budget is None else format_duration(budget) if stage.budget == AUTO else stage.budget or ""
    facts = {AUTO: stage.budget == AUTO, "working time": stage.working, "pauses": stage.pauses}
    notes = [note for note, holds in facts.items() if holds]
    return f"{shown} ({', '.join(notes)})" if shown and notes else shown or ", ".join(notes) or "none"


def _stages(promise: PromiseFile) -> list[str]:
    rows = [(stage.name, stage.owner or "-", stage.kind, _budget(promise, stage)) for stage in promise.stages]
    widths = [max(len(row[column]) for row in [_TABLE_HEAD, *rows]) for column in range(len(_TABLE_HEAD))]
    whole = promise.promise.within or _taken(promise)
    whose = "promise" if promise.promise.within else "budgets"
    bars = [f"share of the {whose}", *(_bar(promise, stage, whole) for stage in promise.stages)]
    lines = []
    for row, bar in zip([_TABLE_HEAD, *rows], bars, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  " + "  ".join([*cells, bar]).rstrip())
    return lines


def _bar(promise: PromiseFile, stage: Stage, whole: timedelta) -> str:
    budget = elapsed_budget(promise, stage)
    if budget is None or stage.pauses or not whole:
        return ""
    share = budget / whole
    drawn = "#" * min(round(share * _BAR), _BAR) or "."
    return f"{share:5.1%}  {drawn}"


def _clock(promise: PromiseFile) -> Iterator[str]:
    start, end = promise.promise.start, promise.promise.end
    yield "It starts " + (
        "with an order's first event" if start == FIRST else f"when an order first reaches {_end(start)}"
    )
    yield "and stops " + ("with its last." if end == LAST else f"when it then first reaches {_end(end)}.")
    pausing = [stage.name for stage in promise.stages if stage.pauses]
    if pausing:
        yield f"It pauses in {_listed(pausing)}: time there moves the promised moment back by as much."
    else:
        yield "Nothing pauses it."
    for system in dict.fromkeys(promise.reported_by.values()):
        owned = [status for status, owner in promise.reported_by.items() if owner == system]
        yield f"Only {system} is believed about {_listed(owned)}."
    held = {status for stage in promise.stages for status in stage.statuses}
    rest = [status for status in promise.statuses.off if status not in held]
    if rest:
        yield f"Time in {_listed(rest)} belongs to no stage, and is shown as `elsewhere`."


def _taken(promise: PromiseFile) -> timedelta:
    budgets = (elapsed_budget(promise, stage) for stage in promise.stages if not stage.pauses)
    return sum((budget for budget in budgets if budget), timedelta())


def _reserve(promise: PromiseFile) -> Iterator[str]:
    taken, within = _taken(promise), promise.promise.within
    about = "about " if any(stage.working for stage in promise.stages) else ""
    say = (lambda value: describe_duration(value.total_seconds())) if about else _exactly
    yield f"The budgets add up to {about}{say(taken)}."
    if within is None:
        yield "Each order carries its own promised moment, so what they leave differs from order to order."
    elif taken < within:
        left = within - taken
        yield f"Of the {_exactly(within)} promised, {about}{say(left)} ({left / within:.1%}) stay as reserve."
    elif taken == within:
        yield f"That is all of the {_exactly(within)} promised; nothing stays as reserve."
    else:
        over = f"{about}{say(taken - within)}"
        yield f"That is {over} more than promised: an order may keep every budget and break the promise."
