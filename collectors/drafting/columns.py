"""What is in each column of a CSV, judged by a bounded sample of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.drafting.formats import Written, epochs, how_written
from collectors.promise.model import LogReading
from collectors.sources.csv_log import header, table_sql
from collectors.sources.engine import literal, moment_sql, rows, value
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from collectors.sources.opening import LogFile

MISSING: Final = ("", "NULL", "null", "None", "NaN", "nan", "NaT", "NA", "N/A", "n/a", "-", "?", "\\N")
_SAMPLE_ROWS: Final = 200_000
_SAMPLE_CELLS: Final = 4_000_000
_VALUES_TRIED: Final = 400
_TEXTS: Final = ", ".join(literal(text) for text in MISSING)


@dataclass(frozen=True)
class Column:
    """A column of the file, and of the sample table ``head``, which calls it ``key``.

    ``filled``, ``numeric``: shares of rows. ``length``: mean characters. ``written``: how its times are written,
    None where it holds none. ``epoch``: its values are seconds or milliseconds since 1970.
    """

    name: str
    key: str
    rows: int
    filled: float
    distinct: int
    length: float
    numeric: float
    written: Written | None
    epoch: bool

    @property
    def sql(self) -> str:
        """The column, null where its value says that there is none."""
        return known(self.key)

    @property
    def time_sql(self) -> str:
        """The column as microseconds since 1970 UTC."""
        return moment_sql(self.key, LogReading(time_format=self.written.format if self.written else None))


def known(sql: str) -> str:
    """Return the SQL of a text that is null where it only says that nothing is known."""
    return f"CASE WHEN trim({sql}) IN ({_TEXTS}) THEN NULL ELSE {sql} END"


@dataclass(frozen=True)
class Table:
    """A CSV as the engine sees it. ``whole``: the sample ``head`` holds all of its rows."""

    file: LogFile
    source: str
    delimiter: str
    columns: list[Column]
    rows: int
    whole: bool

    def column(self, name: str) -> Column:
        """Return the column of a name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def all_rows(self) -> str:
        """What to select from to see every row of the file."""
        return "head" if self.whole else self.source


def look_at(connection: duckdb.DuckDBPyConnection, file: LogFile, delimiter: str) -> Table:
    """Sample a CSV into the table ``head`` and describe its columns. Raises BadInput where it holds no rows."""
    import duckdb

    names, _ = header(file, delimiter)
    # The header's own names may clash with one another where only their case differs.
    keys = [f"column{place}" for place in range(len(names))]
    source = table_sql(file, keys, delimiter)
    limit = max(1_000, min(_SAMPLE_ROWS, _SAMPLE_CELLS // len(names)))
    try:
        connection.execute(f"CREATE TABLE head AS SELECT * FROM {source} LIMIT {limit}")
    except duckdb.Error as error:
        first = str(error).split(":", 1)[-1].strip().splitlines()[0]
        raise BadInput(f"{file.name}: cannot be read as CSV ({first}); check that it is the log") from error
    count = int(value(connection, "SELECT count(*) FROM head"))
    if not count:
        raise BadInput(f"{file.name}: has a line of column names and no row that fits them; is it the whole log?")
    columns = [_look(connection, name, key, count) for name, key in zip(names, keys, strict=True)]
    return Table(file, source, delimiter, columns, count, count < limit)


def _look(connection: duckdb.DuckDBPyConnection, name: str, key: str, count: int) -> Column:
    text = known(key)
    filled, distinct, length, numeric = rows(
        connection,
        f"SELECT count({text}), count(DISTINCT {text}), avg(length({text})), "
        f"count(TRY_CAST({text} AS DOUBLE)) FROM head",
    )[0]
    written, epoch = None, False
    if filled:
        values = _some_values(connection, text)
        epoch = distinct > 1 and epochs(values)
        written = how_written(connection, values) if (length or 0) < 60 else None
    return Column(name, key, count, filled / count, distinct, length or 0.0, numeric / max(filled, 1), written, epoch)


def _some_values(connection: duckdb.DuckDBPyConnection, text: str) -> Sequence[str]:
    distinct = f"SELECT DISTINCT {text} AS v FROM head"
    spread = f"SELECT v FROM ({distinct}) WHERE v IS NOT NULL ORDER BY hash(v) LIMIT {_VALUES_TRIED}"
    found = rows(connection, spread)
    return [text for (text,) in found]
