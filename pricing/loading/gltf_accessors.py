"""Numbers out of glTF buffers: every range is checked against what is there before anything is made."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from pricing.loading.found import too_large, truncated, unreadable, unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pricing.limits import Limits
    from pricing.loading.gltf_document import Accessor, BufferView, Document

_COMPONENTS: Final = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}

ALL: Final = slice(None)

T = TypeVar("T")


def pick(things: Sequence[T], index: int, what: str) -> T:
    """Return a thing by its index. Raises a refusal where there are not so many."""
    if index >= len(things):
        raise unreadable(f"The glTF file names {what} {index:,} of {len(things):,}")
    return things[index]


class Buffers:
    """The document's buffers. ``binary``: the bytes of the GLB file's second chunk."""

    def __init__(self, document: Document, binary: memoryview | None, limits: Limits) -> None:
        self._document, self._binary, self._limits = document, binary, limits
        self._read: dict[int, memoryview] = {}

    def view(self, index: int) -> tuple[memoryview, BufferView]:
        """Return a slice's bytes. Raises a refusal where it reaches beyond its buffer."""
        view = pick(self._document.bufferViews, index, "buffer view")
        data = self._buffer(view.buffer)
        if view.byteOffset + view.byteLength > len(data):
            raise truncated(len(data), view.byteOffset + view.byteLength, "bytes")
        return data[view.byteOffset : view.byteOffset + view.byteLength], view

    def _buffer(self, index: int) -> memoryview:
        if index not in self._read:
            self._read[index] = self._load(index)
        return self._read[index]

    def _load(self, index: int) -> memoryview:
        buffer = pick(self._document.buffers, index, "buffer")
        if buffer.uri is None:
            if self._binary is None or index != 0:
                raise unreadable("The glTF file names a buffer that has no data")
            data = self._binary
        else:
            data = _embedded(buffer.uri)
        if buffer.byteLength > len(data):
            raise truncated(len(data), buffer.byteLength, "bytes")
        return data[: buffer.byteLength]

    def numbers(self, index: int) -> NDArray[np.generic]:
        """Return an accessor's numbers, shape (count,) or (count, width), as they are stored."""
        accessor = pick(self._document.accessors, index, "accessor")
        if accessor.sparse is not None:
            raise unsupported("The glTF file stores its shape as changes to another (sparse): export it without that")
        if accessor.bufferView is None:
            raise unreadable("The glTF file has a shape without data")
        if accessor.componentType not in _COMPONENTS or accessor.type not in _WIDTHS:
            raise unreadable(f"The glTF file stores numbers in a way that there is not ({accessor.type[:20]})")
        found = self._numbers(accessor, accessor.bufferView)
        # Last, so that a lying count is called a lie; so far nothing was copied.
        if accessor.count > 3 * self._limits.held_triangles:
            raise too_large(f"The model has a shape of {accessor.count:,} corners")
        return found

    def _numbers(self, accessor: Accessor, index: int) -> NDArray[np.generic]:
        data, view = self.view(index)
        kind, width = np.dtype(_COMPONENTS[accessor.componentType]), _WIDTHS[accessor.type]
        row = kind.itemsize * width
        stride = view.byteStride or row
        end = accessor.byteOffset + stride * (accessor.count - 1) + row
        if end > len(data) or stride < row:
            raise truncated(max(0, len(data) - accessor.byteOffset) // stride, accessor.count, "numbers of a shape")
        shape, strides = (accessor.count, width), (stride, kind.itemsize)
        found: NDArray[np.generic] = np.ndarray(shape, kind, data, accessor.byteOffset, strides)
        return found[:, 0] if width == 1 else found

    def indices(self, index: int) -> NDArray[np.int64]:
        """Return indices of vertices, shape (n,)."""
        found = self.numbers(index)
        if found.ndim != 1 or found.dtype.kind != "u":
            raise unreadable("The glTF file's triangles are no whole numbers")
        return found.astype(np.int64)

    def count(self, index: int) -> int:
        """Return how many rows an accessor says it has."""
        return pick(self._document.accessors, index, "accessor").count

    def vectors(self, index: int, width: int, rows: NDArray[np.int64] | slice = ALL) -> NDArray[np.float64]:
        """Return vectors, shape (n, width) or that of ``rows`` and width; of fractions' numerators, the fractions.

        ``rows``: which of them; a small shape may use few of many. Source: glTF 2.0, 3.6.2.2.
        """
        found = self.numbers(index)
        if found.shape[1:] != (width,):
            raise unreadable("The glTF file's points have not the right count of coordinates")
        # What is no number is found by the inspection, which names the triangle.
        with np.errstate(invalid="ignore"):
            numbers = found[rows].astype(np.float64)
        if self._document.accessors[index].normalized and found.dtype.kind in "iu":
            numbers = np.maximum(numbers / np.iinfo(str(found.dtype)).max, -1.0)
        return numbers


def _embedded(uri: str) -> memoryview:
    kind, comma, text = uri.partition(",")
    if not kind.startswith("data:") or not comma:
        raise unsupported("The glTF file keeps its shape in another file: export it as GLB, which is one file")
    if not kind.endswith(";base64"):
        raise unreadable("The glTF file's data is not written as base64")
    try:
        return memoryview(binascii.a2b_base64(text, strict_mode=True))
    except ValueError:
        raise unreadable("The glTF file's data is damaged (base64)") from None
