"""Is a surface closed, and is it wound one way: told by how many triangles meet at its edges, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.measuring.sums import Point  # noqa: TC001 - pydantic reads the annotations, by way of Begun

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.measuring.mesh import Mesh

# Enough to mark the spots on a picture; a torn model has thousands.
SHOWN: Final = 16


@dataclass(frozen=True)
class Seams:
    """How triangles meet. Triangles with two corners in one place have no inside and are left out (``collapsed``).

    ``open`` edges have one triangle, ``crowded`` ones more than two, ``unpaired`` ones are not run through as often
    one way as the other; ``torn`` ones are unpaired and have not just two triangles. ``trouble_at``: midpoints of some
    open, crowded and unpaired edges (always the same), in the model's unit.
    """

    edges: int
    open: int
    crowded: int
    unpaired: int
    torn: int
    collapsed: int
    euler: int
    trouble_at: tuple[Point, ...]

    @property
    def closed(self) -> bool:
        """Whether a volume is enclosed but for the winding: solids that touch along an edge of four faces are."""
        return bool(self.edges) and not self.torn

    @property
    def watertight(self) -> bool:
        """Whether every edge has two triangles and none is collapsed: what trimesh calls so after merging."""
        return bool(self.edges) and not (self.open or self.crowded or self.collapsed)

    @property
    def wound(self) -> bool:
        """Whether each edge is run as often one way as the other: then the volume does not hang on the origin."""
        return bool(self.edges) and not self.unpaired


def seams_of(mesh: Mesh) -> Seams:
    """Count the edges by how many triangles share them, and in which direction."""
    edges = mesh.proper.edges
    few, many, odd = edges.valence == 1, edges.valence > 2, edges.net != 0
    spots = (spot for found in (few, many, odd) for spot in _midpoints(mesh.proper, found))
    return Seams(
        edges=edges.count,
        open=int(few.sum()),
        crowded=int(many.sum()),
        unpaired=int(odd.sum()),
        torn=int((odd & (edges.valence != 2)).sum()),
        collapsed=len(mesh.faces) - len(mesh.proper.faces),
        euler=_used(mesh) - edges.count + len(mesh.proper.faces),
        trouble_at=tuple(dict.fromkeys(spots)),
    )


def _used(mesh: Mesh) -> int:
    """Count the points of proper triangles."""
    if mesh.proper is mesh:
        return len(mesh.points)
    used = np.zeros(len(mesh.points), dtype=np.bool_)
    used[mesh.proper.faces] = True
    return int(used.sum())


def _midpoints(mesh: Mesh, found: NDArray[np.bool_]) -> list[Point]:
    sides = mesh.edges.order[mesh.edges.begins[np.flatnonzero(found)[:SHOWN]]]
    begin, end = (mesh.points[mesh.faces[sides // 3, (sides + ahead) % 3]] for ahead in (0, 1))
    return [(float(x), float(y), float(z)) for x, y, z in begin / 2 + end / 2]
