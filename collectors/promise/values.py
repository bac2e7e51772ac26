"""Single values of a promise file: durations, shares, time zones, hours, days; each says how to write it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from collectors.promise.durations import DURATION_PATTERN, format_duration, parse_duration

_PERCENT: Final = re.compile(r"[0-9]+(?:\.[0-9]+)? ?%")
_HOURS: Final = re.compile(r"([0-9][0-9]):([0-9][0-9]) ?- ?([0-9][0-9]):([0-9][0-9])")
_MIDNIGHT: Final = timedelta(days=1)


def _to_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"`{value}` is no duration; write it with its unit, such as 4h or 21d")  # noqa: TRY004
    return parse_duration(value)


def _to_share(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _PERCENT.fullmatch(value):
        raise ValueError(f"`{value}` is no share; write it as 95% or 0.95")
    return round(float(value.removesuffix("%")) / 100, 12)


def _to_zone(value: object) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (LookupError, ValueError, OSError) as error:
        raise ValueError(f"`{value}` is no time zone; use an IANA name such as Europe/Berlin or UTC") from error


def _to_hours(value: object) -> object:
    if isinstance(value, tuple):
        return value
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"`{value}` are no hours; write them in quotes as '09:00-17:00'")
    numbers = [int(part) for part in match.groups()]
    opens, closes = (timedelta(hours=numbers[at], minutes=numbers[at + 1]) for at in (0, 2))
    if max(numbers[1], numbers[3]) > 59 or closes > _MIDNIGHT:
        raise ValueError(f"`{value}` are no hours of one day; they lie between 00:00 and 24:00")
    if closes <= opens:
        raise ValueError(f"`{value}`: the day closes before it opens; write the earlier time first")
    return (opens, closes)


def _to_day(value: object) -> object:
    if isinstance(value, date):
        return value
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise ValueError(f"`{value}` is no day; write it as 2026-12-24") from error


def hours_length(hours: tuple[timedelta, timedelta]) -> timedelta:
    """Return how long a working day is; its hours are counted from midnight, so that 24:00 has its place."""
    return hours[1] - hours[0]


def format_hours(hours: tuple[timedelta, timedelta]) -> str:
    """Write hours the way a promise file does: ``09:00-17:00``."""
    minutes = [moment // timedelta(minutes=1) for moment in hours]
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in minutes)


Duration = Annotated[
    timedelta,
    BeforeValidator(_to_duration),
    PlainSerializer(format_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": DURATION_PATTERN,
            "examples": ["4h", "21d", "1d12h"],
        }
    ),
]
Share = Annotated[
    float,
    BeforeValidator(_to_share),
    Field(gt=0, lt=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"},
            ],
            "examples": ["95%", 0.95],
        }
    ),
]
Zone = Annotated[str, BeforeValidator(_to_zone), Field(examples=["Europe/Berlin", "UTC"])]
Hours = Annotated[
    tuple[timedelta, timedelta],
    BeforeValidator(_to_hours),
    PlainSerializer(format_hours),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-2][0-9]:[0-5][0-9] ?- ?[0-2][0-9]:[0-5][0-9]$",
            "examples": ["09:00-17:00"],
        }
    ),
]
Day = Annotated[
    date,
    BeforeValidator(_to_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-12-24"]}),
]
