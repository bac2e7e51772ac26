"""Bodies that cut through themselves: how much of the volume is counted twice, or taken away, for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.repairing.mesh import Mesh

# Rays across the longer side, the finest grid first; a coarser one where large triangles would make it too much work.
GRIDS: Final = (96, 48, 24)
CANDIDATES: Final = 1_500_000
# Rays stand in their cells where no design has its symmetry.
OFFSET: Final = (0.5317, 0.4621)


def miscounted(mesh: Mesh) -> float:
    """Return about how much volume a closed mesh encloses more than once or less than not at all, in its unit cubed.

    Rays upwards through a fixed grid; along each, the winding number after every crossing is the sum of the crossings'
    signs. What it exceeds one by, or falls short of zero by, times the length and the cell's area. The error is that of
    a sum over the grid: a few per cent of the result where it spans ten cells, all of it where it is thinner than one.
    Rays that meet the rim of a triangle, and so do not end outside, are left out. Bounded: 0 where even the coarsest
    grid would have more than ``CANDIDATES`` pairs of rays and boxes of triangles.
    """
    flat = mesh.corners[:, :, :2]
    low = flat.min(axis=(0, 1))
    side = float((flat.max(axis=(0, 1)) - low).max())
    for rays in GRIDS:
        scaled = (flat - low) * (rays / side) - np.array(OFFSET)
        first = np.ceil(scaled.min(axis=1)).astype(np.int64)
        spans = np.maximum(np.floor(scaled.max(axis=1)).astype(np.int64) - first + 1, 0)
        hits = spans.prod(axis=1)
        if hits.sum() <= CANDIDATES:
            break
    else:
        return 0.0
    triangle = np.repeat(np.arange(len(hits)), hits)
    within = np.arange(len(triangle)) - np.repeat(np.cumsum(hits) - hits, hits)
    ray = first[triangle] + np.stack((within // spans[triangle, 1], within % spans[triangle, 1]), axis=1)
    return _excess(*_crossings(mesh, scaled, triangle, ray)) * (side / rays) ** 2


def _crossings(
    mesh: Mesh, scaled: NDArray[np.float64], triangle: NDArray[np.int64], ray: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return ray, height and sign of every crossing, by ray and height; +1 where the ray enters the metal."""
    corners = scaled[triangle] - ray[:, None, :]
    ahead = np.roll(corners, -1, axis=1)
    # Twice the area over each side as seen from the ray; weights of the opposite corners.
    weights = np.roll(corners[:, :, 0] * ahead[:, :, 1] - corners[:, :, 1] * ahead[:, :, 0], -1, axis=1)
    met = (weights > 0).all(axis=1) | (weights < 0).all(axis=1)
    weights, triangle, ray = weights[met], triangle[met], ray[met]
    total = weights.sum(axis=1)
    height = np.einsum("ij,ij->i", weights, mesh.corners[triangle][:, :, 2]) / total
    number = ray[:, 0] * (GRIDS[0] + 2) + ray[:, 1]
    order = np.lexsort((height, number))
    return number[order], height[order], np.where(total > 0, -1, 1)[order]


def _excess(ray: NDArray[np.int64], height: NDArray[np.float64], sign: NDArray[np.int64]) -> float:
    """Return the length, summed over rays, that is enclosed more than once or less than not at all."""
    if not len(ray):
        return 0.0
    winding = np.cumsum(sign)
    last = np.flatnonzero(np.append(ray[1:] != ray[:-1], [True]))
    before = np.concatenate(([0], winding[last[:-1]]))
    size = np.diff(np.concatenate(([-1], last)))
    winding -= np.repeat(before, size)
    whole = np.repeat(winding[last] == 0, size)
    reach = np.where(np.append(ray[1:] == ray[:-1], [False]), np.append(np.diff(height), [0.0]), 0.0)
    return float((reach * whole * (np.maximum(winding - 1, 0) + np.maximum(-winding, 0))).sum())
