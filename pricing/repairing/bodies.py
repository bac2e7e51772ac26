"""Bodies: which lie inside, and which cut through, each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import manifold3d
import numpy as np

from pricing.measuring.crossings import enclosing
from pricing.refusals import Refusal, RefusalCode
from pricing.surface import CHUNK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.measuring.mesh import Mesh

# Coordinates that touch make noise. An overlap up to this share of the lesser body is none, and all but this share is
# all of it; so is what is less than NEGLIGIBLE of the greater body, if it is less than a hundredth of the lesser.
NOISE: Final = 1e-6
NEGLIGIBLE: Final = 1e-8
# Faces of a body by whose middles it is told whether it lies in another body.
ASKED: Final = 16
# The same for bodies of one union, which rounding alone moves through each other; as many as CLEAR have to agree.
UNCUT: Final = 8
CLEAR: Final = 0.75
# Two bodies one of which fills the other to this share are one body, there twice: between them no wall can be cast.
SAME: Final = 1 - 1e-4


@dataclass(frozen=True)
class Limits:
    """Bounds of the search for overlaps.

    ``triangles``: of all bodies, where there are several; ``pair_triangles``: of all pairs whose boxes overlap, of
    which 3 to 10 million take a second.
    """

    bodies: int = 4_096
    triangles: int = 2_000_000
    pair_triangles: int = 20_000_000


class Bodies:
    """The bodies of a closed mesh, by its shells. ``volume``: signed, by body, 0 for specks."""

    def __init__(self, mesh: Mesh, limits: Limits, unions: NDArray[np.int32] | None = None) -> None:
        """Sort the triangles by body. Raises Refusal(TOO_LARGE) where there are too many bodies to compare.

        ``unions``, by point: the number of the union that it is of alone, 0 where it is of none or more. The surfaces
        of one union cut through each other by rounding at most.
        """
        self.mesh, self.limits = mesh, limits
        labels = mesh.shells
        self.order = np.argsort(labels, kind="stable")
        self.offsets = np.searchsorted(labels[self.order], np.arange(int(labels.max()) + 2))
        volume = np.bincount(labels, weights=mesh.sixths) / 6
        self.volume = np.where(np.abs(volume) > NEGLIGIBLE / 10 * np.abs(volume).max(), volume, 0.0)
        self.count = len(self.volume)
        if self.count > limits.bodies:
            detail = f"The model has {self.count:,} separate bodies, more than the {limits.bodies:,} that are compared."
            raise Refusal(RefusalCode.TOO_LARGE, f"{detail} Upload it in parts.")
        if self.count > 1 and len(labels) > limits.triangles:
            detail = f"The model has {self.count:,} bodies of more than {limits.triangles:,} faces in all"
            raise Refusal(RefusalCode.TOO_LARGE, f"{detail}, too many to compare. Upload it in parts or coarser.")
        self._solids: dict[int, manifold3d.Manifold] = {}
        self._union = np.zeros(self.count, dtype=np.int32)
        if unions is not None:
            source = unions[mesh.faces[self.order]]
            least = np.minimum.reduceat(source.min(axis=1), self.offsets[:-1])
            greatest = np.maximum.reduceat(source.max(axis=1), self.offsets[:-1])
            self._union = np.where(least == greatest, least, 0).astype(np.int32)

    def faces(self, body: int) -> NDArray[np.int64]:
        """Return the numbers of a body's triangles."""
        return self.order[self.offsets[body] : self.offsets[body + 1]]

    @cached_property
    def boxes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and greatest corner of each body's box, each of shape (bodies, 3)."""
        corners = self.mesh.corners[self.order]
        begins = self.offsets[:-1]
        low = np.minimum.reduceat(corners.min(axis=1), begins, axis=0)
        return low, np.maximum.reduceat(corners.max(axis=1), begins, axis=0)

    def solid(self, body: int) -> manifold3d.Manifold:
        """Return a body as a solid turned outwards; it is empty where manifold3d refuses the mesh."""
        if body not in self._solids:
            faces = self.mesh.faces[self.faces(body)]
            if self.volume[body] < 0:
                faces = faces[:, ::-1]
            self._solids[body] = solid(self.mesh.points, faces)
        return self._solids[body]

    def near(self) -> NDArray[np.int64]:
        """Return the pairs whose boxes share room, the body of the greater volume second, shape (pairs, 2)."""
        low, high = self.boxes
        share = np.ones((self.count, self.count), dtype=bool)
        for axis in range(3):
            share &= low[:, None, axis] < high[None, :, axis]
        share &= share.T
        solid_ones = self.volume != 0
        share &= solid_ones[:, None] & solid_ones[None, :]
        one, other = np.nonzero(np.triu(share, 1))
        swap = np.abs(self.volume[one]) > np.abs(self.volume[other])
        return np.stack((np.where(swap, other, one), np.where(swap, one, other)), axis=1)

    def relate(self) -> tuple[NDArray[np.bool_], list[tuple[int, int]]]:
        """Return which lie within which, ``inside[lesser, greater]``, and the pairs that cut through each other.

        Two bodies that hang together by pairs found before are left out where nothing depends on how they lie.
        Raises Refusal(OVERLAPPING) where there is too much to compare, or an overlap that cannot be resolved.
        """
        inside = np.zeros((self.count, self.count), dtype=bool)
        crossing: list[tuple[int, int]] = []
        cluster = list(range(self.count))
        near, sizes = self.near(), np.diff(self.offsets)
        known = self._apart(near)
        work = 0
        for lesser, greater in near[np.argsort(sizes[near].sum(axis=1), kind="stable")].tolist():
            roots = sorted((_root(cluster, lesser), _root(cluster, greater)))
            if roots[0] == roots[1] and 0 < self.volume[lesser] < SAME * self.volume[greater]:
                continue  # they become one by others that cut through both; the dear pairs come last
            work += int(sizes[lesser] + sizes[greater])
            if work > self.limits.pair_triangles:
                detail = "Too many bodies lie so close together that their overlap could not be computed"
                raise Refusal(RefusalCode.OVERLAPPING, f"{detail}: unite them in your program.")
            share = known.get((lesser, greater))
            if share is None:
                share = self._shared(lesser, greater)
            ratio = float(abs(self.volume[greater] / self.volume[lesser]))
            noise = max(NOISE, min(NEGLIGIBLE * ratio, 0.01))
            if share >= 1 - noise:
                inside[lesser, greater] = True
            elif share > noise:
                crossing.append((lesser, greater))
                cluster[roots[1]] = roots[0]
        return inside, crossing

    def _apart(self, near: NDArray[np.int64]) -> dict[tuple[int, int], float]:
        """Return the share of the lesser body that lies in the greater, 0 or 1, for pairs of one union.

        The lesser lies within as a whole or not at all, so a few points of it tell; where too many of them differ, the
        pair is left out.
        """
        union = self._union[near]
        pairs = near[(union[:, 0] > 0) & (union[:, 0] == union[:, 1])]
        if int(np.diff(self.offsets)[pairs].sum()) > self.limits.pair_triangles:
            return {}
        known: dict[tuple[int, int], float] = {}
        for greater in np.unique(pairs[:, 1]).tolist():
            lesser = pairs[pairs[:, 1] == greater, 0]
            asked = [self._asked(body, UNCUT) for body in lesser.tolist()]
            numbers = np.repeat(np.arange(len(asked)), [len(one) for one in asked])
            share = np.bincount(numbers, self._within(greater, np.concatenate(asked))) / np.bincount(numbers)
            sure = np.maximum(share, 1 - share) >= CLEAR
            known |= {
                (int(one), greater): float(much >= CLEAR) for one, much in zip(lesser[sure], share[sure], strict=True)
            }
        return known

    def _asked(self, body: int, count: int) -> NDArray[np.float64]:
        """Return the middles of some of a body's triangles."""
        faces = self.faces(body)
        some: NDArray[np.float64] = self.mesh.corners[faces[:: max(1, len(faces) // count)][:count]].mean(axis=1)
        return some

    def _within(self, body: int, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points lie inside a body, by the parity of a ray's crossings."""
        corners = self.mesh.corners[self.faces(body)]
        names = np.zeros(CHUNK, dtype=np.int32)
        chunks = ((corners[begin : begin + CHUNK], names) for begin in range(0, len(corners), CHUNK))
        inside: NDArray[np.bool_] = enclosing(chunks, points, np.full(len(points), -1)) % 2 == 1
        return inside

    def _shared(self, lesser: int, greater: int) -> float:
        """Return the share of the lesser body that lies in the greater one."""
        one, other = self.solid(lesser), self.solid(greater)
        if one.is_empty() or other.is_empty():
            return float(self._within(greater, self._asked(lesser, ASKED)).mean())
        return float((one ^ other).volume()) / abs(float(self.volume[lesser]))


def _root(cluster: list[int], body: int) -> int:
    """Return the body that stands for the cluster of another, and shorten the way to it."""
    while cluster[body] != body:
        cluster[body] = cluster[cluster[body]]
        body = cluster[body]
    return body


def solid(points: NDArray[np.float64], faces: NDArray[np.int32]) -> manifold3d.Manifold:
    """Return faces as manifold3d's solid, in double precision; empty where it is not an oriented manifold."""
    used = np.unique(faces)
    number = np.empty(len(points), dtype=np.uint64)
    number[used] = np.arange(len(used), dtype=np.uint64)
    triangles = np.ascontiguousarray(number[faces])
    return manifold3d.Manifold(manifold3d.Mesh64(np.ascontiguousarray(points[used]), triangles))
