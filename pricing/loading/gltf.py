"""GLB and glTF: the default scene's triangles, placed by their nodes, in metres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.loading import draco
from pricing.loading.found import Found, hold, truncated, unreadable, unsupported
from pricing.loading.gltf_accessors import Buffers, pick
from pricing.loading.gltf_document import Document, Instancing, Node, Primitive, parse
from pricing.loading.placing import Scene
from pricing.loading.strips import fan_triangles, strip_triangles
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pricing.limits import Limits

    Matrix = NDArray[np.float64]

JSON_CHUNK, BINARY_CHUNK = b"JSON", b"BIN\0"
TRIANGLES, STRIP, FAN = 4, 5, 6
_LEFT_OUT: Final = "Lines and points were left out."
_POSED: Final = "Poses and blends of the model were left out; its resting shape was taken."


def read_glb(path: Path, limits: Limits) -> Found:
    """Read a binary glTF file. Raises a refusal where a chunk reaches beyond the file."""
    data = memoryview(path.read_bytes())
    if int.from_bytes(data[4:8], "little") != 2:
        raise unsupported("The file is of a GLB version that we cannot read: export it as glTF 2.0")
    chunks: dict[bytes, memoryview] = {}
    at = 12
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "little"), bytes(data[at + 4 : at + 8])
        if at + 8 + size > len(data):
            raise truncated(len(data), at + 8 + size, "bytes")
        chunks.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if JSON_CHUNK not in chunks:
        raise unreadable("The GLB file has no description of what it holds")
    return _Reader(parse(bytes(chunks[JSON_CHUNK])), chunks.get(BINARY_CHUNK), limits).read()


def read_gltf(path: Path, limits: Limits) -> Found:
    """Read a glTF file whose buffers are embedded."""
    return _Reader(parse(path.read_bytes()), None, limits).read()


class _Reader:
    """Walks the nodes and places their meshes."""

    def __init__(self, document: Document, binary: memoryview | None, limits: Limits) -> None:
        self._document, self._limits = document, limits
        self._buffers = Buffers(document, binary, limits)
        self._scene = Scene(limits)
        self._meshes: dict[int, list[Matrix]] = {}
        self._notes: dict[str, None] = {}
        self._decoded = 0

    def read(self) -> Found:
        """Return what the default scene shows."""
        for index in self._roots():
            self._visit(index, np.eye(4), 0)
        return Found(self._scene.corners(), Unit.METRE, list(self._notes))

    def _roots(self) -> list[int]:
        if self._document.scenes:
            return pick(self._document.scenes, self._document.scene or 0, "scene").nodes
        children = {child for node in self._document.nodes for child in node.children}
        return [index for index in range(len(self._document.nodes)) if index not in children]

    def _visit(self, index: int, outer: Matrix, depth: int) -> None:
        self._scene.visit(depth)
        node = pick(self._document.nodes, index, "node")
        matrix = _product(outer, _matrix(node))
        if node.skin is not None:
            self._notes[_POSED] = None
        if node.mesh is not None:
            for place in self._places(node.extensions.instancing):
                for shape in self._mesh(node.mesh):
                    self._scene.place(shape, _product(matrix, place))
        for child in node.children:
            self._visit(child, matrix, depth + 1)

    def _places(self, instancing: Instancing | None) -> Iterator[Matrix]:
        """Yield where a node's mesh is drawn: once, or as often as EXT_mesh_gpu_instancing says."""
        if instancing is None:
            yield np.eye(4)
            return
        widths = {"TRANSLATION": 3, "ROTATION": 4, "SCALE": 3}
        columns = {
            name: self._buffers.vectors(instancing.attributes[name], width)
            for name, width in widths.items()
            if name in instancing.attributes
        }
        for i in range(min((len(column) for column in columns.values()), default=0)):
            self._scene.visit(0)
            at = {name: column[i] for name, column in columns.items()}
            yield _placed(
                at.get("TRANSLATION", np.zeros(3)), at.get("ROTATION", _UNTURNED), at.get("SCALE", np.ones(3))
            )

    def _mesh(self, index: int) -> list[Matrix]:
        if index not in self._meshes:
            primitives = pick(self._document.meshes, index, "mesh").primitives
            self._meshes[index] = [shape for each in primitives if (shape := self._shape(each)) is not None]
        return self._meshes[index]

    def _shape(self, primitive: Primitive) -> Matrix | None:
        if primitive.mode < TRIANGLES or "POSITION" not in primitive.attributes:
            self._notes[_LEFT_OUT] = None
            return None
        if primitive.targets:
            self._notes[_POSED] = None
        compressed = primitive.extensions.draco
        if compressed is not None:
            vertices, triangles = draco.decode(bytes(self._buffers.view(compressed.bufferView)[0]), self._limits)
            corners = vertices[triangles]
        else:
            corners = self._plain(primitive)
        # Meshes are kept, as they may be placed again: bounded together.
        self._decoded += len(corners)
        hold(self._decoded, self._limits.held_triangles)
        return corners

    def _plain(self, primitive: Primitive) -> Matrix:
        position = primitive.attributes["POSITION"]
        count = self._buffers.count(position)
        if primitive.indices is None:
            hold(count // 3, self._limits.held_triangles)
            indices = np.arange(count)
        else:
            indices = self._buffers.indices(primitive.indices)
        if indices.max() >= count:
            raise unreadable(f"A triangle of the glTF file names a vertex that is not among its {count:,}")
        return self._buffers.vectors(position, 3, _triangles(indices, primitive.mode))


def _triangles(indices: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    if mode == STRIP:
        return strip_triangles(indices)
    if mode == FAN:
        return fan_triangles(indices)
    if len(indices) % 3:
        raise unreadable("The last triangle of a glTF shape has not three corners")
    return indices.reshape(-1, 3)


_UNTURNED: Final = np.array([0.0, 0.0, 0.0, 1.0])


def _product(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the product of two matrices; what overflows is found by the inspection."""
    with np.errstate(over="ignore", invalid="ignore"):
        return outer @ inner


def _matrix(node: Node) -> Matrix:
    if node.matrix is not None:
        return np.array(node.matrix).reshape(4, 4).T
    return _placed(np.array(node.translation), np.array(node.rotation), np.array(node.scale))


def _unit(rotation: Matrix) -> Matrix:
    """Return a quaternion at length 1; one of no length does not turn, one that is no number leads nowhere."""
    largest = float(np.abs(rotation).max())
    if largest == 0:
        return _UNTURNED
    if not largest < np.inf:
        return np.full(4, np.nan)
    # First by the largest, whose square may be more or less than a float holds.
    rotation = rotation / largest
    return np.asarray(rotation / np.sqrt((rotation**2).sum()))


def _placed(translation: Matrix, rotation: Matrix, scale: Matrix) -> Matrix:
    """Return translation, rotation (a quaternion x, y, z, w) and scale as one matrix, applied from the last."""
    x, y, z, w = _unit(rotation)
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turned * scale
    matrix[:3, 3] = translation
    return matrix
