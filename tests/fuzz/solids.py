"""What a surface with a price has to be, by counts and sums that share no code with what is judged."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Points of the box whose winding number is looked at; mending says itself of small folds that they are unsure.
POINTS: Final = 128
UNSURE: Final = 0.1


class Broken(Exception):
    """A rule that an input breaks. ``kind``: which; ``where``: what tells it from others of its kind."""

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(f"{kind}: {where}")
        self.kind, self.where = kind, where


def check_closed(corners: Floats) -> None:
    """Raise Broken unless every edge of triangles, shape (n, 3, 3), is passed as often one way as the other."""
    names: dict[bytes, int] = {}
    numbers = [[names.setdefault(corner.tobytes(), len(names)) for corner in triangle] for triangle in corners]
    sides = Counter((a, b) for i, j, k in numbers for a, b in ((i, j), (j, k), (k, i)))
    if any(sides[b, a] != count for (a, b), count in sides.items() if a != b):
        raise Broken("price from an unsound surface", "an edge is not passed as often one way as the other")


def check_volume(corners: Floats, told: float) -> None:
    """Raise Broken unless the volume is positive, that of the triangles, and counts no place twice or inside out."""
    moved = corners - corners[0, 0]
    own = math.fsum(np.einsum("ij,ij->i", moved[:, 0], np.cross(moved[:, 1], moved[:, 2])).tolist()) / 6
    box = float(np.ptp(moved, axis=(0, 1)).prod())
    if not 0 < own < math.inf or abs(own - told) > 1e-6 * box:
        raise Broken("volume", f"{own!r} and {told!r}")
    winding = _winding(moved, POINTS)
    wrong = float((np.abs(winding - np.clip(np.round(winding), 0, 1)) > 0.5).mean())
    if wrong * POINTS >= 3 and wrong * box > UNSURE * own:
        raise Broken("counted twice or inside out", f"{wrong:.1%} of the box, whose share of metal is {own / box:.1%}")


def _winding(corners: Floats, count: int) -> Floats:
    """Return how often the surface goes around points of its box (van Oosterom and Strackee 1983)."""
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    points = low + (high - low) * np.random.default_rng(3).random((count, 1, 3))
    a, b, c = (corners[None, :, corner] - points for corner in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
    volume = np.einsum("pnj,pnj->pn", a, np.cross(b, c))
    rest = la * lb * lc
    for one, other, length in ((a, b, lc), (b, c, la), (c, a, lb)):
        rest = rest + np.einsum("pnj,pnj->pn", one, other) * length
    return np.asarray(np.arctan2(volume, rest).sum(axis=1) / (2 * np.pi))
