"""Holes: borders of a surface, traced as loops and closed where that is honest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import manifold3d
import numpy as np

from pricing.refusals import Refusal, RefusalCode
from pricing.repairing.mesh import Mesh
from pricing.repairing.words import counted, length, place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.units import Unit

# A loop that leaves its plane by less than this share of its size counts as flat.
FLAT: Final = 1e-3
# Below half a right angle and a bit the surface seems to go on beyond the border as a dome, above it to end in an edge.
DOME_COSINE: Final = 0.5


@dataclass(frozen=True)
class HoleLimits:
    """How much may be filled in: edges of one loop, and the filled share of the area that its body has."""

    edges: int = 2_000
    flat_share: float = 0.25
    bent_share: float = 0.05


@dataclass(frozen=True)
class Filling:
    """One closed hole. ``size``: across its box; ``area`` filled in; ``volume`` that may lie beyond the filling."""

    triangles: NDArray[np.int64]
    middle: NDArray[np.float64]
    size: float
    area: float
    flat: bool
    volume: float
    body: int


def filled(mesh: Mesh, limits: HoleLimits, unit: Unit | None) -> tuple[Mesh, list[Filling]]:
    """Close every hole; ``mesh`` must be wound consistently. Raises Refusal(OPEN) for a hole too large to be guessed.

    A filling is a polygon in the loop's plane cut into triangles. The volume that it may be off: the area times the
    loop's greatest distance from its plane, and where the surface runs smoothly into the hole, the cap that a sphere
    of that slope would have there, area / 2 x radius x tan(angle / 2).
    """
    border = np.flatnonzero(mesh.edges.net[mesh.edges.edge] != 0)
    if not len(border):
        return mesh, []
    loops = _loops(mesh, border)
    longest = max(loops, key=len)
    if len(longest) > limits.edges:
        raise _too_large(mesh, longest, unit)
    fillings = [_filling(mesh, loop) for loop in loops]
    _permit(mesh, fillings, loops, limits, unit)
    return Mesh(mesh.points, np.concatenate((mesh.faces, *(one.triangles for one in fillings)))), fillings


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
        return Filling(corners[np.array(fan)], middle, size, area, flat=True, volume=stake, body=_body(mesh, loop))
    normal /= area
    across = spread[int(np.linalg.norm(spread, axis=1).argmax())]
    across = across - normal * (across @ normal)
    across /= np.linalg.norm(across)
    plane = np.ascontiguousarray(np.stack((spread @ across, spread @ np.cross(normal, across)), axis=1))
    triangles = corners[np.asarray(manifold3d.triangulate([plane]), dtype=np.int64).reshape(-1, 3)]
    area = float(Mesh(mesh.points, triangles).areas.sum())
    off_plane = float(np.abs(spread @ normal).max())
    flat = off_plane <= FLAT * size
    beyond = area * (off_plane if not flat or off_plane > FLAT * FLAT * size else 0.0)
    return Filling(triangles, middle, size, area, flat, beyond + _dome(mesh, loop, normal, area), _body(mesh, loop))


def _body(mesh: Mesh, loop: list[int]) -> int:
    return int(mesh.bodies[loop[0] // 3])


def _dome(mesh: Mesh, loop: list[int], normal: NDArray[np.float64], area: float) -> float:
    """Return the volume of the cap that a sphere as steep as the triangles around the loop would have over it."""
    corners = mesh.corners[np.array(loop) // 3]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    cosine = np.clip((normals @ normal)[lengths > 0] / lengths[lengths > 0], -1.0, 1.0)
    smooth = cosine[cosine > DOME_COSINE]
    if not len(smooth):
        return 0.0
    least = float(smooth.min())
    return area / 2 * float(np.sqrt(area / np.pi)) * float(np.sqrt((1 - least) / (1 + least)))


def _permit(mesh: Mesh, fillings: list[Filling], loops: list[list[int]], limits: HoleLimits, unit: Unit | None) -> None:
    """Refuse where more of a body would be guessed than is honest."""
    area = np.bincount(mesh.bodies, weights=mesh.areas)
    guessed = np.zeros(len(area))
    for one in fillings:
        guessed[one.body] += one.area / (limits.flat_share if one.flat else limits.bent_share)
    for one, loop in sorted(zip(fillings, loops, strict=True), key=lambda pair: -pair[0].area):
        if guessed[one.body] > area[one.body]:
            raise _too_large(mesh, loop, unit, len(loops))


def _too_large(mesh: Mesh, loop: list[int], unit: Unit | None, holes: int = 1) -> Refusal:
    points = mesh.points[mesh.edges.end[loop]]
    size = length(float(np.linalg.norm(np.ptp(points, axis=0))), unit)
    more = f" (and {counted(holes - 1, 'more hole')})" if holes > 1 else ""
    return Refusal(
        RefusalCode.OPEN,
        f"The surface is open: a hole of {counted(len(loop), 'edge')}, {size} across, near "
        f"{place(points.mean(axis=0))}{more} is too large to be closed without guessing; close it in your program.",
    )
