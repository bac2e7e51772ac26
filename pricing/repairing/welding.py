"""Seams: points at the border of a surface that are meant to be one point but lie a hair apart."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.measuring.mesh import Mesh
from pricing.measuring.topology import components, proper

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Shares of the box's diagonal; 1e-4 of a ring of 30 mm is 3 micrometres, less than any printer's resolution.
SHARES: Final = (1e-6, 1e-5, 1e-4)
FLOAT32: Final = float(np.finfo(np.float32).eps)


def sewn(mesh: Mesh) -> tuple[Mesh, float, float]:
    """Merge border points that lie next to each other; return the mesh, how far points moved, and the volume at stake.

    The tolerance grows from the resolution of 32-bit numbers to 1e-4 of the box's diagonal for as long as the surface
    is open. A step is taken only if it closes edges and no triangle of an extent collapses. ``volume``: the area of
    all triangles that moved times the distance, in the cube of the model's unit.
    """
    points = mesh.corners.reshape(-1, 3)
    diagonal = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    moved = volume = 0.0
    for tolerance in (4 * FLOAT32 * float(np.abs(points).max()), *(share * diagonal for share in SHARES)):
        border = _border(mesh)
        if not len(border):
            break
        if not tolerance:  # the square of the diagonal is less than floats hold
            continue
        trial, far, stake = _merged(mesh, border, tolerance)
        if len(_border(trial)) < len(border):
            mesh, moved, volume = trial, max(moved, far), volume + stake
    return mesh, moved, volume


def _border(mesh: Mesh) -> NDArray[np.int64]:
    """Return the sides that no other side meets."""
    return np.flatnonzero(mesh.edges.valence[mesh.edges.edge] == 1)


def _merged(mesh: Mesh, border: NDArray[np.int64], tolerance: float) -> tuple[Mesh, float, float]:
    """Merge border points closer than the tolerance; the mesh itself where a triangle of an extent would collapse."""
    edges = mesh.edges
    loose = np.unique(np.concatenate((edges.start[border], edges.end[border])))
    left, right = _close(mesh.points[loose], tolerance)
    target = np.arange(len(mesh.points), dtype=np.int32)
    target[loose] = loose[components(len(loose), left, right)]
    distance = np.linalg.norm(mesh.points[target] - mesh.points, axis=1)
    faces = target[mesh.faces]
    trial = Mesh(mesh.points, faces).proper
    touched = (target != np.arange(len(target)))[mesh.faces].any(axis=1)
    collapsed = ~proper(faces)
    far = float(distance.max())
    shape = mesh.points[mesh.faces[collapsed]]
    longest = np.linalg.norm(shape - np.roll(shape, 1, axis=1), axis=2).max(axis=1, initial=0.0)
    if far > 4 * tolerance or (mesh.areas[collapsed] > 2 * tolerance * longest).any():
        return mesh, 0.0, 0.0
    return trial, far, float(mesh.areas[touched].sum()) * far


def _close(points: NDArray[np.float64], tolerance: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Link points closer than the tolerance: two such points share a cell in one of eight grids shifted by half."""
    lefts, rights = [], []
    for shift in product((0.0, 0.5), repeat=3):
        cell = np.floor(points / (2 * tolerance) + np.array(shift))
        _, first, number = np.unique(cell, axis=0, return_index=True, return_inverse=True)
        head = first[number.reshape(-1)]
        near = np.linalg.norm(points[head] - points, axis=1) <= tolerance
        lefts.append(head[near])
        rights.append(np.flatnonzero(near))
    return np.concatenate(lefts), np.concatenate(rights)
