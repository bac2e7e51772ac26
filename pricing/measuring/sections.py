"""Triangles cut by planes across an axis: the kernel under layers, walls and depths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Cuts at a time: bounds memory (about 200 bytes a cut) where few triangles cross many planes.
CUTS: Final = 131_072
# Cuts of one model, some two seconds of work: steps widen where triangles are so many and so long that it took more.
MOST_CUTS: Final = 10_000_000


@dataclass(frozen=True)
class Planes:
    """``count`` planes across an axis (0 to 2), the lowest at ``first``, ``step`` apart."""

    axis: int
    first: float
    step: float
    count: int

    def above(self, heights: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the first plane at or above each height, ``count`` where there is none.

        The one rule that decides what is cut: an edge is cut by the planes from its lower end's up to, not including,
        its upper end's. So a plane through a vertex is cut by the edges that go on above it only, and each edge is
        cut alike for both of its triangles, also where the division rounds.
        """
        return np.clip(np.ceil((heights - self.first) / self.step), 0, self.count).astype(np.int32)

    def height(self, plane: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the heights of planes, given by number."""
        return np.asarray(self.first + self.step * plane, dtype=np.float64)


@dataclass(frozen=True)
class Heights:
    """Planes across an axis at any heights ``at``, in ascending order; else as ``Planes``."""

    axis: int
    at: NDArray[np.float64]

    def above(self, heights: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the first plane at or above each height, by the same rule."""
        return np.searchsorted(self.at, heights).astype(np.int32)

    def height(self, plane: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the heights of planes, given by number."""
        return self.at[plane]


@dataclass(frozen=True)
class Cuts:
    """Segments in which triangles meet planes, inside on their left seen from above.

    ``plane`` and ``face`` are indices; ``start`` and ``end`` hold the two further axes in cyclic order, shape (2, k).
    """

    plane: NDArray[np.int64]
    face: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


def cut(corners: NDArray[np.float64], planes: Planes | Heights) -> Iterator[Cuts]:
    """Cut triangles, shape (k, 3, 3), by all planes at once; yields some ``CUTS`` segments at a time.

    Both ends of a segment are found from the lower to the upper end of an edge, so neighbouring triangles find the
    same digits and outlines close exactly. Fastest where the last axis of ``corners`` is the slowest in memory.
    """
    ranks = planes.above(corners[:, :, planes.axis].T)
    crossing = np.flatnonzero((ranks[0] != ranks[1]) | (ranks[1] != ranks[2]))
    ranks = ranks[:, crossing] * 4
    # Rank and corner in one number: three comparisons sort the corners of all triangles by height.
    a, b, c = ranks[0], ranks[1] + 1, ranks[2] + 2
    a, b = np.minimum(a, b), np.maximum(a, b)
    b, c = np.minimum(b, c), np.maximum(b, c)
    a, b = np.minimum(a, b), np.maximum(a, b)
    ends = np.cumsum((c >> 2) - (a >> 2), dtype=np.int64)
    begin = 0
    while begin < len(crossing):
        done = int(ends[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(ends, done + CUTS, side="right")), begin + 1)
        here = slice(begin, end)
        yield _expanded(corners, planes, crossing[here], (a[here], b[here], c[here]))
        begin = end


def _expanded(
    corners: NDArray[np.float64],
    planes: Planes | Heights,
    faces: NDArray[np.int64],
    ranked: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]],
) -> Cuts:
    """Cut triangles, given the rank and corner of their lowest, middle and highest corner."""
    low, middle, high = ranked
    lowest = low >> 2
    counts = (high >> 2) - lowest
    row = np.repeat(np.arange(len(faces)), counts)
    plane = np.arange(len(row)) + (lowest - (np.cumsum(counts) - counts))[row]
    height = planes.height(plane)
    # Three coordinates of three corners by height, the cut axis first: shape (3 coordinates, 3 corners, k).
    points = np.empty((3, 3, len(faces)))
    for place, rank in enumerate(ranked):
        corner = rank & 3
        for ahead in range(3):
            points[ahead, place] = corners[faces, corner, (planes.axis + ahead) % 3]
    flat = points.reshape(3, -1)
    long = _between(flat, row, row + 2 * len(faces), height)
    lower = np.where(plane >= (middle >> 2)[row], row + len(faces), row)
    short = _between(flat, lower, lower + len(faces), height)
    # Where the corners by height do not follow each other as in the triangle, the segment runs the other way.
    turns = ((middle & 3) == ((low & 3) + 1) % 3)[row]
    return Cuts(plane, faces[row], np.where(turns, long, short), np.where(turns, short, long))


def _between(
    points: NDArray[np.float64], lower: NDArray[np.int64], upper: NDArray[np.int64], height: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where edges from ``lower`` to ``upper`` points pass ``height``, the two further axes."""
    begin = points[:, lower]
    run = points[:, upper] - begin
    # The share may leave 0 to 1 by the rounding of heights, far where an edge rises by no more than that.
    share = np.clip((height - begin[0]) / run[0], 0.0, 1.0)
    passed: NDArray[np.float64] = begin[1:] + run[1:] * share
    return passed
