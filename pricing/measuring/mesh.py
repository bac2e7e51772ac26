"""A surface by the numbers of its points, so that it is known which triangles meet where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pricing.measuring.topology import Edges, components, edges_of, numbered, proper

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Mesh:
    """``points``: float64 (v, 3), in the model's unit, each once; ``faces``: numbers of points, int32 (n, 3)."""

    points: NDArray[np.float64]
    faces: NDArray[np.int32]

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
    def proper(self) -> Mesh:
        """The mesh without triangles two of whose corners are one point; itself where there are none.

        The sides of such a triangle cancel, so nothing is opened by leaving it out.
        """
        kept = proper(self.faces)
        return self if kept.all() else self.only(kept)

    @cached_property
    def edges(self) -> Edges:
        """The edges, by sorting the sides."""
        return edges_of(self.faces, len(self.points))

    @cached_property
    def bodies(self) -> NDArray[np.int32]:
        """The number of each triangle's body, by order of appearance; a body hangs together by edges. Shape (n,)."""
        left, right = self.edges.pairs()
        return numbered(components(len(self.faces), left // 3, right // 3))

    @cached_property
    def shells(self) -> NDArray[np.int32]:
        """The number of each triangle's shell, by order of appearance: the least closed parts. Shape (n,).

        Unlike a body, a shell does not hang together by an edge at which each of two boxes is closed in itself: parts
        that only touch, or cut each other along a common edge, stay apart.
        """
        edges = self.edges
        if edges.single:
            return self.bodies
        left, right = edges.pairs(valence=2)
        patch = components(len(self.faces), left // 3, right // 3)
        crowded = np.flatnonzero(edges.valence[edges.edge] > 2)
        key, part = np.unique(np.stack((edges.edge[crowded], patch[crowded // 3]), axis=1), axis=0, return_inverse=True)
        upwards = np.where(edges.start[crowded] < edges.end[crowded], 1, -1)
        uneven = key[np.bincount(part.reshape(-1), weights=upwards) != 0]
        meet = uneven[1:, 0] == uneven[:-1, 0]
        joined = components(len(patch), uneven[:-1, 1][meet], uneven[1:, 1][meet])
        return numbered(joined[patch])

    @cached_property
    def pieces(self) -> NDArray[np.int32]:
        """The number of each triangle's piece, by order of appearance; a piece hangs together by points. Shape (n,)."""
        bodies = self.bodies
        count = int(bodies.max(initial=-1)) + 1
        if count < 2:
            return bodies
        least = np.full(len(self.points), count, dtype=np.int32)
        for side in range(3):
            np.minimum.at(least, self.faces[:, side], bodies)
        left, right = np.repeat(bodies, 3), least[self.faces.ravel()]
        apart = left != right
        return numbered(components(count, left[apart], right[apart]))[bodies]

    def only(self, kept: NDArray[np.bool_]) -> Mesh:
        """Return the mesh with some of its triangles."""
        return Mesh(self.points, self.faces[kept])

    def turned(self, flipped: NDArray[np.bool_]) -> Mesh:
        """Return the mesh with some of its triangles wound the other way."""
        faces = self.faces.copy()
        faces[flipped] = faces[flipped][:, ::-1]
        return Mesh(self.points, faces)
