"""As much of PromQL's spelling as this house needs: which metrics an expression names."""

from __future__ import annotations

import re
from typing import Final

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_NOT_METRICS: Final = re.compile(
    r"\{[^}]*\}"  # matchers
    r"|\[[^\]]*\]"  # ranges
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"  # labels
    r"|\boffset\s+\w+|(?<![\w:])[0-9][0-9.]*(?:e[+-]?[0-9]+)?"
)
_WORDS: Final = frozenset(
    {"and", "or", "unless", "bool", "by", "without", "on", "ignoring", "group_left", "group_right"}
)
_NAME: Final = re.compile(r"(?<![\w:])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")


def metrics(expr: str) -> frozenset[str]:
    """Return the names of all series that an expression reads; functions and aggregations are none."""
    plain = _NOT_METRICS.sub(" ", _STRING.sub('""', expr))
    plain = re.sub(r"\b(sum|max|min|count)\s+\(", r"\1(", plain)
    return frozenset(_NAME.findall(plain)) - _WORDS
