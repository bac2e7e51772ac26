"""Parts placed in space: a shape may appear many times, moved, turned, mirrored, and only so many times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.loading.found import hold, too_large

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.limits import Limits


_UNMOVED: Final = np.eye(4)


class Scene:
    """Collects placed triangles; counts visits, empty ones too, so that no tree of references grows without end."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._visits = self._triangles = 0
        self._parts: list[NDArray[np.float64]] = []

    def visit(self, depth: int) -> None:
        """Count one step into a part."""
        self._visits += 1
        if depth > self._limits.depth:
            raise too_large(f"The model's parts are nested more than {self._limits.depth} deep")
        if self._visits > self._limits.instances:
            raise too_large(f"The model is made of more than {self._limits.instances:,} parts")

    def place(self, corners: NDArray[np.float64], matrix: NDArray[np.float64]) -> None:
        """Add triangles, shape (n, 3, 3), moved by a matrix, shape (4, 4), for points as columns.

        A mirroring matrix turns triangles inside out, so that they are wound back.
        """
        self._triangles += len(corners)
        hold(self._triangles, self._limits.held_triangles)
        if not len(corners):
            return
        if not np.array_equal(matrix, _UNMOVED):
            corners = _moved(corners, matrix)
        self._parts.append(corners)

    def corners(self) -> NDArray[np.float64]:
        """Return all corners, shape (n, 3, 3)."""
        if len(self._parts) == 1:
            return self._parts[0]
        return np.concatenate(self._parts) if self._parts else np.empty((0, 3, 3))


def _moved(corners: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    # Term by term, as a matrix product may round the same corner of two triangles differently, and open the surface.
    x, y, z = corners[..., 0], corners[..., 1], corners[..., 2]
    # Numbers that overflow here are found by the inspection, which names the triangle.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        moved = np.empty(corners.shape)
        for axis in range(3):
            moved[..., axis] = x * matrix[axis, 0] + y * matrix[axis, 1] + z * matrix[axis, 2] + matrix[axis, 3]
        # Not the determinant itself, which a matrix from micrometres to metres and back may bring to nought.
        return moved[:, ::-1] if np.linalg.slogdet(matrix[:3, :3]).sign < 0 else moved
