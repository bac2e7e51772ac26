"""Ear clipping of one polygon in space (Meisters 1975): a corner whose triangle holds no other corner is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.refusals import Refusal, RefusalCode

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Looks at corners that a whole model may cost: about two seconds of this machine's time.
MOST_LOOKS: Final = 2_500_000

Flat = tuple[float, float]
Triple = tuple[int, int, int]


class Ears:
    """Cuts polygons up, counts those that cross themselves, and refuses a model that would take too long."""

    def __init__(self) -> None:
        self.crossed = 0
        self.looks = 0

    def cut(self, points: NDArray[np.float64]) -> list[Triple]:
        """Return triangles as positions in ``points``, shape (n, 3), wound as the polygon is."""
        flat = _flatten(points)
        left = list(range(len(flat)))
        triangles = []
        while len(left) > 3:
            at = self._ear(flat, left, bent=True)
            if at is None:
                at = self._ear(flat, left, bent=False)
            if at is None:
                # Any corner keeps the polygon's edges, so that the surface stays closed; only its area is in doubt.
                at = 1
            triangles.append(_corner(left, at))
            del left[at]
        triangles.append((left[0], left[1], left[2]))
        turns = [_turn(flat, triple) for triple in triangles]
        # A triangle that faces backward covers what another covers too; one of rounding's size is none.
        self.crossed += min(turns) < -1e-9 * sum(map(abs, turns))
        return triangles

    def _ear(self, flat: list[Flat], left: list[int], *, bent: bool) -> int | None:
        """Return a corner that can be cut off: one that bends outward, else (``bent`` false) one on a straight edge."""
        self.looks += len(left)
        reflex = [left[i] for i in range(len(left)) if _turn(flat, _corner(left, i)) <= 0]
        for at in range(len(left)):
            triple = _corner(left, at)
            turn = _turn(flat, triple)
            if (turn <= 0) if bent else (turn != 0):
                continue
            self.looks += len(reflex) + 1
            if self.looks > MOST_LOOKS:
                detail = "The model's faces have too many corners each; export it as triangles."
                raise Refusal(RefusalCode.TOO_LARGE, detail)
            if not bent or not any(_inside(flat, triple, other) for other in reflex):
                return at
        return None


def _flatten(points: NDArray[np.float64]) -> list[Flat]:
    """Drop the axis that the polygon faces most, keeping it counter-clockwise (Newell's normal)."""
    spokes = points - points[0]
    normal = np.cross(spokes[1:-1], spokes[2:]).sum(axis=0)
    axis = int(np.argmax(np.abs(normal)))
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    if normal[axis] < 0:
        first, second = second, first
    return [(float(a), float(b)) for a, b in spokes[:, [first, second]]]


def _corner(left: list[int], at: int) -> Triple:
    return left[at - 1], left[at], left[(at + 1) % len(left)]


def _turn(flat: list[Flat], triple: Triple) -> float:
    (ax, ay), (bx, by), (cx, cy) = (flat[i] for i in triple)
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def _inside(flat: list[Flat], triple: Triple, other: int) -> bool:
    """Say whether a corner lies in or on the triangle; corners at the same place are the two sides of a bridge."""
    if any(flat[other] == flat[corner] for corner in triple):
        return False
    a, b, c = triple
    return all(_turn(flat, (p, q, other)) >= 0 for p, q in ((a, b), (b, c), (c, a)))
