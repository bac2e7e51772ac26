"""Figures and names as people read them: shares, counts, short durations, and text from logs made harmless."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
REPLACEMENT: Final = "\ufffd"
_JOINERS: Final = "\u200c\u200d\u00ad"  # parts of ordinary words and emoji
_UNITS: Final = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0))
_ROUNDS_TO: Final = 0.9995  # of a unit: from here on the larger unit reads better


def plain(text: str, longest: int = 60) -> str:
    """Return text from a log that neither a terminal nor a page can take for anything but text.

    Control, direction and surrogate characters become U+FFFD, white space a space; what is too long is cut.
    """
    shown = "".join(_harmless(character) for character in text[: longest * 4])
    return clipped(" ".join(shown.split()), longest)


def clipped(text: str, longest: int) -> str:
    """Cut text that is too long, and say so."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _harmless(character: str) -> str:
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    return character if category not in {"Cc", "Cf", "Cs", "Zl", "Zp"} or character in _JOINERS else REPLACEMENT


def percent(share: float) -> str:
    """Write a share in whole per cent; what is not all is never called 100 %, what is not nothing never 0 %."""
    rounded = round(share * 100)
    if rounded == 0 and share > 0:
        return "<1 %"
    if rounded == 100 and share < 1:
        return f"{share * 100:.1f} %" if share < _ROUNDS_TO else ">99.9 %"
    return f"{rounded} %"


def percent_against(share: float, objective: float) -> str:
    """Write a share with just enough digits to tell on which side of the objective it is."""
    for digits in range(4):
        rounded = round(share * 100, digits)
        if (rounded - objective * 100) * (share - objective) > 0:
            return f"{rounded:.{digits}f} %" if digits else percent(share)
    return exact_percent(share) if share == objective else percent(share)


def exact_percent(share: float) -> str:
    """Write a share that somebody chose, such as an objective, as it was given."""
    return f"{round(share * 100, 6):g} %"


def count(number: int, one: str, many: str | None = None) -> str:
    """Say how many: ``1 order``, ``1,840 orders``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def brief(seconds: float | None) -> str:
    """Write a duration for a table: ``12 d``, ``2.4 d``, ``5 h``, ``47 min``; two digits tell enough."""
    if seconds is None:
        return "-"
    for unit, length in _UNITS:
        if abs(seconds) >= length * _ROUNDS_TO:
            return f"{_two_digits(seconds / length)} {unit}"
    return "0" if seconds == 0 else "<1 s"


def _two_digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 9.95 else f"{value:.1f}".removesuffix(".0")


def moment(at_us: int) -> str:
    """Write a moment to the minute: ``2026-03-06 14:05``."""
    return when(at_us).strftime("%Y-%m-%d %H:%M")


def day(at_us: int) -> str:
    """Write the day of a moment."""
    return when(at_us).strftime("%Y-%m-%d")


def when(at_us: int) -> datetime:
    """Return microseconds since 1970 as a moment; beyond the calendar, its last one."""
    try:
        return EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words: ``a, b and c``."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def sentence_case(text: str) -> str:
    """Begin with a capital letter and leave the rest."""
    return text[:1].upper() + text[1:]
