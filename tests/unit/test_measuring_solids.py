"""Solids whose measures are known from formulas, for the tests of measuring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pricing.measuring import Measures, Options, measure, sums
from pricing.surface import Surface
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def from_faces(points: Sequence[Sequence[float]], faces: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    return np.asarray(np.array(points, dtype=np.float64)[np.array(faces)])


def box(x: float, y: float, z: float, at: tuple[float, float, float] = (0, 0, 0)) -> NDArray[np.float64]:
    points = [(i * x + at[0], j * y + at[1], k * z + at[2]) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return from_faces(points, [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))])


def tetrahedron() -> NDArray[np.float64]:
    return from_faces([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)])


def grid(points: NDArray[np.float64], *, closed: bool) -> NDArray[np.float64]:
    """Triangles over rows of points, shape (u, v, 3): v goes round, u too where it is closed."""
    rows = len(points) if closed else len(points) - 1
    a = points[:rows]
    b = np.roll(points, -1, axis=0)[:rows]
    c, d = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
    return np.concatenate([np.stack([a, b, d], axis=2), np.stack([a, d, c], axis=2)]).reshape(-1, 3, 3)


def torus(ring: float, wire: float, u: int = 96, v: int = 48) -> NDArray[np.float64]:
    s, t = np.meshgrid(np.arange(u) * 2 * np.pi / u, np.arange(v) * 2 * np.pi / v, indexing="ij")
    far = ring + wire * np.cos(t)
    return grid(np.stack([far * np.cos(s), far * np.sin(s), wire * np.sin(t)], axis=2), closed=True)


def turned(profile: Sequence[tuple[float, float]], v: int) -> NDArray[np.float64]:
    """Turn a profile of (radius, height), upwards, about z; what collapses at radius 0 is dropped."""
    t = np.arange(v) * 2 * np.pi / v
    points = np.array([[(r * math.cos(a), r * math.sin(a), z) for a in t] for r, z in profile])
    corners = grid(points, closed=False)[:, [0, 2, 1]]
    a, b, c = corners.transpose(1, 0, 2)
    return np.asarray(corners[(a != b).any(axis=1) & (b != c).any(axis=1) & (c != a).any(axis=1)])


def sphere(radius: float, rows: int = 48) -> NDArray[np.float64]:
    angles = np.linspace(-np.pi / 2, np.pi / 2, rows + 1)
    middle = [(radius * math.cos(a), radius * math.sin(a)) for a in angles[1:-1]]
    return turned([(0, -radius), *middle, (0, radius)], 2 * rows)


def summed(corners: NDArray[np.float64]) -> sums.Sums:
    origin = sums.anchor(Surface(corners))
    return sums.combine([sums.partial(chunk, origin) for chunk in sums.pieces(Surface(corners))], origin)


def of(corners: NDArray[np.float64], options: Options | None = None, unit: Unit = Unit.MILLIMETRE) -> Measures:
    return measure(Surface(corners), unit, options)


@pytest.mark.parametrize(
    ("corners", "euler"),
    [
        (box(1, 2, 3), 2),
        (tetrahedron(), 2),
        (torus(3, 1), 0),
        (sphere(1), 2),
        (turned([(0, 0), (1, 0), (0, 2)], 12), 2),
    ],
)
def test_the_solids_of_these_tests_are_closed_and_wound_outwards(corners: NDArray[np.float64], euler: int) -> None:
    found = of(corners)
    assert (found.watertight, found.wound, found.bodies, found.euler) == (True, True, 1, euler)
    assert found.volume_mm3 > 0
