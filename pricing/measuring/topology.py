"""Edges and what hangs together by them: the one structure that measuring and mending look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Edges:
    """Which edges there are. Side i belongs to triangle i // 3 and runs from its ``start`` to its ``end``.

    ``order``: the sides, those of each edge together; ``begins``: where in it each edge's sides begin. By edge:
    ``valence`` counts its sides, ``net`` those that run up minus those that run down; zero everywhere is a surface
    without a border, wound consistently.
    """

    faces: NDArray[np.int32]
    order: NDArray[np.int32]
    begins: NDArray[np.int64]
    valence: NDArray[np.int32]
    net: NDArray[np.int32]

    @property
    def count(self) -> int:
        """How many edges there are."""
        return len(self.begins)

    @cached_property
    def single(self) -> bool:
        """Whether every edge has exactly two sides."""
        return bool((self.valence == 2).all())

    @cached_property
    def balanced(self) -> bool:
        """Whether the surface is closed and consistently wound, in the sense that the divergence theorem needs."""
        return not self.net.any()

    @cached_property
    def start(self) -> NDArray[np.int32]:
        """The point that each side starts at, shape (3n,)."""
        return self.faces.reshape(-1)

    @cached_property
    def end(self) -> NDArray[np.int32]:
        """The point that each side ends at, shape (3n,)."""
        return self.faces[:, [1, 2, 0]].reshape(-1)

    @cached_property
    def edge(self) -> NDArray[np.int32]:
        """The number of the edge that each side lies on, shape (3n,)."""
        edge = np.empty(len(self.order), dtype=np.int32)
        edge[self.order] = np.repeat(np.arange(self.count, dtype=np.int32), self.valence)
        return edge

    def pairs(self, valence: int | None = None) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the sides that meet at an edge, as two arrays; ``valence``: only where so many sides meet."""
        if self.single:
            return self.order[0::2], self.order[1::2]
        kept = np.ones(len(self.order), dtype=np.bool_)
        kept[self.begins] = False
        if valence is not None:
            kept &= np.repeat(self.valence == valence, self.valence)
        second = np.flatnonzero(kept)
        return self.order[second - 1], self.order[second]


def edges_of(faces: NDArray[np.int32], points: int) -> Edges:
    """Find the edges of triangles, given by numbers below ``points``, shape (n, 3)."""
    keys = np.empty((len(faces), 3), dtype=np.uint64)
    for side in range(3):
        start, end = faces[:, side], faces[:, (side + 1) % 3]
        # The lesser point, the greater one, and the direction in the lowest bit.
        keys[:, side] = np.minimum(start, end)
        keys[:, side] *= np.uint64(2 * points)
        keys[:, side] += np.maximum(start, end).astype(np.uint64) * np.uint64(2)
        keys[:, side] += start < end
    flat = keys.reshape(-1)
    order = np.argsort(flat).astype(np.int32)
    ranked = flat[order]
    if (ranked[1:] == ranked[:-1]).any():  # equal ones in the order of the sides, on any machine
        order = np.argsort(flat, kind="stable").astype(np.int32)
    del keys, flat
    up = (ranked & np.uint64(1)).astype(np.int8)
    ranked >>= np.uint64(1)
    fresh = np.ones(len(ranked), dtype=np.bool_)
    np.not_equal(ranked[1:], ranked[:-1], out=fresh[1:])
    begins = np.flatnonzero(fresh)
    valence = np.diff(begins, append=len(ranked)).astype(np.int32)
    forward = np.add.reduceat(up, begins, dtype=np.int32) if len(begins) else valence
    return Edges(faces, order, begins, valence, 2 * forward - valence)


def proper(faces: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell which triangles have three different points, shape (n,)."""
    one, two, three = faces.T
    different: NDArray[np.bool_] = (one != two) & (two != three) & (three != one)
    return different


def components(count: int, left: NDArray[np.integer[Any]], right: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Return for each of ``count`` things the least thing that it hangs together with, given the links' two ends.

    Every round hooks the greater of two labels to the lesser and then shortens all paths (Shiloach and Vishkin, "An
    O(log n) parallel connectivity algorithm", 1982).
    """
    labels = np.arange(count, dtype=np.int32)
    while True:
        one, other = labels[left], labels[right]
        apart = one != other
        if not apart.any():
            return labels
        left, right = left[apart], right[apart]
        np.minimum.at(labels, np.maximum(one[apart], other[apart]), np.minimum(one[apart], other[apart]))
        while not np.array_equal(shorter := labels[labels], labels):
            labels = shorter


def numbered(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return numbers from 0, by order of appearance, for labels of ``components``: each names the first of its kind."""
    number = np.cumsum(labels == np.arange(len(labels), dtype=np.int32), dtype=np.int32)
    number -= 1
    found: NDArray[np.int32] = number[labels]
    return found
