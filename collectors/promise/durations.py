"""Durations as people write them in a promise file: ``30s 15m 2h 21d 3w`` and sums such as ``1d12h``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

UNIT_SECONDS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
DURATION_PATTERN: Final = r"^ *([0-9]+(\.[0-9]+)? *[wdhms] *)+$"
LONGEST: Final = timedelta(days=36_500)
_TERM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([wdhms])")
_WHOLE: Final = re.compile(DURATION_PATTERN)
_MICROSECOND: Final = timedelta(microseconds=1)


def parse_duration(text: str, *, units: Mapping[str, int] = UNIT_SECONDS) -> timedelta:
    """Read a duration such as ``4h``, ``1d12h`` or ``2.5d``.

    ``units`` gives the seconds of each unit; a budget in working time brings its own day and week.
    Raises ValueError with a sentence that names the text and shows a right one.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"`{text}` is no duration; write it as 30s, 15m, 2h, 21d, 3w or a sum such as 1d12h")
    seconds = [float(number) * units[unit] for number, unit in _TERM.findall(text)]
    if sum(seconds) > LONGEST.total_seconds():
        raise ValueError(f"`{text}` is longer than a hundred years; write a duration such as 21d")
    return sum((timedelta(seconds=part) for part in seconds), timedelta())


def format_duration(value: timedelta) -> str:
    """Write a duration as a promise file does, exactly: ``1d12h``; microseconds as a fraction of ``s``."""
    rest = value // _MICROSECOND
    parts = []
    for unit in "dhm":
        count, rest = divmod(rest, UNIT_SECONDS[unit] * 1_000_000)
        if count:
            parts.append(f"{count}{unit}")
    seconds, fraction = divmod(rest, 1_000_000)
    if fraction:
        parts.append(f"{seconds}.{fraction:06}".rstrip("0") + "s")
    elif seconds or not parts:
        parts.append(f"{seconds}s")
    return "".join(parts)


def describe_duration(seconds: float) -> str:
    """Say a duration in words for people: ``3.2 days``, ``5 hours``, ``40 minutes``."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if abs(seconds) >= length:
            return _counted(seconds / length, unit)
    return _counted(seconds, "second") if abs(seconds) >= 1 else f"{seconds:.1g} seconds"


def _counted(value: float, unit: str) -> str:
    shown = f"{value:.0f}" if abs(value) >= 9.95 else f"{value:.1f}".removesuffix(".0")
    return f"{shown} {unit}" + ("" if shown == "1" else "s")
