"""Say in sentences how a log is read, and when people work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collectors.promise.values import format_hours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.promise.model import Calendar, LogReading

_DAY_NAMES: Final = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


def explain_log(log: LogReading) -> Iterator[str]:
    """Say how the log is read."""
    yield from _records(log)
    if log.marks == "completion":
        yield "An event says that its activity is complete; from then on the order is after it."
    yield from _times(log)
    for attribute, column in log.attributes.items():
        yield f"Column `{column}` gives the order's {attribute}."
    for column, values in log.cancelled_when.items():
        yield f"An order is cancelled where column `{column}` is {' or '.join(values)}."


def _records(log: LogReading) -> Iterator[str]:
    if log.format == "xes":
        yield "It is an XES file: a trace is an order, an event's concept:name is its status."
        if log.lifecycle:
            yield f"Only its `{log.lifecycle}` events count."
    elif log.format == "cloudevents":
        yield "It holds CloudEvents in JSON: the subject is the order, data.status the status."
    elif log.format == "wide":
        yield f"It is a CSV file with a row per order, named in column `{log.order}`, and the times of:"
        yield ", ".join(f"{status} in `{column}`" for status, column in log.statuses.items()) + "."
    elif log.has_intervals:
        yield f"It is a CSV file with a row per activity: column `{log.order}` names the order,"
        yield f"`{log.status}` the activity, `{log.start}` and `{log.end}` when it ran."
    else:
        yield f"It is a CSV file with a row per event: column `{log.order}` names the order,"
        yield f"`{log.status}` the status it enters, `{log.time}` when."


def _times(log: LogReading) -> Iterator[str]:
    written = f", written as {log.time_format}" if log.time_format else ""
    yield f"Times that name no zone are in {log.timezone}{written}."


def explain_calendar(calendar: Calendar) -> Iterator[str]:
    """Say when people work."""
    days = [name for day, name in _DAY_NAMES.items() if day in calendar.weekdays]
    named = " and ".join(filter(None, [", ".join(days[:-1]), days[-1]]))
    yield f"People work on {named}, {format_hours(calendar.hours)} {calendar.timezone} time."
    if calendar.closed:
        days_closed = sorted(set(calendar.closed))
        count = len(days_closed)
        shown = ", ".join(str(day) for day in days_closed[:5])
        more = f" and {count - 5} more" if count > 5 else ""
        yield f"Nobody works on {shown}{more}."
