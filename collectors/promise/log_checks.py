"""What the log's format, its columns and the calendar must agree on with the rest of the file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from collectors.promise.finding import Finding, did_you_mean
from collectors.promise.model import FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.promise.outline import Outline, Word

_SAMPLE: Final = datetime(2026, 12, 24, 15, 45, 30, tzinfo=UTC)
_NEEDED: Final = {"csv": ("order", "status"), "wide": ("order", "statuses")}
_ADVICE: Final = {
    "order": "`order: order_id`, the column of the order's id",
    "status": "`status: status`, the column of the status or activity",
    "statuses": "`statuses: {STATUS: column, ...}`, a column of times for each status",
}
_MEANINGLESS: Final = {
    "csv": ("statuses", "lifecycle"),
    "wide": ("status", "time", "start", "end", "lifecycle"),
    "xes": ("order", "status", "time", "start", "end", "statuses", "time_format", "delimiter"),
    "cloudevents": (
        *("order", "status", "time", "start", "end"),
        *("statuses", "lifecycle", "time_format", "delimiter"),
    ),
}
_FIXED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "xes": {
        "order": ("concept:name", "case:concept:name"),
        "status": ("concept:name",),
        "time": ("time:timestamp",),
    },
    "cloudevents": {"order": ("subject",), "status": ("data.status",), "time": ("time",)},
}


def check_log(file: Outline) -> Iterator[Finding]:
    """Check that the log has the keys that its format needs, and that its times can be read."""
    if not isinstance(file.at(("log",)), dict):
        if file.at(("log",)) is None:
            message = "has no `log`, so only CloudEvents can be read; add `log: {format: csv, ...}`"
            yield file.finding((), message, "warning")
        return
    written = file.word("log", "format")
    kind = written.text if written else "csv"
    if kind in _MEANINGLESS:
        yield from _check_keys(file, kind)
    if kind == "csv":
        yield from _check_times(file)
    if kind == "wide":
        yield from _check_wide(file)
    yield from _check_marks(file, kind)
    yield from _check_time_format(file)


def _given(file: Outline, key: str) -> Any:
    return file.at(("log", key))


def _check_keys(file: Outline, kind: str) -> Iterator[Finding]:
    for key in _NEEDED.get(kind, ()):
        if _given(file, key) in (None, {}):
            yield file.finding(("log",), f"a {kind} log needs {_ADVICE[key]}; add it")
    for key in _MEANINGLESS[kind]:
        value = _given(file, key)
        fixed = _FIXED.get(kind, {}).get(key, ())
        if value not in (None, *fixed):
            yield file.finding(("log", key), _meaningless(key, kind))


def _meaningless(key: str, kind: str) -> str:
    used = [name for name, without in _MEANINGLESS.items() if key not in without]
    return f"`{key}` means nothing in a log of format {kind}, only in {' or '.join(used)}; remove it"


def _check_times(file: Outline) -> Iterator[Finding]:
    time, start, end = (_given(file, key) for key in ("time", "start", "end"))
    if (start is None) != (end is None):
        missing = "start" if start is None else "end"
        yield file.finding(("log",), f"a log of activities needs `start` and `end`; add `{missing}: column`")
    elif time is None and start is None:
        message = "a csv log needs `time: column`, or `start` and `end` if its rows are activities; add it"
        yield file.finding(("log",), message)
    if time is not None and (start is not None or end is not None):
        message = "`time` is for events, `start` and `end` are for activities; keep one kind"
        yield file.finding(("log", "time"), message)


def _check_wide(file: Outline) -> Iterator[Finding]:
    words = file.keys("log", "statuses")
    listed = [status.text for status in file.statuses]
    columns: set[str] = set()
    for word in words:
        if word.text not in file.known:
            message = f"`statuses` names the unknown status `{word.text}`{did_you_mean(word.text, listed)}"
            yield file.finding(word.path, message)
        column = file.word(*word.path)
        if column and column.text in columns:
            message = f"column `{column.text}` gives the time of two statuses; name another"
            yield file.finding(word.path, message, "warning")
        columns |= {column.text} if column else set()
    if words:
        for key, special in (("from", FIRST), ("to", LAST)):
            yield from _check_end(file, file.word("promise", key), special, words)


def _check_end(file: Outline, end: Word | None, special: str, words: list[Word]) -> Iterator[Finding]:
    columns = {word.text for word in words}
    if end and end.text != special and end.status in file.known and end.status not in columns:
        message = f"`{end.path[-1]}`, `{end.text}`, has no column in the log's `statuses`; add `{end.text}: column`"
        yield file.finding(end.path, message)


def _check_marks(file: Outline, kind: str) -> Iterator[Finding]:
    if _given(file, "marks") != "completion":
        return
    if kind == "wide" or file.marks == "intervals":
        other = "is wide" if kind == "wide" else "has start and end"
        message = f"`marks: completion` is for logs of events, and this one {other}; remove it"
        yield file.finding(("log", "marks"), message)


def _check_time_format(file: Outline) -> Iterator[Finding]:
    word = file.word("log", "time_format")
    if word is None:
        return
    try:
        read = datetime.strptime(_SAMPLE.strftime(word.text), word.text).replace(tzinfo=UTC)
    except (ValueError, IndexError):
        message = f"`time_format`: `{word.text}` is no format of strptime; write it as '%Y-%m-%d %H:%M:%S'"
        yield file.finding(word.path, message)
        return
    if read.date() != _SAMPLE.date():
        message = f"`time_format`: `{word.text}` holds no whole date; write it as '%Y-%m-%d %H:%M:%S'"
        yield file.finding(word.path, message)
    elif read.hour not in (_SAMPLE.hour, 0):
        message = f"`time_format`: `{word.text}` has hours of %I without %p; write %H, or add %p"
        yield file.finding(word.path, message)


def check_calendar(file: Outline) -> Iterator[Finding]:
    """Check that a calendar is used."""
    if isinstance(file.at(("calendar",)), dict) and not any(stage.working for stage in file.stages):
        message = "no stage has `working: true`, so it changes nothing; add that to a stage or remove it"
        yield file.finding(("calendar",), message, "warning")
