"""Winding: every triangle to be seen anticlockwise from the same side of the surface as its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pricing.measuring.topology import components
from pricing.refusals import Refusal, RefusalCode

if TYPE_CHECKING:
    from pricing.measuring.mesh import Mesh


def rewound(mesh: Mesh) -> tuple[Mesh, int]:
    """Wind neighbours alike, as the greater part of each patch is wound; return the mesh and how many were turned.

    A patch hangs together by edges of two triangles. Each triangle stands twice in a graph, once for either winding;
    where both stand in one component, the surface has one side only. Raises Refusal(WINDING) for such a surface, and
    where more than two triangles meet at an edge and no side can be told from the other.
    """
    count = len(mesh.faces)
    edges = mesh.edges
    if (edges.net[edges.valence > 1] == 0).all():
        return mesh, 0
    if ((edges.valence > 1) & (edges.valence % 2 == 1)).any():
        raise Refusal(RefusalCode.WINDING, _crowded(mesh))
    left, right = edges.pairs(valence=2)
    against = edges.start[left] == edges.start[right]  # both run the same way: one of the two is wound wrongly
    left, right = left // 3, right // 3
    ends = (np.concatenate((left, left + count)), np.concatenate((right, right + count)))
    crossed = np.concatenate((against, against))
    labels = components(2 * count, ends[0], np.where(crossed, (ends[1] + count) % (2 * count), ends[1]))
    if (labels[:count] == labels[count:]).any():
        raise Refusal(
            RefusalCode.WINDING,
            "The surface has one side only, like a Moebius strip, so it encloses nothing: model a closed body.",
        )
    flipped = labels[:count] > labels[count:]
    patch = np.minimum(labels[:count], labels[count:])
    area = np.bincount(patch, weights=mesh.areas, minlength=count)
    turned = np.bincount(patch, weights=np.where(flipped, mesh.areas, 0.0), minlength=count)
    flipped ^= (2 * turned > area)[patch]
    mesh = mesh.turned(flipped)
    if (mesh.edges.net[mesh.edges.valence > 1] != 0).any():
        outwards = np.bincount(patch, weights=mesh.sixths, minlength=count)[patch] < 0
        mesh, flipped = mesh.turned(outwards), flipped ^ outwards
    if (mesh.edges.net[mesh.edges.valence > 1] != 0).any():
        raise Refusal(RefusalCode.WINDING, _crowded(mesh))
    return mesh, int(flipped.sum())


def _crowded(mesh: Mesh) -> str:
    """Say where more than two triangles meet at an edge."""
    edges = mesh.edges
    crowded = np.flatnonzero(edges.valence > 2)
    side = int(np.flatnonzero(edges.edge == crowded[0])[0])
    x, y, z = (mesh.points[edges.start[side]] + mesh.points[edges.end[side]]) / 2
    return (
        f"At {len(crowded)} edge{'s' * (len(crowded) != 1)} more than two faces meet (the first near "
        f"{x:.4g}, {y:.4g}, {z:.4g}), so inside and outside cannot be told apart: remove inner walls and fins."
    )
