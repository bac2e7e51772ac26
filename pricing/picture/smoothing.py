"""Round surfaces made of few triangles look round: a corner's normal is that of all faces that meet there smoothly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Faces that meet at more than this are an edge, and stay one.
CREASE: Final = round(math.cos(math.radians(40)), 9)
# Corners are the same point where they agree to this part of the box; three of them fit into one number.
GRID: Final = float(1 << 20)
# Faces at a corner that are compared with each other; at the tip of a cone there may be thousands.
MOST_FACES: Final = 24
# Weights are summed as whole numbers: in any order they come to the same.
WEIGHT: Final = float(1 << 44)


def corner_normals(small: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normals at the corners of triangles, shape (k, 3 corners, 3 axes); not of length 1.

    ``small``: (3 corners, 3 axes, k), from -1 to 1. Faces weigh by their area.
    """
    a, b = small[1] - small[0], small[2] - small[0]
    cross = np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
    length = np.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
    unit = np.divide(cross, length, out=np.zeros_like(cross), where=length > 0)
    weight = np.rint(cross * WEIGHT).astype(np.int64)
    point, order = _points(small, weight)
    face = order % weight.shape[1]
    # Faces of one point lie side by side from here on: each is compared with the next, the next but one, and so on.
    unit, weight = np.take(unit, face, axis=1), np.take(weight, face, axis=1)
    total = weight.copy()
    for apart in range(1, MOST_FACES):
        one = np.flatnonzero(point[apart:] == point[:-apart])
        if not len(one):
            break
        x, y, z = np.take(unit, one, axis=1) * np.take(unit, one + apart, axis=1)
        one = one[x + y + z > CREASE]
        other = one + apart
        for axis in range(3):
            total[axis][one] += weight[axis][other]
            total[axis][other] += weight[axis][one]
    normals = np.empty((3, total.shape[1]))
    normals[:, order] = total
    return normals.reshape(3, 3, -1).transpose(2, 1, 0)


def _points(small: NDArray[np.float64], weight: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the points of all corners in order, and which corners those are: every first one, then every second.

    Where more faces meet than are compared, their order counts: it is that of their weights, not that of the file.
    """
    x, y, z = np.rint((small.transpose(1, 0, 2) + 1) * (GRID / 2)).astype(np.int64)
    key = ((x << 42) | (y << 21) | z).reshape(-1)
    order = np.argsort(key)
    if (key[order[MOST_FACES:]] == key[order[:-MOST_FACES]]).any():
        tie = np.tile(weight[0] * 3 + weight[1] * 5 + weight[2] * 7, 3)
        order = np.lexsort((tie, key))
    return key[order], order
