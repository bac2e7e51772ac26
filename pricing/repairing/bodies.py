"""Bodies: which lie inside, and which cut through, each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import manifold3d
import numpy as np

from pricing.refusals import Refusal, RefusalCode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.repairing.mesh import Mesh

# Coordinates that touch make noise. An overlap up to this share of the lesser body is none, and all but this share is
# all of it; so is what is less than NEGLIGIBLE of the greater body, if it is less than a hundredth of the lesser.
NOISE: Final = 1e-6
NEGLIGIBLE: Final = 1e-8
# Directions in which no model has edges or faces, so that a ray seldom meets one; three, and two of three decide.
RAYS: Final = np.array([[0.5281, 0.6173, 0.5830], [-0.7219, 0.3917, 0.5704], [0.2339, -0.8627, 0.4485]])


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

    def __init__(self, mesh: Mesh, limits: Limits) -> None:
        """Sort the triangles by body. Raises Refusal(TOO_LARGE) where there are too many bodies to compare."""
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

        Raises Refusal(OVERLAPPING) where there is too much to compare, or an overlap that cannot be resolved.
        """
        inside = np.zeros((self.count, self.count), dtype=bool)
        crossing = []
        work = 0
        for lesser, greater in self.near().tolist():
            work += len(self.faces(lesser)) + len(self.faces(greater))
            if work > self.limits.pair_triangles:
                detail = "Too many bodies lie so close together that their overlap could not be computed"
                raise Refusal(RefusalCode.OVERLAPPING, f"{detail}: unite them in your program.")
            share = self._shared(lesser, greater)
            ratio = float(abs(self.volume[greater] / self.volume[lesser]))
            noise = max(NOISE, min(NEGLIGIBLE * ratio, 0.01))
            if share >= 1 - noise:
                inside[lesser, greater] = True
            elif share > noise:
                crossing.append((lesser, greater))
        return inside, crossing

    def _shared(self, lesser: int, greater: int) -> float:
        """Return the share of the lesser body that lies in the greater one."""
        one, other = self.solid(lesser), self.solid(greater)
        if one.is_empty() or other.is_empty():
            points = self.mesh.corners[self.faces(lesser)].mean(axis=1)
            some = points[:: max(1, len(points) // 16)][:16]
            within = [contains(self.mesh.corners[self.faces(greater)], point) for point in some]
            return sum(within) / len(within)
        return float((one ^ other).volume()) / abs(float(self.volume[lesser]))


def solid(points: NDArray[np.float64], faces: NDArray[np.int64]) -> manifold3d.Manifold:
    """Return faces as manifold3d's solid, in double precision; empty where it is not an oriented manifold."""
    used, number = np.unique(faces, return_inverse=True)
    triangles = np.ascontiguousarray(number.reshape(-1, 3).astype(np.uint64))
    return manifold3d.Manifold(manifold3d.Mesh64(np.ascontiguousarray(points[used]), triangles))


def contains(corners: NDArray[np.float64], point: NDArray[np.float64]) -> bool:
    """Whether a point lies inside a closed surface, by the parity of a ray's crossings (Moeller and Trumbore 1997)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    votes = 0
    for ray in RAYS:
        across = np.cross(ray, second)
        scale = np.einsum("ij,ij->i", first, across)
        met = scale != 0
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=met)
        offset = point - corners[:, 0]
        u = np.einsum("ij,ij->i", offset, across) * inverse
        turned = np.cross(offset, first)
        v = turned @ ray * inverse
        ahead = np.einsum("ij,ij->i", second, turned) * inverse > 0
        votes += int((met & (u >= 0) & (v >= 0) & (u + v < 1) & ahead).sum()) % 2
    return votes >= 2
