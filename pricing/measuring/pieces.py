"""What each body of a surface encloses, and whether it is a solid, a cavity, or turned inside out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.surface import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pricing.measuring.sums import Point
    from pricing.surface import Surface

# Each nested body costs a pass over the triangles; a model of more is asked about by its count of bodies.
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


def pieces_of(surface: Surface, count: int, piece: NDArray[np.int32]) -> list[Piece]:
    """Measure each of ``count`` bodies; ``piece`` names the body of every triangle, -1 for none.

    Volumes are taken from a corner of the body itself, so a small one far away keeps its digits.
    """
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
        Piece(
            int(sums[0, name]), sums[1, name] / 6, sums[2, name] / 2, _point(low[:, name]), _point(high[:, name]), depth
        )
        for name, depth in enumerate(depths)
    ]


def _depths(
    surface: Surface,
    piece: NDArray[np.int32],
    origins: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> list[int | None]:
    """Return each body's depth in the others; only those whose box lies inside another's box are worked out."""
    inside = [
        bool(((low <= low[:, [name]]) & (high >= high[:, [name]])).all(axis=0).sum() > 1)
        for name in range(len(origins))
    ]
    if sum(inside) > NESTED:
        return [None if nested else 0 for nested in inside]
    return [_depth(surface, piece, name, origins[name]) if inside[name] else 0 for name in range(len(origins))]


def _depth(surface: Surface, piece: NDArray[np.int32], name: int, at: NDArray[np.float64]) -> int:
    """Return the winding number of all bodies but ``name`` around a point.

    Sum of signed solid angles: van Oosterom and Strackee, "The solid angle of a plane triangle", IEEE Transactions on
    Biomedical Engineering 30 (1983).
    """
    total = 0.0
    for corners, names in _chunks(surface, piece):
        a, b, c = (corners[names != name] - at).transpose(1, 2, 0)
        x, y, z = (np.sqrt((side * side).sum(axis=0)) for side in (a, b, c))
        volume = (a * np.cross(b, c, axis=0)).sum(axis=0)
        cosine = x * y * z + (a * b).sum(axis=0) * z + (b * c).sum(axis=0) * x + (c * a).sum(axis=0) * y
        total += float(np.arctan2(volume, cosine).sum())
    return round(total / (2 * math.pi))


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
