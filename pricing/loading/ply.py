"""PLY: polygons or triangle strips over vertices, as text or binary of either byte order."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pricing.loading.found import Found, hold, too_large, truncated, unreadable
from pricing.loading.lines import LONGEST
from pricing.loading.ply_header import Element, Header, read_header
from pricing.loading.polygons import triangulate
from pricing.loading.strips import strip_triangles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pricing.limits import Limits

    Row = list[Any]

FACE_LISTS: Final = {"vertex_indices", "vertex_index"}
AXES: Final = ["x", "y", "z"]


@dataclass
class _Shape:
    """What was read: vertices of shape (v, 3), polygons as indices one after another with their sizes."""

    limits: Limits
    vertices: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))
    indices: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    triangles: int = 0
    left_out: int = 0

    def polygon(self, corners: Iterable[int], size: int) -> None:
        if size < 3:
            self.left_out += 1
            return
        self.triangles += size - 2
        hold(self.triangles, self.limits.held_triangles)
        self.indices.extend(corners)
        self.sizes.append(size)

    def strip(self, corners: NDArray[np.int64]) -> None:
        """Take strips parted by -1, each of whose triangles turns the other way than the one before."""
        triangles = strip_triangles(corners)
        self.triangles += len(triangles)
        hold(self.triangles, self.limits.held_triangles)
        self.indices.frombytes(triangles.tobytes())
        self.sizes.frombytes(np.full(len(triangles), 3, np.int64).tobytes())


def read_ply(path: Path, limits: Limits) -> Found:
    """Read vertices and faces. Raises a refusal where the file holds less than its header promises."""
    with path.open("rb") as file:
        header = read_header(file)
    least = sum(element.count if header.text else element.least_bytes for element in header.elements)
    there = path.stat().st_size - header.bytes
    if least > there:
        raise truncated(there, least, "bytes")
    for element in header.elements:
        if element.count > limits.vertices:
            raise too_large(
                f"The model has {element.count:,} rows of `{element.name[:40]}`; we take {limits.vertices:,}"
            )
        if element.count and not element.properties:
            raise unreadable(f"The PLY header does not say what `{element.name[:40]}` consists of")
    shape = _Shape(limits)
    (_read_text if header.text else _read_binary)(path, header, shape)
    return _found(shape)


def _found(shape: _Shape) -> Found:
    notes = [f"Faces left out, as they have fewer than three corners: {shape.left_out:,}."] if shape.left_out else []
    if not shape.sizes:
        return Found(np.empty((0, 3, 3)), notes=notes)
    indices = np.frombuffer(shape.indices, np.int64)
    outside = int(((indices < 0) | (indices >= len(shape.vertices))).sum())
    if outside:
        raise unreadable(
            f"Faces name vertices that are not among the {len(shape.vertices):,} in the file ({outside:,} times)"
        )
    corners, more = triangulate(shape.vertices, indices, np.frombuffer(shape.sizes, np.int64), shape.limits)
    return Found(corners, notes=notes + more)


def _axes(element: Element) -> list[int]:
    """Return the columns of x, y and z."""
    names = [each.name for each in element.properties if each.length is None]
    if len(names) < len(element.properties) or any(axis not in names for axis in AXES):
        raise unreadable("The vertices of the PLY file have no x, y and z")
    return [names.index(axis) for axis in AXES]


def _read_text(path: Path, header: Header, shape: _Shape) -> None:
    with path.open("rb") as file:
        file.seek(header.bytes)
        for element in header.elements:
            rows = _text_rows(iter(lambda: file.readline(LONGEST), b""), element)
            if element.name == "vertex":
                axes = _axes(element)
                numbers = array("d")
                for row in rows:
                    numbers.extend([row[axis] for axis in axes])
                shape.vertices = np.array(numbers, np.float64).reshape(-1, 3)
            else:
                _take(element, rows, shape)


def _text_rows(source: Iterator[bytes], element: Element) -> Iterator[Row]:
    """Yield a row's values, lists as arrays."""
    for number in range(element.count):
        words = next((line.split() for line in source if not line.isspace()), None)
        if words is None:
            raise truncated(number, element.count, f"rows of `{element.name[:40]}`")
        try:
            yield _text_row(words, element)
        except (ValueError, IndexError, OverflowError):
            what = f"Row {number + 1:,} of `{element.name[:40]}` cannot be read"
            raise unreadable(what) from None


def _text_row(words: list[bytes], element: Element) -> list[Any]:
    row: list[Any] = []
    at = 0
    for each in element.properties:
        if each.length is None:
            row.append(float(words[at]))
            at += 1
            continue
        end = at + 1 + int(words[at])
        if not at < end <= len(words):
            raise IndexError
        row.append([int(word) for word in words[at + 1 : end]])
        at = end
    return row


