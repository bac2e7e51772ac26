"""CSV logs into the engine: events, activities with start and end, and wide logs with a column for each milestone."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb

from collectors.sources.csv_repair import LONGER, LONGEST_LINE, UNCLOSED, has_giant_line, mended, unpacked
from collectors.sources.engine import literal, moment_sql, rows, value
from collectors.sources.quarantine import BadRecord, Quarantine
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from collectors.promise.model import LogReading
    from collectors.sources.opening import LogFile

DELIMITERS: Final = ",;\t|"
REJECTS_SHOWN: Final = 1_000
REJECTS_KEPT: Final = 100_000  # the engine takes tens of microseconds for each
_REASONS: Final = {
    "MISSING COLUMNS": "the row has fewer columns than the header",
    "TOO MANY COLUMNS": "the row has more columns than the header",
    "UNQUOTED VALUE": UNCLOSED,
    "INVALID ENCODING": "the row is not text in the file's encoding",
    "LINE SIZE OVER MAXIMUM": LONGER,
}
_UNREADABLE: Final = (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException)


def header(file: LogFile, delimiter: str | None = None) -> tuple[list[str], str]:
    """Return the column names and the delimiter. Unnamed columns are ``column0`` ...; repeated ones get a number."""
    text = file.text()
    first = text.splitlines()[0] if text.splitlines() else ""
    if not first.strip() or any(letter < " " and letter != "\t" for letter in first):
        raise BadInput(f"{file.name}: does not begin with a line of column names; is it a CSV log?")
    for beginning, kind, name in (("<?xml", "XES", "xes"), ("<log", "XES", "xes"), ('{"', "JSON", "cloudevents")):
        if first.lstrip().startswith(beginning):
            raise BadInput(
                f"{file.name}: looks like {kind}, and the promise file reads CSV; set `log: {{format: {name}}}` there, "
                f"or let `touchstone promise init {file.name}` draft a promise file for this log"
            )
    chosen = delimiter or max(DELIMITERS, key=first.count)
    try:
        names = next(csv.reader(io.StringIO(text, newline=None), delimiter=chosen))
    except csv.Error as error:
        raise BadInput(f"{file.name}:1: the line of column names cannot be read ({error}); is it a CSV log?") from error
    seen: dict[str, int] = {}
    result = []
    for place, raw in enumerate(names):
        name = raw.strip() or f"column{place}"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result, chosen


def table_sql(file: LogFile, columns: Sequence[str], delimiter: str, rejects: int = REJECTS_KEPT) -> str:
    """Return the table function that reads a CSV as text; rows that do not fit go to ``reject_errors``.

    ``rejects``: how many of their faults to keep, 0 for all.
    """
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv({literal(_no_pattern(file.path))}, auto_detect = false, header = true, columns = {{{types}}}, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', store_rejects = true, rejects_limit = {rejects}, "
        f"max_line_size = {LONGEST_LINE}, compression = {literal('gzip' if file.gzipped else 'none')}, "
        f"encoding = {literal(file.encoding)})"
    )


def _no_pattern(path: Path) -> str:
    """Write a path so that the engine finds no pattern for file names in it."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))


class _Csv(NamedTuple):
    """A CSV with as many columns, parted by the delimiter."""

    file: LogFile
    columns: int
    delimiter: str

    def sql(self, file: LogFile, rejects: int) -> str:
        """Return the table function that reads the file, or a copy of it, with the engine's names for columns."""
        return table_sql(file, [_in_engine(place) for place in range(self.columns)], self.delimiter, rejects)


def _in_engine(place: int) -> str:
    """Name a column for the engine, where a header's own name may clash with ours, or with another in other case."""
    return f"column{place}"


def read_events(
    connection: duckdb.DuckDBPyConnection,
    file: LogFile,
    log: LogReading,
    attributes: Sequence[str],
    quarantine: Quarantine,
) -> None:
    """Fill ``raw`` from a CSV of events (``t``) or of activities with start and end (``t0``, ``t1``)."""
    columns, delimiter = header(file, log.delimiter)
    order, status = (required(name, key, columns, file) for key, name in (("order", log.order), ("status", log.status)))
    if log.has_intervals:
        begin, finish = (required(name, key, columns, file) for key, name in (("start", log.start), ("end", log.end)))
        bad = f"CASE WHEN t0 IS NULL THEN coalesce({begin}, '') WHEN t1 IS NULL THEN nullif(trim({finish}), '') END"
        times = f"{moment_sql(begin, log)} AS t0, {moment_sql(finish, log)} AS t1, {bad} AS bad"
    else:
        time = required(log.time, "time", columns, file)
        times = f"{moment_sql(time, log)} AS t, CASE WHEN t IS NULL THEN coalesce({time}, '') END AS bad"
    extra = attributes_sql(attributes, log, columns)
    selected = f"{order} AS o, {status} AS s, {times}{extra}"
    _create(connection, "raw", selected, _Csv(file, len(columns), delimiter), quarantine)


