"""One way of writing times for a whole log: found over values from all of it, day and month told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.drafting.columns import known
from collectors.drafting.formats import Written, how_written
from collectors.drafting.wording import percent
from collectors.promise.model import LogReading
from collectors.sources.engine import moment_sql, rows

if TYPE_CHECKING:
    import duckdb

_VALUES_TRIED: Final = 2_000
_CLEARLY: Final = 0.98


@dataclass(frozen=True)
class TimeFormat:
    """``format``: strptime's directives, None for the default reading; ``why`` it is that; ``share`` of times read."""

    format: str | None
    why: str
    share: float

    def sql(self, text: str) -> str:
        """Return the SQL that reads a text column the way a replay will."""
        return moment_sql(text, LogReading(time_format=self.format))


def find_time_format(connection: duckdb.DuckDBPyConnection, texts: str) -> TimeFormat | None:
    """Find how the times of a query with the columns ``o`` and ``x`` (text) are written; None if they are no times."""
    known_texts = f"SELECT o, {known('x')} AS x FROM ({texts})"
    spread = f"SELECT DISTINCT x FROM ({known_texts}) WHERE x IS NOT NULL ORDER BY hash(x) LIMIT {_VALUES_TRIED}"
    found = how_written(connection, [text for (text,) in rows(connection, spread)])
    if found is None:
        return None
    if found.format is None:
        share = _read(connection, known_texts, None)[0]
        return TimeFormat(None, _warning(share), share)
    if found.other is None:
        share = _read(connection, known_texts, found.format)[0]
        swapped = "%d" in found.format and "%m" in found.format and not found.format.startswith("%Y")
        why = "not ISO 8601" + (": a number above 12 tells the day from the month" if swapped else "")
        return TimeFormat(found.format, why + _warning(share), share)
    return _day_or_month(connection, known_texts, found)


def _warning(share: float) -> str:
    return "" if share >= 0.9999 else f"; it reads {percent(share)} of the times, the rest goes to quarantine"


def _read(connection: duckdb.DuckDBPyConnection, texts: str, format_: str | None) -> tuple[float, float]:
    """Return the share of texts that a format reads, and the sum of the orders' spans in days."""
    moment = moment_sql("x", LogReading(time_format=format_))
    times = f"SELECT o, {moment} AS t FROM ({texts}) WHERE x IS NOT NULL"
    spans = f"SELECT o, count(t) AS n, count(*) AS m, max(t) - min(t) AS span FROM ({times}) GROUP BY o"
    read, total, span = rows(connection, f"SELECT sum(n), sum(m), sum(span) FROM ({spans})")[0]
    return float(read or 0) / max(float(total or 0), 1), float(span or 0) / 86_400e6


def _day_or_month(connection: duckdb.DuckDBPyConnection, texts: str, found: Written) -> TimeFormat:
    assert found.format is not None  # noqa: S101 - the default reading has no twin
    assert found.other is not None  # noqa: S101 - the caller has checked it
    measured = sorted(
        (-share, span, format_)
        for format_ in (found.format, found.other)
        for share, span in [_read(connection, texts, format_)]
    )
    (share, span, format_), (twin_share, twin_span, _) = measured
    first = "the day" if format_.index("%d") < format_.index("%m") else "the month"
    if share != twin_share:
        return TimeFormat(format_, f"{first} comes first: a number above 12 tells{_warning(-share)}", -share)
    if span < _CLEARLY * twin_span:
        why = f"a guess: {first} first, so that orders span {span:,.0f} days in all, not {twin_span:,.0f}"
        return TimeFormat(format_, why + _warning(-share), -share)
    months_first = "%p" in format_
    format_ = next(
        item for item in (found.format, found.other) if (item.index("%m") < item.index("%d")) == months_first
    )
    first = "month" if months_first else "day"
    return TimeFormat(format_, f"a guess, please check: the {first} first, as no value tells{_warning(-share)}", -share)