def _read_binary(path: Path, header: Header, shape: _Shape) -> None:
    data = np.memmap(path, np.uint8, mode="r", offset=0)
    at = header.bytes
    for element in header.elements:
        if all(each.length is None for each in element.properties):
            # Columns may bear one name twice, which a numpy type may not.
            layout = np.dtype([(str(i), each.value) for i, each in enumerate(element.properties)])
            if len(data) - at < element.count * layout.itemsize:
                raise truncated(len(data) - at, element.count * layout.itemsize, "bytes")
            if element.name == "vertex" and element.count:
                table = np.frombuffer(data, layout, element.count, at)
                # What is no number is found by the inspection, which names the triangle.
                with np.errstate(invalid="ignore"):
                    columns = [table[str(axis)].astype(np.float64) for axis in _axes(element)]
                shape.vertices = np.stack(columns, axis=1)
            at += element.count * layout.itemsize
        elif (taken := _take_equal(data, at, element, shape)) is not None:
            at = taken
        else:
            reader = _BinaryRows(data, at)
            _take(element, reader.rows(element), shape)
            at = reader.at


def _take_equal(data: NDArray[np.uint8], at: int, element: Element, shape: _Shape) -> int | None:
    """Take faces of equally many corners in one piece; return where they end, None if they differ."""
    lists = [i for i, each in enumerate(element.properties) if each.length is not None]
    if element.name != "face" or len(lists) != 1 or not element.count:
        return None
    before = element.properties[: lists[0]]
    column = element.properties[lists[0]]
    reader = _BinaryRows(data, at + sum(each.value.itemsize for each in before))
    size = int(reader.value(column.length or column.value))
    if not 3 <= size <= 16 or column.name not in FACE_LISTS:
        return None
    fields: list[Any] = [(f"before{i}", each.value) for i, each in enumerate(before)]
    fields += [("size", column.length), ("corners", column.value, (size,))]
    fields += [(f"after{i}", each.value) for i, each in enumerate(element.properties[lists[0] + 1 :])]
    layout = np.dtype(fields)
    if len(data) - at < element.count * layout.itemsize:
        return None
    hold(shape.triangles + element.count * (size - 2), shape.limits.held_triangles)
    table = np.frombuffer(data, layout, element.count, at)
    if not (table["size"] == size).all():
        return None
    shape.triangles += element.count * (size - 2)
    shape.indices.frombytes(table["corners"].astype(np.int64).tobytes())
    shape.sizes.frombytes(np.full(element.count, size, np.int64).tobytes())
    return at + element.count * layout.itemsize


class _BinaryRows:
    """Walks rows of unequal length."""

    def __init__(self, data: NDArray[np.uint8], at: int) -> None:
        self.data, self.at = data.data, at

    def rows(self, element: Element) -> Iterator[Row]:
        """Yield a row's values, lists as arrays."""
        for _ in range(element.count):
            yield [
                self.value(each.value) if each.length is None else self._list(each.length, each.value)
                for each in element.properties
            ]

    def value(self, kind: np.dtype[np.generic]) -> Any:
        """Return the next number."""
        if self.at + kind.itemsize > len(self.data):
            raise truncated(len(self.data), self.at + kind.itemsize, "bytes")
        order = "<" if kind.byteorder in "<=|" else ">"
        (found,) = struct.unpack_from(order + kind.char, self.data, self.at)
        self.at += kind.itemsize
        return found

    def _list(self, length: np.dtype[np.generic], kind: np.dtype[np.generic]) -> NDArray[np.int64]:
        count = int(self.value(length))
        end = self.at + count * kind.itemsize
        if count < 0 or end > len(self.data):
            raise truncated(len(self.data), end, "bytes")
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at = end
        with np.errstate(invalid="ignore"):
            return found.astype(np.int64)


def _take(element: Element, rows: Iterator[Row], shape: _Shape) -> None:
    """Take a table of faces or strips; other tables are walked through, to come to the end of them."""
    column = next((i for i, each in enumerate(element.properties) if each.name in FACE_LISTS and each.length), None)
    for row in rows:
        if column is None:
            continue
        corners = row[column]
        if element.name == "tristrips":
            try:
                shape.strip(np.asarray(corners, np.int64))
            except OverflowError:
                raise unreadable("A strip of triangles names a vertex that there is not") from None
        elif element.name == "face":
            try:
                shape.polygon(corners, len(corners))
            except OverflowError:
                raise unreadable("A face names a vertex that there is not") from None
