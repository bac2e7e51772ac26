"""Text STL: `vertex x y z` three times a facet."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.loading.found import Found, hold, unreadable
from pricing.loading.lines import lines

if TYPE_CHECKING:
    from pathlib import Path

    from pricing.limits import Limits

FLOATS_OF_TRIANGLE: Final = 9


def read_text(path: Path, limits: Limits) -> Found:
    """Read every solid of a text STL. Raises a refusal where a facet has not three corners or the end is missing."""
    numbers = array("d")
    ended = False
    for row, line in enumerate(lines(path), 1):
        words = line.split()
        if not words:
            continue
        match words[0].lower():
            case b"vertex":
                numbers.extend(_point(words, row))
            case b"facet" | b"endfacet" | b"endloop":
                ended = False
                if len(numbers) % FLOATS_OF_TRIANGLE:
                    raise unreadable(f"The triangle that line {row:,} ends or follows has not three corners")
                hold(len(numbers) // FLOATS_OF_TRIANGLE, limits.held_triangles)
            case b"endsolid":
                ended = True
            case _:
                pass
    count, rest = divmod(len(numbers), FLOATS_OF_TRIANGLE)
    if rest or not ended:
        raise unreadable(
            f"The file ends before the model does: its last line `endsolid` is missing after {count:,} triangles"
        )
    return Found(np.frombuffer(numbers, np.float64).reshape(-1, 3, 3) if count else np.empty((0, 3, 3)))


def _point(words: list[bytes], row: int) -> tuple[float, float, float]:
    try:
        _, x, y, z = words
        return float(x), float(y), float(z)
    except ValueError:
        raise unreadable(f"Line {row:,} is no corner of a triangle: three numbers were expected") from None
