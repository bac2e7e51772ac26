"""Rings of any number of triangles, as binary STL: what the pricing benchmark measures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RECORD: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
ROWS: Final = 256
# A standing ring for a finger of 21.6 mm, its band 2.4 mm thick and hammered: no two facets alike, 530 layers to print.
RADIUS_MM: Final = 12.0
BAND_MM: Final = 1.2
HAMMERED_MM: Final = 0.12


def ring(triangles: int, folder: Path) -> Path:
    """Write a closed ring of at least so many triangles, unless it lies there; return its file."""
    across = max(8, round(math.sqrt(triangles / 8) / 2) * 2)
    around = math.ceil(triangles / (2 * across))
    path = folder / f"standing-ring-{triangles}.stl"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".part")
    with written.open("wb") as file:
        file.write(b"hammered ring".ljust(80) + np.uint32(2 * across * around).tobytes())
        for first in range(0, around, ROWS):
            rows = np.arange(first, min(first + ROWS, around) + 1)
            file.write(_facets(_points(rows, around, across)).tobytes())
    written.rename(path)
    return path


def _points(rows: NDArray[np.int64], around: int, across: int) -> NDArray[np.float32]:
    """Return the places of some rows, shape (rows, across + 1, 3): the last column is the first, to the bit."""
    angle = (2 * np.pi / around * (rows % around))[:, None]
    turn = (2 * np.pi / across * (np.arange(across + 1) % across))[None, :]
    band = BAND_MM + HAMMERED_MM * np.sin(40 * angle) * np.sin(6 * turn)
    out = RADIUS_MM + band * np.cos(turn)
    side = band * np.sin(turn) + 0 * angle
    return np.stack((side, out * np.cos(angle), out * np.sin(angle)), axis=2).astype("<f4")


def _facets(points: NDArray[np.float32]) -> NDArray[np.void]:
    a, b, c, d = points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]
    corners = np.stack((np.stack((a, b, c), axis=2), np.stack((a, c, d), axis=2)), axis=2).reshape(-1, 3, 3)
    facets = np.zeros(len(corners), dtype=RECORD)
    facets["corners"] = corners
    return facets