def read_wide(
    connection: duckdb.DuckDBPyConnection,
    file: LogFile,
    log: LogReading,
    attributes: Sequence[str],
    quarantine: Quarantine,
) -> int:
    """Fill ``raw`` from a wide CSV, a row an order; return how many further rows of an order were dropped."""
    columns, delimiter = header(file, log.delimiter)
    order = required(log.order, "order", columns, file)
    cells = {status: required(column, f"statuses.{status}", columns, file) for status, column in log.statuses.items()}
    extra = attributes_sql(attributes, log, columns)
    texts = ", ".join(f"{column} AS c{place}" for place, column in enumerate(cells.values()))
    selected = f"{order} AS o, {texts}{extra}"
    _create(connection, "wide", selected, _Csv(file, len(columns), delimiter), quarantine)
    connection.execute(
        "CREATE TABLE once AS SELECT rowid AS line, * FROM wide "
        "WHERE coalesce(trim(o), '') = '' OR rowid IN (SELECT min(rowid) FROM wide GROUP BY o)"
    )
    whole = rows(connection, "SELECT (SELECT count(*) FROM wide), (SELECT count(*) FROM once)")[0]
    carried = "".join(f", a{place}" for place in range(len(attributes)))
    milestones = " UNION ALL ".join(
        f"SELECT line, {place} AS place, o, {literal(status)} AS s, {moment_sql(f'c{place}', log)} AS t, "
        f"CASE WHEN t IS NULL THEN c{place} END AS bad{carried} FROM once WHERE trim(c{place}) <> ''"
        for place, status in enumerate(cells)
    )
    connection.execute(f"CREATE TABLE raw AS SELECT * EXCLUDE (line, place) FROM ({milestones}) ORDER BY line, place")
    _quarantine_blank_rows(connection, len(cells), quarantine)
    connection.execute("DROP TABLE wide; DROP TABLE once")
    return int(whole[0] - whole[1])


def _quarantine_blank_rows(connection: duckdb.DuckDBPyConnection, cells: int, quarantine: Quarantine) -> None:
    blank = " AND ".join(f"coalesce(trim(c{place}), '') = ''" for place in range(cells))
    for line, order in rows(connection, f"SELECT line, o FROM once WHERE {blank}"):
        quarantine.add(BadRecord("the order has no time at any milestone", f"row {line + 2}", order=order))


def required(name: str | None, key: str, columns: Sequence[str], file: LogFile) -> str:
    """Return the engine's name of a needed column. Raises BadInput that lists the columns there are."""
    if name is None:
        raise BadInput(f"the promise file's `log` does not name the column `{key}`; add `{key}: COLUMN`")
    if name.strip() not in columns:
        raise BadInput(
            f"{file.name}:1: there is no column `{name}` (`log.{key}` of the promise file); "
            f"the columns are {', '.join(column[:40] for column in columns[:20])}"
        )
    return _in_engine(columns.index(name.strip()))


def attributes_sql(attributes: Sequence[str], log: LogReading, columns: Sequence[str]) -> str:
    """Return the select items of the order attributes; an attribute without a column is null."""
    items = []
    for place, attribute in enumerate(attributes):
        column = log.column(attribute).strip()
        text = _in_engine(columns.index(column)) if column in columns else "CAST(NULL AS VARCHAR)"
        items.append(f", {text} AS a{place}")
    return "".join(items)


def _create(
    connection: duckdb.DuckDBPyConnection, table: str, selected: str, csv_file: _Csv, quarantine: Quarantine
) -> None:
    """Fill a table from a CSV; rows that do not fit the header are quarantined."""
    query = f"CREATE OR REPLACE TABLE {table} AS SELECT {selected} FROM "
    rejects = 0 if quarantine.wants_all else REJECTS_KEPT
    with unpacked(csv_file.file, quarantine) as plain:
        if not has_giant_line(plain.path) and _reads_soundly(connection, query + csv_file.sql(plain, rejects)):
            _collect_rejects(connection, table, plain, quarantine)
            return
        with mended(plain, quarantine) as sound:
            _run(connection, query + csv_file.sql(sound, rejects), csv_file.file)
            _collect_rejects(connection, table, sound, quarantine)


def _reads_soundly(connection: duckdb.DuckDBPyConnection, query: str) -> bool:
    """Run the query, and tell whether the engine lost no more lines than it says."""
    try:
        connection.execute(query)
    except _UNREADABLE:
        return False
    lossy = "error_type IN ('UNQUOTED VALUE', 'LINE SIZE OVER MAXIMUM')"
    return not value(connection, f"SELECT count(*) FROM reject_errors WHERE {lossy}")


def _run(connection: duckdb.DuckDBPyConnection, query: str, file: LogFile) -> None:
    connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    try:
        connection.execute(query)
    except _UNREADABLE as error:
        first = str(error).split(":", 1)[-1].strip().splitlines()[0]
        raise BadInput(f"{file.name}: cannot be read as CSV ({first}); check that it is the log") from error


def _collect_rejects(connection: duckdb.DuckDBPyConnection, table: str, file: LogFile, quarantine: Quarantine) -> None:
    # One bad row may be reported several times, once for each of its faults.
    found = (
        "SELECT min(line) AS line, first(error_type) AS kind, first(csv_line) AS text "
        "FROM reject_errors GROUP BY line_byte_position, file_id"
    )
    shown = "" if quarantine.wants_all else f"LIMIT {REJECTS_SHOWN}"
    counts: dict[str, int] = dict(rows(connection, f"SELECT kind, count(*) FROM ({found}) GROUP BY kind"))
    total = sum(counts.values())
    for line, kind, text in rows(connection, f"SELECT line, kind, text FROM ({found}) ORDER BY line {shown}"):
        counts[kind] -= 1
        quarantine.add(BadRecord(_reason(kind), f"line {line}", raw=text))
    for kind, count in counts.items():
        if count:
            quarantine.add(BadRecord(_reason(kind), "further lines", count=count))
    if not quarantine.wants_all and value(connection, "SELECT count(*) FROM reject_errors") >= REJECTS_KEPT:
        with file.open() as stream:
            lines = sum(not line.isspace() for line in stream) - 1
        rest = lines - total - int(value(connection, f"SELECT count(*) FROM {table}"))
        quarantine.add(BadRecord("the row does not fit the header", "further lines", count=max(rest, 0)))
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")


def _reason(kind: str) -> str:
    return _REASONS.get(kind, f"the row does not parse ({kind.lower()})")
