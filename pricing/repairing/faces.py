"""Triangles that should not be there: there more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pricing.measuring.topology import components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.measuring.mesh import Mesh


def without_copies(mesh: Mesh) -> Mesh:
    """Keep one of several equal triangles, or none where they are a wall of no thickness inside or beside a body.

    Which of the two it is, is told for each patch of copied triangles by the others at its border: one other triangle
    at an edge needs the patch to close the surface; two close it without the patch.
    """
    low, middle, high = np.sort(mesh.faces, axis=1).T
    pair = low.astype(np.int64) * len(mesh.points) + middle
    order = np.lexsort((high, pair))
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = np.diff(pair[order]).astype(np.bool_) | np.diff(high[order]).astype(np.bool_)
    if fresh.all():
        return mesh
    first = order[fresh]
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(fresh) - 1
    copied = np.bincount(group)[group] > 1
    kept = ~copied
    kept[first[_needed(mesh, group, copied)]] = True
    return mesh.only(kept)


def _needed(mesh: Mesh, group: NDArray[np.int64], copied: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the groups of equal triangles of which one is to stay."""
    edges = mesh.edges
    side_copied = np.repeat(copied, 3)
    others = np.bincount(edges.edge[~side_copied], minlength=len(edges.valence))
    left, right = edges.pairs()
    # Pairs are neighbours in a sorted list: only edges of copies alone, or chains over others, would tear a patch.
    both = side_copied[left] & side_copied[right] & (others[edges.edge[left]] == 0)
    groups = int(group.max()) + 1
    patch = components(groups, group[left[both] // 3], group[right[both] // 3])
    border = side_copied & (others[edges.edge] > 0)
    odd = others[edges.edge[border]] % 2 == 1
    vote = np.bincount(patch[group[np.flatnonzero(border) // 3]], weights=np.where(odd, 1, -1), minlength=groups)
    return np.unique(group[copied & (vote[patch[group]] >= 0)])
