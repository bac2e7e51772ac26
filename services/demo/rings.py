"""Rings as customers design them: parametric, closed surfaces, written as binary STL in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One triangle of a binary STL: normal, three corners, and an attribute that nobody uses.
TRIANGLE: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
HEADER_BYTES: Final = 80


@dataclass(frozen=True)
class Ring:
    """A band around a finger. Lengths in millimetres; ``waves`` and ``twist`` ornament its outside.

    ``squareness``: the exponent of the superellipse that is its section, 2 for a round one, more for a flat one.
    """

    inner_diameter_mm: float = 17.3
    width_mm: float = 4.0
    thickness_mm: float = 1.8
    squareness: float = 2.5
    waves: int = 0
    wave_height_mm: float = 0.0
    twist: int = 0
    around: int = 180
    across: int = 32

    def vertices(self) -> NDArray[np.float64]:
        """Return the surface's points in millimetres, shape (around, across, 3)."""
        along = np.linspace(0, 2 * np.pi, self.around, endpoint=False)[:, None]
        section = np.linspace(0, 2 * np.pi, self.across, endpoint=False)[None, :]
        power = 2 / self.squareness
        cosine, sine = np.cos(section), np.sin(section)
        out = np.sign(cosine) * np.abs(cosine) ** power * self.thickness_mm / 2
        side = np.sign(sine) * np.abs(sine) ** power * self.width_mm / 2
        ornament = self.wave_height_mm * np.sin(self.waves * along + self.twist * side / self.width_mm * np.pi)
        out = out + np.where(cosine > 0, ornament * cosine, 0.0)
        radius = self.inner_diameter_mm / 2 + self.thickness_mm / 2 + out
        height = side + 0 * along
        return np.stack((radius * np.cos(along), radius * np.sin(along), height), axis=-1)

    def triangles(self) -> NDArray[np.float64]:
        """Return the closed surface's triangles in millimetres, seen from outside anticlockwise, shape (n, 3, 3)."""
        points = self.vertices()
        here, ahead = points, np.roll(points, -1, axis=0)
        beside, beyond = np.roll(points, -1, axis=1), np.roll(ahead, -1, axis=1)
        first = np.stack((here, ahead, beyond), axis=2)
        second = np.stack((here, beyond, beside), axis=2)
        return np.concatenate((first.reshape(-1, 3, 3), second.reshape(-1, 3, 3)))

    def stl(self) -> bytes:
        """Return the ring as binary STL."""
        corners = self.triangles()
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        rows = np.zeros(len(corners), dtype=TRIANGLE)
        rows["corners"] = corners
        rows["normal"] = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
        header = b"a ring in millimetres".ljust(HEADER_BYTES)
        return header + np.uint32(len(rows)).tobytes() + rows.tobytes()


def design(rng: np.random.Generator) -> Ring:
    """Draw a ring as a customer might: finger sizes, bands from plain to ornate, from coarse to fine meshes."""
    ornate = rng.random() < 0.6
    return Ring(
        inner_diameter_mm=round(float(rng.normal(17.3, 1.2)), 1),
        width_mm=round(float(rng.uniform(2.5, 8.0)), 1),
        thickness_mm=round(float(rng.uniform(1.4, 2.4)), 1),
        squareness=round(float(rng.uniform(2.0, 5.0)), 1),
        waves=int(rng.integers(6, 40)) if ornate else 0,
        wave_height_mm=round(float(rng.uniform(0.1, 0.5)), 2) if ornate else 0.0,
        twist=int(rng.integers(0, 4)) if ornate else 0,
        around=int(rng.choice((120, 180, 360, 720))),
        across=int(rng.choice((24, 32, 48))),
    )
