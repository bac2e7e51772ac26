"""How much a model may ask of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20
GIB: Final = 1 << 30


@dataclass(frozen=True)
class Limits:
    """Bounds of one model: bytes of the file, bytes and ratio of what it unpacks to, entries of an archive, counts.

    ``triangles`` bounds what stays on disk (binary STL is mapped); ``held_triangles`` and ``vertices`` what is held in
    memory, 72 and 24 bytes each: all formats but binary STL. ``depth`` is that of components, nodes and XML elements.
    """

    file_bytes: int = 100 * MIB
    inflated_bytes: int = GIB
    inflation_ratio: int = 100
    entries: int = 200
    triangles: int = 20_000_000
    held_triangles: int = 2_000_000
    vertices: int = 4_000_000
    instances: int = 10_000
    depth: int = 32


DEFAULT: Final = Limits()
