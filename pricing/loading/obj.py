"""Wavefront OBJ: vertices and polygons; materials, normals and texture coordinates say nothing of shape."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from pricing.loading.found import Found, hold, too_large, unreadable
from pricing.loading.lines import lines
from pricing.loading.polygons import triangulate

if TYPE_CHECKING:
    from pathlib import Path

    from pricing.limits import Limits


class _Shape:
    """What was read so far."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.numbers = array("d")
        self.indices = array("q")
        self.sizes = array("q")
        self.triangles = 0
        self.notes: dict[str, int] = {}

    def vertex(self, words: list[bytes]) -> None:
        """Take `v x y z`; what follows (weight, colours) is not shape."""
        x, y, z = words[1:4]
        self.numbers.extend((float(x), float(y), float(z)))
        if len(self.numbers) > 3 * self.limits.vertices:
            raise too_large(f"The model has more than {self.limits.vertices:,} vertices")

    def face(self, words: list[bytes]) -> None:
        """Take `f a/b/c ...`; numbers begin at 1, negative ones count back from the newest vertex."""
        corners = [int(word.partition(b"/")[0]) for word in words[1:]]
        if len(corners) < 3:
            self.note("Faces left out, as they have fewer than three corners")
            return
        count = len(self.numbers) // 3
        corners = [corner - 1 if corner > 0 else corner + count if corner else -1 for corner in corners]
        self.indices.extend(corners)
        self.sizes.append(len(corners))
        self.triangles += len(corners) - 2
        hold(self.triangles, self.limits.held_triangles)

    def note(self, what: str) -> None:
        """Count something odd."""
        self.notes[what] = self.notes.get(what, 0) + 1

    def found(self) -> Found:
        """Return the triangles. Raises a refusal where a face names a vertex that there is not."""
        notes = [f"{what}: {count:,}." for what, count in self.notes.items()]
        if not self.sizes:
            return Found(np.empty((0, 3, 3)), notes=notes)
        vertices = np.frombuffer(self.numbers, np.float64).reshape(-1, 3) if self.numbers else np.empty((0, 3))
        indices = np.frombuffer(self.indices, np.int64)
        outside = int(((indices < 0) | (indices >= len(vertices))).sum())
        if outside:
            raise unreadable(
                f"Faces name vertices that are not among the {len(vertices):,} in the file ({outside:,} times)"
            )
        corners, more = triangulate(vertices, indices, np.frombuffer(self.sizes, np.int64), self.limits)
        return Found(corners, notes=notes + more)


def read_obj(path: Path, limits: Limits) -> Found:
    """Read all polygons of all objects and groups. Raises a refusal for what is no number, and for bad references."""
    shape = _Shape(limits)
    for row, line in enumerate(lines(path), 1):
        words = line.partition(b"#")[0].split()
        if not words:
            continue
        try:
            if words[0] == b"v":
                shape.vertex(words)
            elif words[0] in {b"f", b"fo"}:
                shape.face(words)
            elif words[0] in {b"curv", b"curv2", b"surf"}:
                shape.note("Curved surfaces left out, as they are no polygons")
        except (ValueError, OverflowError):
            raise unreadable(f"Line {row:,} cannot be read: `{line[:60].decode('ascii', 'replace').strip()}`") from None
    return shape.found()
