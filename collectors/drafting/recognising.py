"""What kind of log a file is, judged by what is in it and never by its name."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final, Literal

import orjson

from collectors.sources.cloudevents_log import BadEvent, status_event
from collectors.sources.csv_log import DELIMITERS
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collectors.sources.opening import LogFile

Kind = Literal["csv", "xes", "cloudevents"]
_ADVICE: Final = "give an event log: CSV, XES or JSON lines of CloudEvents, plain or gzip"
_MAGIC: Final = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; unpack it, or export the sheet as CSV",
    b"PAR1": "a Parquet file; export it as CSV",
    b"%PDF": "a PDF; export the table behind it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; export the sheet as CSV",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"BZh": "packed with bzip2; unpack it, or pack it with gzip",
    b"\xfd7zXZ": "packed with xz; unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it, or pack it with gzip",
}
_ROOT: Final = re.compile(r"<\s*(?:\w+:)?([A-Za-z_][\w.-]*)")
_LINES_TRIED: Final = 200
_NUMBER: Final = re.compile(r"[-+]?[0-9]+([.,][0-9]+)?")
_DATE: Final = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")


def recognise(file: LogFile) -> Kind:
    """Say what kind of log a file is. Raises BadInput that says what it is instead and what to do."""
    for magic, what in _MAGIC.items():
        if file.head.startswith(magic):
            raise BadInput(f"{file.name}: is {what}")
    text = file.text().lstrip("\ufeff \t\r\n")
    if "\0" in text[:4096] or _control_share(text[:4096]) > 0.02:
        raise BadInput(f"{file.name}: is binary and no log; {_ADVICE}")
    if text.startswith("<"):
        return _markup(file, text)
    if text.startswith(("{", "[")):
        return _json(file, text)
    _check_table(file, text)
    return "csv"


def _control_share(text: str) -> float:
    odd = sum((character < " " and character not in "\t\r\n\f") or "\x7f" <= character < "\xa0" for character in text)
    return odd / max(len(text), 1)


def _markup(file: LogFile, text: str) -> Kind:
    stripped = re.sub(r"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>]*>", "", text, flags=re.DOTALL)
    match = _ROOT.search(stripped)
    root = match[1] if match else ""
    if root.lower() == "html" or re.match(r"<!doctype html", text, re.IGNORECASE):
        raise BadInput(f"{file.name}: is a web page and no log; download the log itself")
    if root != "log":
        raise BadInput(f"{file.name}: is XML with the root <{root[:40]}>, and an XES log has <log>; {_ADVICE}")
    return "xes"


def _json(file: LogFile, text: str) -> Kind:
    reason = "no line of it is JSON"
    for line in text.splitlines()[:_LINES_TRIED]:
        try:
            status_event(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
        except BadEvent as error:
            reason = str(error)
        else:
            return "cloudevents"
    if text.startswith("["):
        reason = "it is one JSON list; write each event on a line of its own"
    raise BadInput(f"{file.name}: is JSON but no status event of CloudEvents ({reason}); {_ADVICE}")


def _check_table(file: LogFile, text: str) -> None:
    first = text.splitlines()[0] if text.splitlines() else ""
    if re.fullmatch(r"sep=.", first.strip()):
        raise BadInput(f"{file.name}:1: `{first.strip()}` is a note to Excel, not column names; delete that line")
    delimiter = choose_delimiter(text)
    if delimiter is None:
        raise BadInput(f"{file.name}:1: has only one column, and a log has order, status and time; {_ADVICE}")
    names = next(csv.reader(io.StringIO(text), delimiter=delimiter))
    values = [name for name in names if _NUMBER.fullmatch(name.strip()) or _DATE.fullmatch(name.strip())]
    if len(values) * 3 >= len(names) or any(_DATE.fullmatch(name.strip()) for name in names):
        raise BadInput(
            f"{file.name}:1: begins with values such as `{values[0].strip()}`, not with column names; "
            "add a first line that names the columns"
        )


def choose_delimiter(text: str) -> str | None:
    """Return what parts the columns: what cuts the first lines into equally many fields; None if nothing does."""
    best: tuple[float, int] = (0.0, 0)
    chosen = None
    for delimiter in DELIMITERS:
        counts = _field_counts(text, delimiter)
        if not counts or counts[0] < 2:
            continue
        agreeing = sum(count == counts[0] for count in counts) / len(counts)
        if (agreeing, counts[0]) > best:
            best, chosen = (agreeing, counts[0]), delimiter
    return chosen


def _field_counts(text: str, delimiter: str) -> list[int]:
    counts: list[int] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            if row:
                counts.append(len(row))
            if len(counts) > _LINES_TRIED:
                break
    except csv.Error:
        return []
    return counts[:-1] if len(counts) > 2 else counts
