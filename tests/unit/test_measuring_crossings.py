"""How often bodies enclose points, by the crossings of a ray, against solid angles and on rays through corners."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pricing.measuring.crossings import enclosing
from tests.unit.test_measuring_solids import box, sphere, torus

if TYPE_CHECKING:
    from numpy.typing import NDArray


def around(corners: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Ask about points that belong to no body, in chunks of 100 triangles."""
    names = np.zeros(100, dtype=np.int32)
    chunks = ((corners[begin : begin + 100], names) for begin in range(0, len(corners), 100))
    return enclosing(chunks, points, np.full(len(points), -1))


def solid_angle(corners: NDArray[np.float64], point: NDArray[np.float64]) -> int:
    """Return the winding number by solid angles (van Oosterom and Strackee, IEEE Trans. Biomed. Eng. 30, 1983)."""
    a, b, c = (corners - point).transpose(1, 0, 2)
    x, y, z = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    volume = (a * np.cross(b, c)).sum(axis=1)
    cosine = x * y * z + (a * b).sum(axis=1) * z + (b * c).sum(axis=1) * x + (c * a).sum(axis=1) * y
    return round(float(np.arctan2(volume, cosine).sum()) / (2 * math.pi))


@pytest.mark.parametrize(
    "corners",
    [
        torus(3, 1),
        sphere(2)[:, ::-1],
        np.concatenate([sphere(3), sphere(2)[:, ::-1], box(2, 2, 2, at=(-1, -1, -1)), torus(2, 1)]),
    ],
)
def test_crossings_give_the_winding_number_of_solid_angles(corners: NDArray[np.float64]) -> None:
    points = np.random.default_rng(5).uniform(-4, 4, (300, 3))
    found = around(corners, points)
    assert found.tolist() == [solid_angle(corners, point) for point in points]
    assert len(set(found.tolist())) > 1


def test_rays_through_corners_and_along_sides_count_once() -> None:
    """Boxes in a grid share the coordinates of the points: every ray meets edges, corners and faces edge-on."""
    corners = np.concatenate([box(2, 2, 2), box(2, 2, 2, at=(4, 0, 0)), box(8, 8, 8, at=(-1, -1, -1))])
    points = np.stack(np.meshgrid(*[np.arange(-3.0, 9.0)] * 3), axis=-1).reshape(-1, 3)
    points = points[(np.isin(points[:, 2], [-3, -2, 1, 3, 4, 5, 8]))]
    low, high = np.array([[0, 0, 0], [4, 0, 0], [-1, -1, -1]]), np.array([[2, 2, 2], [6, 2, 2], [7, 7, 7]])
    # On a side the point is taken for one a little further along x and y.
    held = (points[:, None] >= low) & (points[:, None] < high)
    assert around(corners, points).tolist() == held.all(axis=2).sum(axis=1).tolist()


def test_a_body_does_not_enclose_its_own_points() -> None:
    corners = np.concatenate([sphere(1), sphere(3)])
    names = np.repeat(np.array([0, 1], dtype=np.int32), len(corners) // 2)
    points = np.array([[2.0, 0.1, 0.1], [0.5, 0.1, 0.1], [0.5, 0.1, 0.1], [0.5, 0.1, 0.1]])
    found = enclosing([(corners, names)], points, np.array([0, 0, 1, -1]))
    assert found.tolist() == [1, 1, 1, 2]


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e100])
def test_the_smallest_and_the_largest_bodies_enclose_their_middles(size: float) -> None:
    found = around(box(1, 1, 1) * size, np.array([[0.4, 0.3, 0.5], [0.4, 0.3, 1.5]]) * size)
    assert found.tolist() == [1, 0]
