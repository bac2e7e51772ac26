"""What each body of a surface encloses, and whether it is a solid, a cavity, or turned inside out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.measuring.crossings import enclosing
from pricing.measuring.topology import proper
from pricing.surface import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pricing.measuring.mesh import Mesh
    from pricing.measuring.sums import Point, Sums
    from pricing.surface import Surface

# Each nested body may meet every triangle once; a model of more is asked about by its count of bodies.
NESTED: Final = 64


@dataclass(frozen=True)
class Piece:
    """One body in the model's unit.

    ``depth``: how many times the other bodies enclose its first corner (their winding number there), None where it was
    not asked because too many bodies lie in others' boxes.
    """

    triangles: int
    volume: float
    area: float
    low: Point
    high: Point
    depth: int | None


def pieces_of(surface: Surface, mesh: Mesh, total: Sums) -> list[Piece]:
    """Measure each body of a surface, given by its points too, whose sums are ``total``.

    Volumes are taken from a corner of the body itself, so a small one far away keeps its digits.
    """
    piece = mesh.proper.pieces
    count = int(piece.max(initial=-1)) + 1
    if count == 1 and mesh.proper is mesh:
        return [Piece(total.triangles, total.volume, total.area, total.low, total.high, 0)]
    if mesh.proper is not mesh:
        kept, piece = proper(mesh.faces), np.full(len(mesh.faces), -1, dtype=np.int32)
        piece[kept] = mesh.proper.pieces
    first = np.full(count, len(piece), dtype=np.int64)
    for begin in reversed(range(0, len(piece), CHUNK)):
        names, at = np.unique(piece[begin : begin + CHUNK], return_index=True)
        first[names[names >= 0]] = begin + at[names >= 0]
    origins = surface.corners[first, 0].astype(np.float64)
    sums = np.zeros((3, count))
    low, high = np.full((3, count), math.inf), np.full((3, count), -math.inf)
    for corners, names in _chunks(surface, piece):
        a, b, c = corners.transpose(1, 2, 0)
        normal = np.cross(b - a, c - a, axis=0)
        terms = (np.ones(len(names)), ((a - origins[names].T) * normal).sum(axis=0), np.sqrt((normal**2).sum(axis=0)))
        for row, term in enumerate(terms):
            sums[row] += np.bincount(names, term, minlength=count)
        for axis in range(3):
            np.minimum.at(low[axis], names, np.minimum(np.minimum(a[axis], b[axis]), c[axis]))
            np.maximum.at(high[axis], names, np.maximum(np.maximum(a[axis], b[axis]), c[axis]))
    depths = _depths(surface, piece, origins, low, high)
    return [
        Piece(int(triangles), volume / 6, area / 2, _point(low[:, name]), _point(high[:, name]), depths[name])
        for name, (triangles, volume, area) in enumerate(sums.T.tolist())
    ]


def _depths(
    surface: Surface,
    piece: NDArray[np.int32],
    origins: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> list[int | None]:
    """Return each body's depth in the others; only those whose box lies inside another's box are worked out."""
    nested = [
        name
        for name in range(len(origins))
        if ((low <= low[:, [name]]) & (high >= high[:, [name]])).all(axis=0).sum() > 1
    ]
    found: list[int | None] = [0] * len(origins)
    if nested:
        known = len(nested) <= NESTED
        own = np.array(nested)
        depths = enclosing(_chunks(surface, piece), origins[own], own).tolist() if known else [None] * len(nested)
        for name, depth in zip(nested, depths, strict=True):
            found[name] = depth
    return found


def _chunks(surface: Surface, piece: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int32]]]:
    """Yield the triangles that belong to a body, and the bodies' numbers."""
    begin = 0
    for chunk in surface.chunks():
        names = piece[begin : begin + len(chunk)]
        begin += len(chunk)
        kept = names >= 0
        yield (chunk, names) if kept.all() else (chunk[kept], names[kept])


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = values.tolist()
    return x, y, z
