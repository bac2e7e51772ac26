"""Figures and texts the way a drafted promise file writes them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from collectors.promise.durations import describe_duration, format_duration

_PLAIN: Final = re.compile(r"[^\W\d](?:[\w ./()+&'*-]*[\w.)+])?", re.ASCII)
_AMOUNT: Final = re.compile(r"(?:[0-9]+[wdhms])+|[0-9]+%", re.ASCII)
_RESERVED: Final = frozenset(
    ["true", "false", "yes", "no", "on", "off", "null", "none", "y", "n", "~", "nan", "inf", ".inf", ".nan"]
)
_STEPS: Final = (
    (20 * 86_400, 86_400),
    (4 * 86_400, 43_200),
    (86_400, 10_800),
    (6 * 3_600, 3_600),
    (3_600, 900),
    (1_200, 300),
    (120, 60),
    (60, 30),
    (0, 1),
)


def percent(share: float) -> str:
    """Write a share: ``87 %``, ``99.6 %``, never rounded up to all."""
    shown = f"{100 * share:.0f}" if share in {0.0, 1.0} or 0.01 <= share < 0.99 else f"{100 * share:.2g}"
    if 0.99 <= share < 1:
        shown = f"{min(99.9, int(1000 * share) / 10):.1f}"
    return f"{shown} %"


def scalar(text: str) -> str:
    """Write a text as YAML that reads as that very text, plain where it may be."""
    if _AMOUNT.fullmatch(text):
        return text
    if _PLAIN.fullmatch(text) and text.casefold() not in _RESERVED and not re.search(r"  |: | #", text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    if character.isprintable() and not 0xD800 <= code <= 0xDFFF and code not in {0xFEFF, 0x85, 0x2028, 0x2029}:
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def remark(text: str) -> str:
    """Write a text so that it stays on its comment's line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def said(microseconds: float) -> str:
    """Say microseconds in words: ``3.2 days``."""
    return describe_duration(microseconds / 1e6) if microseconds >= 1 else "no time"


def written(seconds: float) -> str:
    """Write whole seconds as a duration: ``3d12h``."""
    return format_duration(timedelta(seconds=int(seconds)))


def rounded_down(seconds: float) -> int:
    """Round seconds down to a number that people would write."""
    step = next(step for least, step in _STEPS if seconds >= least)
    return int(seconds // step) * step


def listed(texts: list[str], most: int = 5) -> str:
    """List some texts for a comment."""
    shown = ", ".join(f"`{text}`" for text in texts[:most])
    return shown + (f" and {len(texts) - most} more" if len(texts) > most else "")
