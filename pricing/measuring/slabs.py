"""Layers and rays of some chunks of a surface: the part of measuring that is shared out among workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from pricing.measuring import layers, walls
from pricing.surface import CHUNK

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pricing.measuring.begun import Begun
    from pricing.surface import Surface


@dataclass(frozen=True)
class Slab:
    """What chunks ``first`` up to, not including, ``last`` add to layers and walls; hits along x, y and z."""

    first: int
    last: int
    layers: tuple[layers.LayerPartial, ...]
    hits: tuple[walls.Hits, walls.Hits, walls.Hits]

    def save(self, path: Path) -> None:
        """Write it as an `.npz` of plain arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "chunks": np.array([self.first, self.last]),
            "areas": np.stack([part.areas for part in self.layers]),
            "hanging": np.array([[part.overhang, part.support] for part in self.layers]),
        }
        for axis, hits in zip("xyz", self.hits, strict=True):
            arrays |= {f"{axis}_{name}": column for name, column in zip(walls.COLUMNS, hits.columns, strict=True)}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what ``save`` wrote. Raises ValueError or KeyError for anything else."""
        with np.load(path, allow_pickle=False) as file:
            first, last = file["chunks"].tolist()
            hanging = file["hanging"].tolist()
            parts = (layers.LayerPartial(areas, *both) for areas, both in zip(file["areas"], hanging, strict=True))
            x, y, z = (walls.Hits(*(file[f"{axis}_{name}"] for name in walls.COLUMNS)) for axis in "xyz")
            return cls(first, last, tuple(parts), (x, y, z))


def slab(surface: Surface, begun: Begun, first_chunk: int, last_chunk: int) -> Slab:
    """Measure chunks ``first_chunk`` up to, not including, ``last_chunk`` of a surface that is ``begun.sound``.

    Takes about 0.1 s a chunk at most, by the bounds on cuts and hits. The chunks are in memory one at a time.
    """
    how, rays = slicing(begun), lattice(begun)
    sliced, met = [], []
    for chunk in range(first_chunk, last_chunk):
        mapped = surface.corners[chunk * CHUNK : (chunk + 1) * CHUNK]
        rows = np.empty((3, 3, len(mapped)))
        rows[...] = mapped.transpose(2, 1, 0)  # each coordinate by itself, as the kernels read it
        corners = rows.transpose(2, 1, 0)
        sliced.append(layers.partial(corners, how, begun.outward))
        met.append(walls.partial(corners, rays, begun.outward))
    x, y, z = (walls.joined([hits[axis] for hits in met]) for axis in range(3))
    return Slab(first_chunk, last_chunk, tuple(sliced), (x, y, z))


def slicing(begun: Begun) -> layers.Slicing:
    """Return how a surface is cut into layers: the same for all slabs of it."""
    options = begun.options
    return layers.slicing(
        begun.total, options.printing.layer_mm / begun.unit.mm, options.most_layers, options.overhang_deg
    )


def lattice(begun: Begun) -> walls.Lattice:
    """Return the rays that a surface is met with: the same for all slabs of it."""
    return walls.lattice(begun.total, begun.options.rays_across)
