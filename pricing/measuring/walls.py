"""The thinnest wall and the narrowest gap, sampled by rays along the three axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pricing.measuring.sections import MOST_CUTS, Planes, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from pricing.measuring.sums import Point, Sums

# Two sides make a wall where their normals are opposite within 20 degrees; a wedge has no thickness at its edge.
OPPOSITE: Final = -math.cos(math.radians(20))
# How far, in steps, a wall's thinnest place may lie from the nearest ray: half a diagonal of the lattice, on a side as
# oblique as a side can be to the axis that it faces most, 1 / sqrt(3).
NEAREST: Final = math.sqrt(1 / 2) * math.sqrt(3)
# A wall is left to the axis that it faces most, at a cosine of at least 1 / sqrt(3): a ray that grazes it multiplies
# the error of its facets. A little less, for facets that lie on either side of that.
FACING: Final = 0.55
# Hits are sorted together, at some 100 bytes each; the 192 rays across a plain solid make less than a tenth of it.
MOST_HITS: Final = 2_000_000
# Sides nearer than this, in steps, touch: faces of two bodies in one place, told apart by rounding alone.
TOUCHING: Final = 1e-6
# Where the lattice starts, as a share of its step: the golden section keeps rays off the symmetries of models.
OFFSET: Final = (3 - math.sqrt(5)) / 2


COLUMNS: Final = ("ray", "depth", "turn", "normal")


@dataclass(frozen=True)
class Hits:
    """Where rays along one axis meet the triangles of a chunk.

    ``ray``: its number; ``turn``: 1 where it goes in, -1 where it comes out; ``normal``: outward, of length 1, (k, 3).
    """

    ray: NDArray[np.int32]
    depth: NDArray[np.float64]
    turn: NDArray[np.int8]
    normal: NDArray[np.float64]

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """The arrays in the order of ``COLUMNS``."""
        return self.ray, self.depth, self.turn, self.normal


@dataclass(frozen=True)
class Distance:
    """A distance between opposite sides, by how much it may be off, and the middle between them."""

    length: float
    error: float
    at: Point


@dataclass(frozen=True)
class Thinnest:
    """The thinnest wall and the narrowest gap found, None where there was none; ``samples``: walls looked at.

    ``miscounted``: about how much volume is enclosed more than once or less than not at all.
    """

    wall: Distance | None
    gap: Distance | None
    samples: int
    miscounted: float


@dataclass(frozen=True)
class Lattice:
    """Rays ``step`` apart along each axis, ``first`` and ``count`` per axis."""

    step: float
    first: Point
    count: tuple[int, int, int]

    def planes(self, axis: int) -> Planes:
        """Return the planes of the lattice across an axis."""
        return Planes(axis, self.first[axis], self.step, self.count[axis])


def lattice(total: Sums, across: int) -> Lattice:
    """Lay ``across`` rays over the longest side of the box, fewer where that makes too many cuts or hits.

    An area is hit as often as its three shadows, at most sqrt(3) of it together, hold lattice points.
    """
    sides = [top - bottom for bottom, top in zip(total.low, total.high, strict=True)]
    hits = math.sqrt(math.sqrt(3) * total.area / MOST_HITS)
    step = max(max(sides) / across, sum(total.spans) / MOST_CUTS, hits) or 1.0
    x, y, z = (bottom + OFFSET * step for bottom in total.low)
    i, j, k = (math.ceil(side / step) for side in sides)
    return Lattice(step, (x, y, z), (i, j, k))


def partial(corners: NDArray[np.float64], rays: Lattice, outward: int) -> tuple[Hits, Hits, Hits]:
    """Meet one chunk with the rays along x, y and z. ``outward``: -1 for a surface turned inside out, else 1."""
    x, y, z = (_hits(corners, rays, axis, outward) for axis in range(3))
    return x, y, z


def combine(partials: Iterable[tuple[Hits, Hits, Hits]], rays: Lattice) -> Thinnest:
    """Find the thinnest wall and the narrowest gap on all rays.

    Material lies from where a ray enters the first body to where it has left all that it entered, so bodies that
    overlap are one; between lies a gap. Only of a surface that is closed and wound one way. The distance is that along
    the ray times the cosine to the line midway between the two normals: exact for parallel sides, at most 1.5 % too
    small across a straight round wire, some 10 % across one bent as sharply as a small ring, and what facets take off.
    """
    parts = list(partials)
    walls: list[Distance] = []
    gaps: list[Distance] = []
    samples = 0
    miscounted = []
    for axis in range(3):
        hits = _sorted(joined([part[axis] for part in parts]))
        # A closed surface is left as often as it is entered, on every ray: one running count serves them all.
        nested = np.cumsum(hits.turn, dtype=np.int32)
        enters = np.flatnonzero((hits.turn > 0) & (nested == 1))
        leaves = np.flatnonzero((hits.turn < 0) & (nested == 0))
        open_air = hits.ray[leaves[:-1]] == hits.ray[enters[1:]]
        walls += _least(hits, enters, leaves, rays, axis)
        gaps += _least(hits, leaves[:-1][open_air], enters[1:][open_air], rays, axis)
        samples += len(enters)
        odd = np.flatnonzero((nested > 1) | (nested < 0))  # the last hit of a ray is at 0
        over = np.maximum(nested[odd] - 1, -nested[odd])
        miscounted.append(float((over * (hits.depth[odd + 1] - hits.depth[odd])).sum()) * rays.step**2)
    return Thinnest(_shortest(walls), _shortest(gaps), samples, sum(miscounted) / 3)


def joined(parts: Sequence[Hits]) -> Hits:
    """Return the hits of several chunks in their order."""
    ray, depth, turn, normal = (
        np.concatenate(column) for column in zip(*(part.columns for part in parts), strict=True)
    )
    return Hits(ray, depth, turn, normal)


def _hits(corners: NDArray[np.float64], rays: Lattice, axis: int, outward: int) -> Hits:
    """Cut the chunk into rows across the next axis, and each segment by the lattice on the axis after that."""
    across = rays.planes((axis + 2) % 3)
    found: list[tuple[NDArray[Any], ...]] = []
    for cuts in cut(corners, rays.planes((axis + 1) % 3)):
        begin, end = across.above(cuts.start[0]), across.above(cuts.end[0])
        low = np.minimum(begin, end)
        counts = np.abs(end - begin)
        row = np.repeat(np.arange(len(low)), counts)
        column = np.arange(len(row)) + np.repeat(low - (np.cumsum(counts) - counts), counts)
        start, stop = cuts.start[:, row], cuts.end[:, row]
        share = np.clip((across.first + across.step * column - start[0]) / (stop[0] - start[0]), 0.0, 1.0)
        ray, depth = cuts.plane[row] * across.count + column, start[1] + (stop[1] - start[1]) * share
        # The inside is on a segment's left: on the far side of one that runs up the lattice.
        found.append((ray, depth, outward * np.sign(end - begin)[row].astype(np.int8), cuts.face[row]))
    if not found:
        return Hits(np.empty(0, np.int32), np.empty(0), np.empty(0, np.int8), np.empty((0, 3)))
    ray, depth, turn, face = (np.concatenate(column) for column in zip(*found, strict=True))
    return Hits(ray.astype(np.int32), depth, turn, outward * _normals(corners[face]))


def _normals(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.sqrt((normal * normal).sum(axis=1, keepdims=True))
    return normal / np.where(length > 0, length, 1.0)


def _sorted(hits: Hits) -> Hits:
    order = np.lexsort((hits.depth, hits.ray))
    return Hits(hits.ray[order], hits.depth[order], hits.turn[order], hits.normal[order])


def _least(hits: Hits, first: NDArray[np.int64], last: NDArray[np.int64], rays: Lattice, axis: int) -> list[Distance]:
    """Return the least distance between hits ``first`` and ``last`` that are opposite, as a list of 0 or 1."""
    opposite = (hits.normal[first] * hits.normal[last]).sum(axis=1) < OPPOSITE
    first, last = first[opposite], last[opposite]
    between = hits.normal[first] - hits.normal[last]
    spread = np.sqrt((between * between).sum(axis=1))
    facing = np.abs(between[:, axis]) / spread
    distance = (hits.depth[last] - hits.depth[first]) * facing
    apart = (distance > TOUCHING * rays.step) & (facing > FACING)
    if not apart.any():
        return []
    best = int(np.where(apart, distance, np.inf).argmin())
    length, at, end = float(distance[best]), int(first[best]), int(last[best])
    # Half the difference of unit normals has the length of the cosine of half the angle by which they are not opposite.
    cosine = min(1.0, float(spread[best]) / 2)
    sine = math.sqrt(1 - cosine * cosine)
    oblique = math.sqrt(max(0.0, 1 / float(facing[best]) ** 2 - 1))
    # Across sides that are not parallel thickness depends on where it is taken; and they run on, to the next ray.
    error = length * (1 - cosine + oblique * sine) + 2 * sine / cosine * NEAREST * rays.step
    plane, column = divmod(int(hits.ray[at]), rays.count[(axis + 2) % 3])
    place = [0.0, 0.0, 0.0]
    place[axis] = float(hits.depth[at] + hits.depth[end]) / 2
    place[(axis + 1) % 3] = rays.first[(axis + 1) % 3] + rays.step * plane
    place[(axis + 2) % 3] = rays.first[(axis + 2) % 3] + rays.step * column
    return [Distance(length, error, (place[0], place[1], place[2]))]


def _shortest(distances: list[Distance]) -> Distance | None:
    return min(distances, key=lambda distance: distance.length, default=None)
