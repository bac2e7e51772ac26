"""A surface by the numbers of its points, so that it is known which triangles meet at an edge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Odd multipliers (from SplitMix64) that mix the bits of three coordinates into one key to sort by.
MIX: Final = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


@dataclass(frozen=True)
class Edges:
    """Which edges there are. Side i of the surface belongs to triangle i // 3 and runs from ``start`` to ``end``.

    ``edge``: the number of the edge that a side lies on, shape (3n,). By edge: ``valence`` counts its sides, ``net``
    those that run up minus those that run down; zero everywhere is a surface without a border, wound consistently.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    edge: NDArray[np.int64]
    valence: NDArray[np.int64]
    net: NDArray[np.int64]

    @property
    def balanced(self) -> bool:
        """Whether the surface is closed and consistently wound, in the sense that the divergence theorem needs."""
        return not self.net.any()


@dataclass(frozen=True)
class Mesh:
    """``points``: shape (v, 3), in the model's unit, each once; ``faces``: numbers of points, shape (n, 3)."""

    points: NDArray[np.float64]
    faces: NDArray[np.int64]

    @cached_property
    def corners(self) -> NDArray[np.float64]:
        """The triangles' corners, shape (n, 3, 3)."""
        return self.points[self.faces]

    @cached_property
    def areas(self) -> NDArray[np.float64]:
        """The triangles' areas, in the square of the model's unit, shape (n,)."""
        corners = self.corners
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return np.asarray(np.linalg.norm(cross, axis=1) / 2)

    @cached_property
    def sixths(self) -> NDArray[np.float64]:
        """Six times the signed volume under each triangle, seen from the middle of the box, shape (n,)."""
        corners = self.corners  # not all points: one that no triangle uses any more may lie far off
        middle = (corners.min(axis=(0, 1)) + corners.max(axis=(0, 1))) / 2
        first, second, third = (corners[:, corner] - middle for corner in range(3))
        return np.asarray(np.einsum("ij,ij->i", first, np.cross(second, third)))

    @cached_property
    def edges(self) -> Edges:
        """The edges, by sorting the sides."""
        start = self.faces.ravel()
        end = self.faces[:, [1, 2, 0]].ravel()
        key = np.minimum(start, end) * len(self.points) + np.maximum(start, end)
        order = np.argsort(key, kind="stable")
        ranked = key[order]
        fresh = np.ones(len(key), dtype=bool)
        fresh[1:] = ranked[1:] != ranked[:-1]
        edge = np.empty(len(key), dtype=np.int64)
        edge[order] = np.cumsum(fresh) - 1
        count = int(fresh.sum())
        up = np.bincount(edge[start < end], minlength=count)
        valence = np.bincount(edge, minlength=count)
        return Edges(start, end, edge, valence, 2 * up - valence)

    def pairs(self, valence: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the sides that meet at an edge, as two arrays; ``valence``: only where so many sides meet."""
        edge = self.edges.edge
        order = np.argsort(edge, kind="stable")
        same = edge[order[1:]] == edge[order[:-1]]
        if valence is not None:
            same &= self.edges.valence[edge[order[1:]]] == valence
        return order[:-1][same], order[1:][same]

    @cached_property
    def bodies(self) -> NDArray[np.int64]:
        """The number of each triangle's body, by order of appearance; a body hangs together by edges. Shape (n,)."""
        left, right = self.pairs()
        labels = components(len(self.faces), left // 3, right // 3)
        return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.int64)

    @cached_property
    def shells(self) -> NDArray[np.int64]:
        """The number of each triangle's shell, by order of appearance: the least closed parts. Shape (n,).

        Unlike a body, a shell does not hang together by an edge at which each of two boxes is closed in itself: parts
        that only touch, or cut each other along a common edge, stay apart.
        """
        edges = self.edges
        left, right = self.pairs(valence=2)
        patch = components(len(self.faces), left // 3, right // 3)
        if edges.valence.max() > 2:
            crowded = np.flatnonzero(edges.valence[edges.edge] > 2)
            key, part = np.unique(
                np.stack((edges.edge[crowded], patch[crowded // 3]), axis=1), axis=0, return_inverse=True
            )
            upwards = np.where(edges.start[crowded] < edges.end[crowded], 1, -1)
            uneven = key[np.bincount(part.reshape(-1), weights=upwards) != 0]
            meet = uneven[1:, 0] == uneven[:-1, 0]
            joined = components(len(patch), uneven[:-1, 1][meet], uneven[1:, 1][meet])
            patch = joined[patch]
        return np.asarray(np.unique(patch, return_inverse=True)[1], dtype=np.int64)

    def only(self, kept: NDArray[np.bool_]) -> Mesh:
        """Return the mesh with some of its triangles."""
        return Mesh(self.points, self.faces[kept])

    def turned(self, flipped: NDArray[np.bool_]) -> Mesh:
        """Return the mesh with some of its triangles wound the other way."""
        faces = self.faces.copy()
        faces[flipped] = faces[flipped][:, ::-1]
        return Mesh(self.points, faces)


def weld(corners: NDArray[np.floating]) -> Mesh:
    """Give the corners numbers, equal ones alike, in the order in which they appear first."""
    flat = np.ascontiguousarray(corners, dtype=np.float64).reshape(-1, 3) + 0.0  # -0.0 becomes 0.0
    bits = flat.view(np.uint64)
    key = bits[:, 0] * MIX[0]
    for axis in (1, 2):
        key ^= key >> np.uint64(29)
        key = (key + bits[:, axis]) * MIX[axis]
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    if not np.array_equal(flat[first][number], flat):  # two points with one key: compare the points themselves
        _, first, number = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return Mesh(flat[first[order]], rank[number.reshape(-1)].reshape(-1, 3))


def components(count: int, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each of ``count`` things the least thing that it hangs together with, given the links' two ends.

    Every round hooks the greater of two labels to the lesser and then shortens all paths (Shiloach and Vishkin 1982).
    """
    labels = np.arange(count, dtype=np.int64)
    while True:
        one, other = labels[left], labels[right]
        apart = one != other
        if not apart.any():
            return labels
        left, right = left[apart], right[apart]
        np.minimum.at(labels, np.maximum(one[apart], other[apart]), np.minimum(one[apart], other[apart]))
        while not np.array_equal(shorter := labels[labels], labels):
            labels = shorter
