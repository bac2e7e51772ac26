"""How times are written: from their shape to strptime directives that Python and DuckDB read alike."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from collectors.sources.engine import literal, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

GOOD_SHARE: Final = 0.99
_CLOCK: Final = re.compile(
    r"(?P<date>.+?)(?P<join>T|,?\s+(?:-\s+|at\s+|um\s+)?|-)(?P<hour>\d{1,2})(?P<part>[:.h])\d{2}"
    r"(?P<second>[:.]\d{2})?(?P<fraction>[.,]\d{1,6})?(?:(?P<space>\s*)(?P<half>[AaPp][Mm]))?"
    r"(?P<zone>\s*(?:[+-]\d{2}:?\d{2}|Z|UTC|GMT))?(?P<rest>\s.*)?"
)
_NUMBERS: Final = re.compile(r"(\d{1,4})([-/. ]+)(\d{1,2})([-/. ]+)(\d{1,4})")
_MONTH_SECOND: Final = re.compile(r"(?:([A-Za-z]{3,9})(,? ))?(\d{1,2})(\.?[-/ .])([A-Za-z]{3,9})([-/ .,]+)(\d{2,4})")
_MONTH_FIRST: Final = re.compile(r"(?:([A-Za-z]{3,9})(,? ))?([A-Za-z]{3,9})([-/ .]+)(\d{1,2})(,? |[-/])(\d{4})")
_BASIC: Final = re.compile(r"\d{8}([T ])(\d{6}|\d{4})(Z?)")
_COMPACT: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_SHORT_MONTH: Final = 3


@dataclass(frozen=True)
class Written:
    """How a column's times are written. ``format``: None for the default reading. ``other``: equally good."""

    format: str | None
    share: float
    other: str | None = None


def epochs(values: Sequence[str]) -> bool:
    """Whether values are seconds, milliseconds or microseconds since 1970, which no ``time_format`` can say."""
    return bool(values) and all(
        re.fullmatch(r"1[0-9]{9}([0-9]{3}|[0-9]{6})?(\.[0-9]+)?", value.strip()) for value in values
    )


def how_written(connection: duckdb.DuckDBPyConnection, values: Sequence[str]) -> Written | None:
    """Find out how a column's sampled values are written as times; None where they are no times."""
    seen = [value for value in values if any(character.isdigit() for character in value)]
    if len(seen) < 0.5 * len(values) or not seen:
        return None
    plain = share_read(connection, values, None)
    if plain >= GOOD_SHARE and all(_iso(value) for value in seen):
        return Written(None, plain)
    shapes = Counter(format_ for value in seen for format_ in shapes_of(value))
    tried = [(share_read(connection, values, format_), format_) for format_, _ in shapes.most_common(12)]
    good = sorted((found for found in tried if agree(connection, seen, found[1])), key=lambda found: -found[0])
    # What the default reading takes besides ISO 8601 (2026/01/30) is better said than left to the reader's leniency.
    if not good or good[0][0] < max(plain, 0.5):
        return Written(None, plain) if plain >= 0.5 else None
    share, best = good[0]
    twin = next((format_ for other, format_ in good[1:] if other == share and _swapped(best) == format_), None)
    return Written(best, share, twin)


def _iso(value: str) -> bool:
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return False
    return True


def _swapped(format_: str) -> str:
    return format_.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def share_read(connection: duckdb.DuckDBPyConnection, values: Sequence[str], format_: str | None) -> float:
    """Return the share of values that a format reads; None is the default reading."""
    read = "TRY_CAST(v AS TIMESTAMPTZ)" if format_ is None else f"try_strptime(v, {literal(format_)})"
    found = rows(connection, f"SELECT avg(({read} IS NOT NULL)::DOUBLE) FROM (SELECT unnest(?) AS v)", [list(values)])
    return float(found[0][0] or 0.0)


def agree(connection: duckdb.DuckDBPyConnection, values: Sequence[str], format_: str) -> bool:
    """Whether Python and DuckDB read values alike by a format, to the microsecond."""
    tried = list(values[:100])
    read = f"epoch_us(try_strptime(v, {literal(format_)}))"
    found = rows(connection, f"SELECT v, {read} FROM (SELECT unnest(?) AS v)", [tried])
    return all(_python_reads(value, format_) == moment for value, moment in found)


def _python_reads(value: str, format_: str) -> int | None:
    try:
        read = datetime.strptime(value.lstrip(), format_)  # noqa: DTZ007 - a naive time counts as UTC here
    except ValueError:
        return None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def shapes_of(value: str) -> list[str]:
    """Return the formats that a value's shape allows: two where day and month may be either way round."""
    bare = value.strip()
    # DuckDB skips blanks before a time and not after it; Python is given the text without the former.
    after = value[len(value.rstrip()) :]
    if bare.isdigit() and len(bare) in _COMPACT:
        found = [_COMPACT[len(bare)]]
    elif match := _BASIC.fullmatch(bare):
        found = [f"%Y%m%d{match[1]}%H%M{'%S' if len(match[2]) == 6 else ''}{match[3]}"]
    elif match := _CLOCK.fullmatch(bare):
        found = [date + _clock(match) for date in _dates(match["date"]) if match["rest"] is None]
    else:
        found = _dates(bare)
    return [format_ + after for format_ in found]


def _clock(match: re.Match[str]) -> str:
    hour = "%I" if match["half"] else "%H"
    second = f"{match['second'][0]}%S" if match["second"] else ""
    fraction = f"{match['fraction'][0]}%f" if match["fraction"] else ""
    half = f"{match['space']}%p" if match["half"] else ""
    zone = match["zone"] or ""
    if zone.strip()[:1] in {"+", "-"}:
        zone = zone.replace(zone.strip(), "%z")
    return f"{match['join']}{hour}{match['part']}%M{second}{fraction}{half}{zone}"


def _dates(text: str) -> list[str]:
    if match := _NUMBERS.fullmatch(text):
        first, one, _, two, last = match.groups()
        if len(first) == 4:
            return [f"%Y{one}%m{two}%d"]
        year = {4: "%Y", 2: "%y"}.get(len(last))
        return [f"%d{one}%m{two}{year}", f"%m{one}%d{two}{year}"] if year else []
    if match := _MONTH_SECOND.fullmatch(text):
        weekday, gap, _, one, month, two, year = match.groups()
        return [f"{_weekday(weekday, gap)}%d{one}{_month(month)}{two}{'%Y' if len(year) == 4 else '%y'}"]
    if match := _MONTH_FIRST.fullmatch(text):
        weekday, gap, month, one, _, two, _ = match.groups()
        return [f"{_weekday(weekday, gap)}{_month(month)}{one}%d{two}%Y"]
    return []


def _month(text: str) -> str:
    return "%b" if len(text) == _SHORT_MONTH else "%B"


def _weekday(text: str | None, gap: str | None) -> str:
    return "" if text is None else f"{'%a' if len(text) == _SHORT_MONTH else '%A'}{gap}"
