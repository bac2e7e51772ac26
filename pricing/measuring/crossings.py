"""How often bodies enclose points: signed crossings of a ray from each point, all points in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pricing.measuring.sections import Heights, cut

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def enclosing(
    chunks: Iterable[tuple[NDArray[np.float64], NDArray[np.int32]]],
    points: NDArray[np.float64],
    own: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return how often closed bodies enclose each of ``points``, shape (k, 3): the winding number there.

    ``chunks``: triangles and the numbers of their bodies; the body ``own`` of a point does not count for it. A ray
    along z that starts in the point leaves a body once more than it enters it where the body holds the point. Cuts
    across x, and crossings along y, belong to the lower end of an edge and not to the upper one, and neighbours find
    the same digits: so a ray through an edge or a corner is counted once, as one beside it would be. Only a point
    nearer to a triangle than floats can tell may be taken for one on its other side.
    """
    order = np.argsort(points[:, 0], kind="stable")
    points, own = points[order], own[order]
    planes = Heights(0, points[:, 0])
    found = np.zeros(len(points), dtype=np.int64)
    for corners, names in chunks:
        for cuts in cut(corners, planes):
            y, z = points[cuts.plane, 1], points[cuts.plane, 2]
            upward, downward = cuts.start[0] <= y, cuts.end[0] <= y
            met = np.flatnonzero((upward != downward) & (names[cuts.face] != own[cuts.plane]))
            start, end = cuts.start[:, met], cuts.end[:, met]
            share = np.clip((y[met] - start[0]) / (end[0] - start[0]), 0.0, 1.0)
            beyond = start[1] + (end[1] - start[1]) * share > z[met]
            turn = np.where(upward[met], -1, 1)[beyond]
            np.add.at(found, cuts.plane[met][beyond], turn)
    depth = np.empty_like(found)
    depth[order] = found
    return depth
