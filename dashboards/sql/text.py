"""Pieces of SQL that several queries share; names out of a promise file are always quoted here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECOND: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND
NOW_US: Final = f"(extract(epoch FROM now()) * {SECOND})::bigint"
# Grafana writes these as quoted texts; unquoted and uncast, PostgreSQL could not know what they are.
FROM_US: Final = f"(extract(epoch FROM $__timeFrom()::timestamptz) * {SECOND})::bigint"
TO_US: Final = f"(extract(epoch FROM $__timeTo()::timestamptz) * {SECOND})::bigint"


def quoted(text: str) -> str:
    """Return a text as an SQL literal; a dollar before a brace would be a variable of Grafana's."""
    plain = "'" + text.replace("'", "''") + "'"
    return plain.replace("$", "'||chr(36)||'")


def column(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def listed(texts: Iterable[str]) -> str:
    """Return texts as the inside of an IN list, which matches nothing where there are none."""
    return ", ".join(map(quoted, texts)) or "NULL"


def chosen(expression: str, cases: Mapping[str, str], otherwise: str = "NULL") -> str:
    """Return the CASE that maps the values of an expression (as SQL) to others."""
    if not cases:
        return otherwise
    whens = " ".join(f"WHEN {value} THEN {result}" for value, result in cases.items())
    return f"CASE {expression} {whens} ELSE {otherwise} END"


def moment(microseconds: str) -> str:
    """Return microseconds since 1970 UTC as a moment."""
    return f"to_timestamp({microseconds} / {float(SECOND)!r})"


def month(microseconds: str, zone: str) -> str:
    """Return the month of a moment, as 2026-03, in a time zone."""
    return f"to_char({moment(microseconds)} AT TIME ZONE {quoted(zone)}, 'YYYY-MM')"


def days(microseconds: str) -> str:
    """Return a length in days."""
    return f"({microseconds})::float / {DAY_US}"
