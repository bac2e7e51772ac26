"""Draco-compressed meshes, decoded by Google's decoder once their header has been held against their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import DracoPy
import numpy as np

from pricing.loading.found import hold, too_large, unreadable, unsupported
from pricing.loading.guarding import guarded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.limits import Limits

MAGIC: Final = b"DRACO"
MESH: Final = 1
SEQUENTIAL, EDGEBREAKER = 0, 1
METADATA: Final = 0x8000
# Three numbers of four bytes, for a face and for a point.
BYTES_EACH: Final = 12
FREE_BYTES: Final = 1 << 16


def decode(data: bytes, limits: Limits) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return vertices, shape (v, 3), and triangles, shape (n, 3). Raises a refusal for damage and for lying headers."""
    counts = _counts(data)
    hold(counts[0], limits.held_triangles)
    if sum(counts) * BYTES_EACH > max(FREE_BYTES, limits.inflation_ratio * len(data)):
        raise too_large("The Draco-compressed shape claims to unpack to far more than its size allows")
    with guarded("The Draco-compressed shape is damaged"):
        mesh = _decoded(data)
        points = np.asarray(mesh.points, np.float64).reshape(-1, 3)
        faces = np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    if not len(faces) or not 0 <= faces.min() <= faces.max() < len(points):
        raise unreadable("The Draco-compressed shape holds no sound triangles")
    return points, faces


def _decoded(data: bytes) -> DracoPy.DracoMesh:
    """Return the mesh; counts further in than the header may lie too, and the decoder asks for what they say."""
    try:
        return DracoPy.decode(data)
    except MemoryError:
        raise too_large("The Draco-compressed shape claims to unpack to far more than its size allows") from None


def _counts(data: bytes) -> tuple[int, int]:
    """Return the header's counts of faces and points (Draco Bitstream Specification 2.2, sections 4 and 7)."""
    if len(data) < 16 or not data.startswith(MAGIC):
        raise unreadable("The Draco-compressed shape is damaged at its beginning")
    version, kind, method = (data[5], data[6]), data[7], data[8]
    if version != (2, 2) or kind != MESH or int.from_bytes(data[9:11], "little") & METADATA:
        raise unsupported("The shape is compressed by a kind of Draco that glTF does not allow: export without Draco")
    if method == SEQUENTIAL:
        faces, at = _varint(data, 11)
        return faces, _varint(data, at)[0]
    if method == EDGEBREAKER:
        points, at = _varint(data, 12)
        return _varint(data, at)[0], points
    raise unreadable("The Draco-compressed shape is damaged at its beginning")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = 0
    for shift, byte in enumerate(data[at : at + 5]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise unreadable("The Draco-compressed shape is damaged at its beginning")
