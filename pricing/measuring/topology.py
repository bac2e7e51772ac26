"""Edges and bodies of a welded surface: is it closed, is it wound one way, how many pieces is it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.measuring.sums import Point
    from pricing.measuring.welding import Welded

# Enough to mark the spots on a picture; a torn model has thousands.
SHOWN: Final = 16


@dataclass(frozen=True)
class Edges:
    """How triangles meet. Triangles with two corners in one place have no inside and are left out (``collapsed``).

    ``open`` edges have one triangle, ``crowded`` ones more than two, ``unpaired`` ones are not run through as often
    one way as the other. The spots are midpoints of some of them (always the same), in the model's unit.
    """

    edges: int
    open: int
    crowded: int
    unpaired: int
    collapsed: int
    open_at: tuple[Point, ...]
    crowded_at: tuple[Point, ...]
    unpaired_at: tuple[Point, ...]

    @property
    def closed(self) -> bool:
        """Whether every edge has exactly two triangles. One with four may be two solids or one that touches itself."""
        return bool(self.edges) and not self.open and not self.crowded

    @property
    def watertight(self) -> bool:
        """Whether it is closed with no collapsed triangle to leave out: what trimesh calls so after merging."""
        return self.closed and not self.collapsed

    @property
    def consistently_wound(self) -> bool:
        """Whether each edge is run as often one way as the other: then the volume does not hang on the origin."""
        return bool(self.edges) and not self.unpaired


def edges(welded: Welded) -> Edges:
    """Count the edges by how many triangles share them, and in which direction. Sorts 24 bytes a triangle in place."""
    faces = welded.faces[proper(welded)]
    keys = np.empty((3, len(faces)), dtype=np.uint64)
    for side in range(3):
        begin = faces[:, side].astype(np.uint64)
        end = faces[:, (side + 1) % 3].astype(np.uint64)
        # The smaller vertex, the larger one, and the direction in the lowest bit.
        keys[side] = np.minimum(begin, end) << np.uint64(32) | np.maximum(begin, end) << np.uint64(1) | (begin < end)
    flat = keys.reshape(-1)
    flat.sort()
    pairs = flat >> np.uint64(1)
    first = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1]))) if len(flat) else np.empty(0, np.int64)
    shared = np.diff(first, append=len(flat))
    forward = np.add.reduceat(flat & np.uint64(1), first).astype(np.int64) if len(flat) else shared
    pairs = pairs[first]
    few, many, odd = shared == 1, shared > 2, 2 * forward != shared
    return Edges(
        edges=len(first),
        open=int(few.sum()),
        crowded=int(many.sum()),
        unpaired=int(odd.sum()),
        collapsed=len(welded.faces) - len(faces),
        open_at=_midpoints(welded, pairs[few]),
        crowded_at=_midpoints(welded, pairs[many]),
        unpaired_at=_midpoints(welded, pairs[odd]),
    )


def proper(welded: Welded) -> NDArray[np.bool_]:
    """Tell which triangles have three different vertices."""
    a, b, c = welded.faces.T
    different: NDArray[np.bool_] = (a != b) & (b != c) & (c != a)
    return different


def bodies(welded: Welded) -> tuple[int, NDArray[np.int32]]:
    """Return how many pieces hang together by vertices, and the piece of each triangle, -1 for collapsed ones.

    Pieces are numbered by their first triangle. Connected components by hooking each root to the smallest neighbour
    and halving paths (Shiloach and Vishkin, "An O(log n) parallel connectivity algorithm", 1982).
    """
    kept = proper(welded)
    label = np.arange(welded.vertices, dtype=np.int32)
    loose = welded.faces[kept]
    while len(loose):
        smallest = loose.min(axis=1)
        for side in range(3):
            np.minimum.at(label, loose[:, side], smallest)
        _shorten(label)
        loose = label[loose]
        loose = loose[(loose[:, 0] != loose[:, 1]) | (loose[:, 1] != loose[:, 2])]
    roots, first, piece = np.unique(label[welded.faces[kept, 0]], return_index=True, return_inverse=True)
    rank = np.empty(len(roots), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(roots), dtype=np.int32)
    pieces = np.full(len(welded.faces), -1, dtype=np.int32)
    pieces[kept] = rank[piece]
    return len(roots), pieces


def euler(welded: Welded, edge_count: int) -> int:
    """Return vertices - edges + triangles of the proper triangles: 2 for each sphere-like piece, 0 for a ring."""
    faces = welded.faces[proper(welded)]
    used = np.zeros(welded.vertices, dtype=np.bool_)
    used[faces] = True
    return int(used.sum()) - edge_count + len(faces)


def _shorten(label: NDArray[np.int32]) -> None:
    while True:
        further = label[label]
        if np.array_equal(further, label):
            return
        label[:] = further


def _midpoints(welded: Welded, pairs: NDArray[np.uint64]) -> tuple[Point, ...]:
    pairs = pairs[:SHOWN]
    begin = welded.points((pairs >> np.uint64(31)).astype(np.int64))
    end = welded.points((pairs & np.uint64(0x7FFFFFFF)).astype(np.int64))
    return tuple((float(x), float(y), float(z)) for x, y, z in begin / 2 + end / 2)
