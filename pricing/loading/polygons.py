"""Polygons into triangles: a fan where that is right, ears cut off one by one where a polygon is concave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.loading.ears import Ears
from pricing.loading.found import hold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pricing.limits import Limits

# Corners of polygons that are looked at in one go: bounds the memory of the vectors between.
BLOCK: Final = 1 << 18


def triangulate(
    vertices: NDArray[np.float64], indices: NDArray[np.int64], sizes: NDArray[np.int64], limits: Limits
) -> tuple[NDArray[np.float64], list[str]]:
    """Return the corners, shape (n, 3, 3), of polygons, with notes on those that could not be cut cleanly.

    ``vertices``: shape (v, 3); ``indices``: the polygons' corners one after another; ``sizes``: corners of each, >= 3.
    A convex polygon becomes a fan from its first corner, as other programs do it: a bent quad gets the same fold.
    """
    hold(int((sizes - 2).sum()), limits.held_triangles)
    if (sizes == 3).all():
        return vertices[indices.reshape(-1, 3)], []
    starts = np.cumsum(sizes) - sizes
    ears = Ears()
    parts: list[NDArray[np.int64]] = []
    for size in np.unique(sizes).tolist():
        at = starts[sizes == size]
        for block in np.array_split(at, -(-len(at) * size // BLOCK)):
            parts.extend(_cut(vertices, indices[block[:, None] + np.arange(size)], ears))
    triangles = np.concatenate(parts)
    note = f"Faces that cross themselves or are bent: {ears.crossed:,}; their area may be off."
    return vertices[triangles], [note] if ears.crossed else []


def _cut(vertices: NDArray[np.float64], faces: NDArray[np.int64], ears: Ears) -> Iterator[NDArray[np.int64]]:
    """Yield triangles, shape (n, 3), of polygons of one size, shape (k, size)."""
    size = faces.shape[1]
    if size == 3:
        yield faces
        return
    # The fan from the second corner is the other diagonal of a quad: no quad needs more.
    for _ in range(2):
        good = _fans_well(vertices[faces])
        yield _fan(faces[good])
        faces = np.roll(faces[~good], -1, axis=1)
    for face in faces:
        yield face[np.array(ears.cut(vertices[face]))]


def _fan(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    later = faces[:, 1:]
    first = np.broadcast_to(faces[:, :1], (len(faces), later.shape[1] - 1))
    return np.stack([first, later[:, :-1], later[:, 1:]], axis=2).reshape(-1, 3)


def _fans_well(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of polygons, shape (k, size, 3), whether no triangle of their fan faces backward."""
    with np.errstate(over="ignore", invalid="ignore"):
        spokes = points[:, 1:] - points[:, :1]
        normals = np.cross(spokes[:, :-1], spokes[:, 1:])
        whole = normals.sum(axis=1)
        facing = np.einsum("kij,kj->ki", normals, whole)
        slack = 1e-9 * np.einsum("kj,kj->k", whole, whole)
        return np.asarray(~(facing < -slack[:, None]).any(axis=1))
