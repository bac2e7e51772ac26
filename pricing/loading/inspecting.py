"""A look at every corner before anything is measured: numbers that are none, and triangles without area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.refusals import Refusal, RefusalCode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.surface import Surface

# Binary STL and glTF end at 3.4e38; text formats do not, and a square of more than that overflows in sums.
LARGEST: Final = 3.5e38
# Triangles in one go: what fits the processor's cache is three times as fast as a whole chunk.
BLOCK: Final = 4_096


def inspect(surface: Surface) -> list[str]:
    """Return notes on triangles without area. Raises a refusal where there is no triangle or a corner is no point."""
    if not surface.count:
        detail = "The model has no surface: there are no triangles in the file (lines and points alone have no volume)."
        raise Refusal(RefusalCode.EMPTY, detail)
    flat = 0
    for begin in range(0, surface.count, BLOCK):
        with np.errstate(invalid="ignore"):
            block = surface.corners[begin : begin + BLOCK].astype(np.float64)
        low, high = block.min(), block.max()
        if not -LARGEST <= low <= high <= LARGEST:
            bad = int((~(np.abs(block) <= LARGEST)).any(axis=(1, 2)).argmax()) + begin
            detail = f"Triangle {bad + 1:,} has a corner that is no point in space (infinite or not a number)"
            raise Refusal(RefusalCode.NOT_FINITE, f"{detail}; export the model again.")
        flat += _flat(block)
    if not flat:
        return []
    return [f"Triangles without area: {flat:,} of {surface.count:,}; they change nothing."]


def _flat(block: NDArray[np.float64]) -> int:
    """Count the triangles whose corners lie on one line: the cross product of two sides is exactly zero."""
    sides = np.ascontiguousarray((block[:, 1:] - block[:, :1]).reshape(-1, 6).T)
    ax, ay, az, bx, by, bz = sides
    return int(((ay * bz == az * by) & (az * bx == ax * bz) & (ax * by == ay * bx)).sum())
