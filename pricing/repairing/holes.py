"""Holes: borders of a surface, traced as loops and closed where that is honest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import manifold3d
import numpy as np

from pricing.measuring.mesh import Mesh
from pricing.refusals import Refusal, RefusalCode
from pricing.repairing.words import counted, length, place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.units import Unit

# A loop whose area is less than the square of this share of its size is a slit; one off its plane so little is flat.
FLAT: Final = 1e-3
# As many places as are marked on a picture.
SHOWN: Final = 16


@dataclass(frozen=True)
class HoleLimits:
    """How much may be filled in: edges of one loop, the filled share of its body's area, and how wide a hole may be.

    ``width``: of a disc of the hole's area, as a share of its body's thickness, which is four times the volume over the
    area. The open end of a pipe of any section has a share of 1 or more (the isoperimetric inequality), and nobody
    knows whether a pipe or a rod was meant. What may lie beyond all flat fillings is then at most 1.2 % of their body.
    """

    edges: int = 2_000
    share: float = 0.01
    width: float = 0.9


@dataclass(frozen=True)
class Filling:
    """One closed hole. ``size``: across its box; ``area`` filled in; ``volume`` that may be off by the filling."""

    triangles: NDArray[np.int32]
    middle: NDArray[np.float64]
    size: float
    area: float
    volume: float
    body: int

    @property
    def width(self) -> float:
        """The diameter of a disc of the hole's area."""
        return 2 * math.sqrt(self.area / math.pi)


def filled(mesh: Mesh, limits: HoleLimits, unit: Unit | None) -> tuple[Mesh, list[Filling]]:
    """Close every hole; ``mesh`` must be wound consistently. Raises Refusal(OPEN) for a hole too large to be guessed.

    A filling is a polygon in the loop's plane cut into triangles. The volume that it may be off, either way, since
    nobody knows what was there: a half ball over a disc of its area, 2 / 3 x area x radius, which no smaller bump or
    dent exceeds; and the area times the loop's greatest distance from its plane.
    """
    border = np.flatnonzero(mesh.edges.net[mesh.edges.edge] != 0)
    if not len(border):
        return mesh, []
    loops = _loops(mesh, border)
    longest = max(loops, key=len)
    if len(longest) > limits.edges:
        raise _too_large(mesh, [longest], unit)
    fillings = [_filling(mesh, loop) for loop in loops]
    whole = Mesh(mesh.points, np.concatenate((mesh.faces, *(one.triangles for one in fillings))))
    _permit(mesh, whole, fillings, loops, limits, unit)
    return whole, fillings


def _loops(mesh: Mesh, border: NDArray[np.int64]) -> list[list[int]]:
    """Trace the border as closed loops of sides, each in the direction in which a filling runs along it."""
    edges = mesh.edges
    start, end = edges.start, edges.end
    leaving: dict[int, list[int]] = {}
    for side in border[::-1].tolist():
        leaving.setdefault(int(end[side]), []).append(side)
    loops = []
    for first in border.tolist():
        path: list[int] = []
        seen: dict[int, int] = {}
        at = int(end[first])
        while leaving.get(at):
            seen[at] = len(path)
            path.append(leaving[at].pop())
            at = int(start[path[-1]])
            if at in seen:  # back at a point of the path: cut the loop off, so that every loop is a simple one
                loop, path = path[seen[at] :], path[: seen[at]]
                loops.append(loop)
                for side in loop:
                    seen.pop(int(end[side]), None)
    return loops


def _filling(mesh: Mesh, loop: list[int]) -> Filling:
    """Close one loop of sides."""
    corners = mesh.edges.end[loop]
    points = mesh.points[corners]
    middle = points.mean(axis=0)
    spread = points - middle
    size = float(np.linalg.norm(np.ptp(points, axis=0)))
    normal = np.cross(spread, np.roll(spread, -1, axis=0)).sum(axis=0) / 2  # Newell: as long as the loop's area
    area = float(np.linalg.norm(normal))
    if area <= FLAT * FLAT * size * size:  # a slit: no plane to speak of, and nothing to fill
        stake = size * float(np.linalg.norm(spread, axis=1).max()) ** 2 * FLAT
        fan = [(0, one, one + 1) for one in range(1, len(corners) - 1)]
        return Filling(corners[np.array(fan)], middle, size, area, stake, _body(mesh, loop))
    normal /= area
    across = spread[int(np.linalg.norm(spread, axis=1).argmax())]
    across = across - normal * (across @ normal)
    across /= np.linalg.norm(across)
    plane = np.ascontiguousarray(np.stack((spread @ across, spread @ np.cross(normal, across)), axis=1))
    triangles = corners[np.asarray(manifold3d.triangulate([plane])).reshape(-1, 3)]
    area = float(Mesh(mesh.points, triangles).areas.sum())
    off_plane = float(np.abs(spread @ normal).max())
    stake = area * (2 / 3 * math.sqrt(area / math.pi) + (off_plane if off_plane > FLAT * FLAT * size else 0.0))
    return Filling(triangles, middle, size, area, stake, _body(mesh, loop))


def _body(mesh: Mesh, loop: list[int]) -> int:
    return int(mesh.bodies[loop[0] // 3])


def _permit(
    mesh: Mesh, whole: Mesh, fillings: list[Filling], loops: list[list[int]], limits: HoleLimits, unit: Unit | None
) -> None:
    """Refuse where more of a body would be guessed than is honest."""
    bodies = np.concatenate((mesh.bodies, *(np.full(len(one.triangles), one.body) for one in fillings)))
    area = np.bincount(mesh.bodies, weights=mesh.areas)
    enclosed = 4 * np.abs(np.bincount(bodies, weights=whole.sixths)) / 6
    thickness = np.divide(enclosed, area, out=np.zeros_like(area), where=area > 0)  # squares of tiny sides are 0
    guessed = np.bincount([one.body for one in fillings], [one.area for one in fillings], minlength=len(area))
    ranked = sorted(zip(fillings, loops, strict=True), key=lambda pair: -pair[0].area)
    wide = [
        loop
        for one, loop in ranked
        if guessed[one.body] > limits.share * area[one.body] or one.width > limits.width * thickness[one.body]
    ]
    if wide:
        raise _too_large(mesh, wide, unit)


def _too_large(mesh: Mesh, loops: list[list[int]], unit: Unit | None) -> Refusal:
    """Return the refusal of some holes, the largest first."""
    points = [mesh.points[mesh.edges.end[loop]] for loop in loops]
    middles = [(float(x), float(y), float(z)) for x, y, z in (each.mean(axis=0) for each in points[:SHOWN])]
    size = length(float(np.linalg.norm(np.ptp(points[0], axis=0))), unit)
    more = f" (and {counted(len(loops) - 1, 'more hole')})" if len(loops) > 1 else ""
    return Refusal(
        RefusalCode.OPEN,
        f"The surface is open: a hole of {counted(len(loops[0]), 'edge')}, {size} across, near "
        f"{place(points[0].mean(axis=0))}{more} is too large to be closed without guessing; close it in your program.",
        tuple(middles),
    )
