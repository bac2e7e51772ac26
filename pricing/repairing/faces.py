"""Triangles that should not be there: without an extent, or there more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pricing.repairing.mesh import Mesh, components

if TYPE_CHECKING:
    from numpy.typing import NDArray


def without_collapsed(mesh: Mesh) -> Mesh:
    """Drop triangles two of whose corners are one point; their sides cancel, so nothing is opened by it."""
    one, two, three = mesh.faces.T
    collapsed = (one == two) | (two == three) | (three == one)
    return mesh.only(~collapsed) if collapsed.any() else mesh


def without_copies(mesh: Mesh) -> Mesh:
    """Keep one of several equal triangles, or none where they are a wall of no thickness inside or beside a body.

    Which of the two it is, is told for each patch of copied triangles by the others at its border: one other triangle
    at an edge needs the patch to close the surface; two close it without the patch.
    """
    ranked = np.sort(mesh.faces, axis=1)
    _, first, group, times = np.unique(ranked, axis=0, return_index=True, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    copied = times[group] > 1
    if not copied.any():
        return mesh
    kept = ~copied
    kept[first[_needed(mesh, group, copied)]] = True
    return mesh.only(kept)


def _needed(mesh: Mesh, group: NDArray[np.int64], copied: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the groups of equal triangles of which one is to stay."""
    edges = mesh.edges
    side_copied = np.repeat(copied, 3)
    others = np.bincount(edges.edge[~side_copied], minlength=len(edges.valence))
    left, right = mesh.pairs()
    # Pairs are neighbours in a sorted list: only edges of copies alone, or chains over others, would tear a patch.
    both = side_copied[left] & side_copied[right] & (others[edges.edge[left]] == 0)
    groups = int(group.max()) + 1
    patch = components(groups, group[left[both] // 3], group[right[both] // 3])
    border = side_copied & (others[edges.edge] > 0)
    odd = others[edges.edge[border]] % 2 == 1
    vote = np.bincount(patch[group[np.flatnonzero(border) // 3]], weights=np.where(odd, 1, -1), minlength=groups)
    return np.unique(group[copied & (vote[patch[group]] >= 0)])
