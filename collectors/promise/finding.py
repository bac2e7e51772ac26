"""One mistake in a promise file: on which line, in what, and what to do about it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One mistake in a promise file; ``line`` counts from 1, ``where`` is such as "stage `approval`"."""

    line: int
    severity: Severity
    where: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where}: {self.message}"


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return "; did you mean `x`?" for the nearest known name, or a list of a few known names, or nothing."""
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(wrong.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{folded[near[0]]}`?"
    if 0 < len(names) <= 16:
        return "; known are " + ", ".join(f"`{name}`" for name in names)
    return ""
