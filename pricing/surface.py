"""A model's surface as triangles, in memory or in a file, handed out in chunks of one fixed size."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pricing.units import Unit

# Fixed, because sums are taken chunk by chunk: the same model must give the same digits however the work is cut.
CHUNK: Final = 65_536


class Format(StrEnum):
    """The formats of models, told by content."""

    STL = "stl"
    OBJ = "obj"
    THREE_MF = "3mf"
    PLY = "ply"
    GLB = "glb"
    GLTF = "gltf"


class Surface:
    """Triangles as corners of shape (n, 3, 3) in the model's own unit; any float type, also mapped from a file."""

    def __init__(self, corners: NDArray[np.floating]) -> None:
        """``corners``: shape (n, 3, 3); a mapped file stays on disk until it is asked for."""
        self.corners = corners

    @property
    def count(self) -> int:
        """How many triangles there are."""
        return len(self.corners)

    def chunks(self) -> Iterator[NDArray[np.float64]]:
        """Yield the triangles in order, ``CHUNK`` at a time (the last chunk is shorter), shape (k, 3, 3)."""
        for begin in range(0, self.count, CHUNK):
            yield np.ascontiguousarray(self.corners[begin : begin + CHUNK], dtype=np.float64)


@dataclass(frozen=True)
class Model:
    """A model as its file says it. ``unit``: None where the format does not say; ``notes``: what was odd, in words."""

    name: str
    format: Format
    surface: Surface
    unit: Unit | None = None
    notes: tuple[str, ...] = field(default=())
