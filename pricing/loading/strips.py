"""Triangle strips and fans, as graphics hardware draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def strip_triangles(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the triangles, shape (n, 3), of strips parted by -1.

    Every second one of a strip is turned, so that all face one side. Triangles that name a vertex twice only steer the
    strip: they are left out.
    """
    if len(indices) < 3:
        return np.empty((0, 3), np.int64)
    triangles = np.lib.stride_tricks.sliding_window_view(indices, 3).copy()
    places = np.arange(len(indices))
    begins = np.maximum.accumulate(np.where(indices == -1, places + 1, 0))[: len(triangles)]
    odd = (places[: len(triangles)] - begins) % 2 == 1
    triangles[odd] = triangles[odd][:, [1, 0, 2]]
    a, b, c = triangles.T
    sound = (a != b) & (b != c) & (a != c) & (triangles != -1).all(axis=1)
    return np.asarray(triangles[sound])


def fan_triangles(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a fan's triangles, shape (n - 2, 3)."""
    if len(indices) < 3:
        return np.empty((0, 3), np.int64)
    first = np.full(len(indices) - 2, indices[0])
    return np.stack([first, indices[1:-1], indices[2:]], axis=1)
